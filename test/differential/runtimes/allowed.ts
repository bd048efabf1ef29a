/**
 * What Node's documentation leaves open. A runtime that differs only in these is not held against it: its cell says so.
 *
 * Used by  judge.ts
 */

/** One thing that is not fixed, and what takes it out of a line. */
interface Open {
  readonly what: string;
  readonly because: string;
  readonly take: RegExp;
  readonly leave: string;
}

export const OPEN: readonly Open[] = [
  {
    what: 'the text of an error', because: 'errors.md: "error.message … may change between any versions", error.code is what is stable',
    take: /message: (?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|`(?:[^`\\]|\\.)*`)/g, leave: 'message: <text>',
  },
  {
    what: 'the number of a system error', because: 'errors.md: error.errno is negative and depends on the system; error.code names it',
    take: /errno: (?:-?\d+|undefined)/g, leave: 'errno: <errno>',
  },
  {
    what: 'worker.state', because: 'cluster.md does not name it',
    take: /\bstate: (?:'\w+'|undefined),? ?/g, leave: '',
  },
];

const closed = (line: string): string => OPEN.reduce((text, { take, leave }) => text.replace(take, leave), line);

/** True if two lists of lines differ only in what the documentation leaves open. */
export function isAllowed(expected: readonly string[], got: readonly string[]): boolean {
  return expected.length === got.length && expected.every((line, at) => closed(line) === closed(got[at] ?? ''));
}
