/**
 * Is a history of one key linearizable? A search for an order in which every operation takes effect
 * at one moment between its begin and its end, and gave what it would have given in that order
 * (Wing and Gong, with the states already tried remembered, as Lowe has it).
 *
 * An operation without an end, whose process was killed, may take effect once at any later time, or never.
 */

/** One operation on one key. `end` Infinity: it never came back. */
export interface Action {
  readonly op: 'get' | 'set' | 'increment' | 'compareAndSet' | 'delete';
  readonly begin: number;
  readonly end: number;
  readonly value?: unknown;
  readonly by?: number;
  readonly expected?: number;
  /** null: absent. */
  readonly result?: { value?: unknown; version?: number; done?: boolean; current?: { value: unknown; version: number } } | null;
}

/** A key. `version` null: there is one, which nobody has seen yet; it is greater than `floor`. */
interface State { readonly value: unknown; readonly version: number | null; readonly floor: number }

const absent = (floor: number): State => ({ value: undefined, version: 0, floor });

/** The state if its version is this one. */
function bound(state: State, version: number): State | null {
  if (state.version === null) return version > state.floor ? { ...state, version, floor: version } : null;
  return state.version === version ? state : null;
}

/** A write whose answer named its version, or whose answer never came. */
function written(state: State, value: unknown, version: number | undefined): State | null {
  const floor = state.version === null ? state.floor + 1 : Math.max(state.floor, state.version);
  if (version === undefined) return { value, version: null, floor };
  return version > floor ? { value, version, floor: version } : null;
}

/** What the action makes of the state; null if it cannot have given this result there. */
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

/** Looks for an order; true if there is one. */
export function isLinearizable(history: readonly Action[]): boolean {
  const actions = [...history].sort((one, other) => one.begin - other.begin);
  const tried = new Set<string>();
  const done = new Uint8Array(actions.length);
  let left = actions.filter(({ end }) => end !== Infinity).length;
  if (left === 0) return true;

  interface Level { readonly state: State; readonly candidates: number[]; next: number; readonly chosen: number }
  const level = (state: State, first: number, chosen: number): Level => {
    // Who could be next: what began before the first end among those that are left.
    const candidates: number[] = [];
    let firstEnd = Infinity;
    for (let at = first; at < actions.length; at++) {
      const { begin, end } = actions[at] as Action;
      if (begin > firstEnd) break;
      if (done[at] === 1) continue;
      candidates.push(at);
      firstEnd = Math.min(firstEnd, end);
    }
    // Those that ended are tried before those that never did, which may as well not have happened.
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
