/**
 * A history: the lines that processes have written about their calls, each at the begin and the end of a call, with the
 * time of the clock that all processes of the machine share. And what must be true of it.
 */
import assert from 'node:assert';
import { isLinearizable, type Action } from './linearizable';

/** A line. `undone`: the call was refused, and the refusal says that nothing was done. */
export interface Line {
  readonly at: string;
  readonly call?: string;
  readonly key?: string;
  readonly result?: Action['result'];
  readonly undone?: true;
}

/** A call, with all that its lines say. */
export type Call = Line & Action;

/** The calls. `time`: of a line. A call that has no end, because its process was killed or nobody knows, ends at Infinity. */
export function callsOf(lines: readonly Line[], time: (line: Line) => number): Call[] {
  const calls = new Map<string, Call>();
  for (const line of lines) {
    if (line.call === undefined) continue;
    const begun = calls.get(line.call);
    if (begun === undefined) calls.set(line.call, { ...line as Call, begin: time(line), end: Infinity });
    else if (line.undone === true) calls.delete(line.call);
    else calls.set(line.call, { ...begun, end: time(line), result: line.result as Action['result'] & object });
  }
  return [...calls.values()];
}

/** Throws unless the calls on each key are linearizable, and unless the checker finds a single wrong answer among them. */
export function expectLinearizable(calls: readonly Call[], keys: readonly string[]): void {
  for (const key of keys) {
    const actions = calls.filter((call) => call.key === key);
    assert(isLinearizable(actions), `the calls on '${key}' are not linearizable`);
    const at = actions.findLastIndex(({ op, end }) => op === 'increment' && end !== Infinity);
    const wrong = actions.map((action, index) => (index === at ? { ...action, result: { ...action.result, value: -1 } } : action));
    assert(!isLinearizable(wrong), `the checker does not find a wrong answer among the calls on '${key}'`);
  }
}
