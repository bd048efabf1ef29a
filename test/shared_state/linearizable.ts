/**
 * Is a history of one key linearizable? It is if there is an order of its operations in which each takes effect at one
 * moment between its begin and its end, and each result is what that order gives. The search is that of Wing and Gong,
 * and remembers the states that it has tried, as Lowe proposed.
 *
 * An operation without an end, because its process was killed, may take effect once at any later time, or never.
 */

/** One operation on one key. `begin` and `end` are times. `end` Infinity: no answer came. */
export interface Action {
  readonly op: 'get' | 'set' | 'increment' | 'compareAndSet' | 'delete';
  readonly begin: number;
  readonly end: number;
  readonly value?: unknown;
  readonly by?: number;
  readonly expected?: number;
  /** null: there was no such key. */
  readonly result?: { value?: unknown; version?: number; done?: boolean; current?: { value: unknown; version: number } } | null;
}

/** The state of the key. `version` null: the key has a version that no answer has named yet; it is greater than `floor`. */
interface State { readonly value: unknown; readonly version: number | null; readonly floor: number }

const absent = (floor: number): State => ({ value: undefined, version: 0, floor });

/** The state if it can have this version; else null. */
function bound(state: State, version: number): State | null {
  if (state.version === null) return version > state.floor ? { ...state, version, floor: version } : null;
  return state.version === version ? state : null;
}

/** The state after a write. `version` undefined: no answer came. Null if a write cannot have this version. */
function written(state: State, value: unknown, version: number | undefined): State | null {
  const floor = state.version === null ? state.floor + 1 : Math.max(state.floor, state.version);
  if (version === undefined) return { value, version: null, floor };
  return version > floor ? { value, version, floor: version } : null;
}

/** The state after an action; null if the action cannot have had its result in this state. */
function apply(state: State, action: Action): State | null {
  const { op, result } = action;
  const pending = action.end === Infinity;
  const there = state.version !== 0;
  switch (op) {
    case 'get':
      if (pending) return state;
      if (result === null || result === undefined) return there ? null : state;
      return there && state.value === result.value ? bound(state, result.version as number) : null;
    case 'set':
      return written(state, action.value, result?.version);
    case 'increment': {
      const sum = (there ? state.value as number : 0) + (action.by as number);
      return pending || sum === result?.value ? written(state, sum, result?.version) : null;
    }
    case 'compareAndSet': {
      if (pending || result?.done === true) {
        const matched = bound(state, action.expected as number);
        return matched && written(matched, action.value, result?.version);
      }
      if (result?.current === undefined) return there ? null : state;
      if (result.current.version === action.expected || !there || state.value !== result.current.value) return null;
      return bound(state, result.current.version);
    }
    case 'delete':
      if (pending) return there ? absent(state.floor) : state;
      if (result?.done !== there) return null;
      return there ? absent(Math.max(state.floor, state.version ?? 0)) : state;
  }
}

/** Is there such an order? */
export function isLinearizable(history: readonly Action[]): boolean {
  const actions = [...history].sort((one, other) => one.begin - other.begin);
  const tried = new Set<string>();
  const done = new Uint8Array(actions.length);
  let left = actions.filter(({ end }) => end !== Infinity).length;
  if (left === 0) return true;

  interface Level { readonly state: State; readonly candidates: number[]; next: number; readonly chosen: number }
  const level = (state: State, first: number, chosen: number): Level => {
    // The next action in the order must have begun before any of the remaining ones ended.
    const candidates: number[] = [];
    let firstEnd = Infinity;
    for (let at = first; at < actions.length; at++) {
      const { begin, end } = actions[at] as Action;
      if (begin > firstEnd) break;
      if (done[at] === 1) continue;
      candidates.push(at);
      firstEnd = Math.min(firstEnd, end);
    }
    // Actions without an end are tried last, because they need not have happened.
    candidates.sort((one, other) => (actions[one] as Action).end - (actions[other] as Action).end);
    return { state, candidates: candidates.filter((at) => (actions[at] as Action).begin <= firstEnd), next: 0, chosen };
  };
  const path: Level[] = [level(absent(0), 0, -1)];
  for (let top = path.at(-1); top !== undefined; top = path.at(-1)) {
    const at = top.candidates[top.next++];
    if (at === undefined) {
      path.pop();
      if (top.chosen !== -1) {
        done[top.chosen] = 0;
        if ((actions[top.chosen] as Action).end !== Infinity) left++;
      }
      continue;
    }
    const action = actions[at] as Action;
    const state = apply(top.state, action);
    if (state === null) continue;
    done[at] = 1;
    const key = `${Buffer.from(done).toString('latin1')}|${JSON.stringify([state.value, state.version, state.floor])}`;
    if (tried.has(key)) {
      done[at] = 0;
      continue;
    }
    tried.add(key);
    if (action.end !== Infinity && --left === 0) return true;
    path.push(level(state, 0, at));
  }
  return false;
}
