/**
 * What Node's documentation leaves open. A runtime that differs only in these is not held against it: its cell says so.
 *
 * Used by  judge.ts, markdown.ts, page.ts
 */

/** One thing that is not fixed, and what takes it out of a line. */
interface Open {
  readonly what: string;
  /** The sentence of the documentation, or what the documentation does not say. */
  readonly sentence: string;
  /** Where it stands. */
  readonly page: string;
  readonly take: RegExp;
  readonly leave: string | ((all: string, ...groups: readonly string[]) => string);
}

export const OPEN: readonly Open[] = [
  {
    what: 'the text of an error', sentence: '"error.message strings may change between any versions of Node.js"; error.code "is the most stable way to identify an error"',
    page: 'https://nodejs.org/api/errors.html#errorcode',
    take: /message: (?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|`(?:[^`\\]|\\.)*`)/g, leave: 'message: <text>',
  },
  {
    what: 'the number of a system error', sentence: '"error.errno is a negative number which corresponds to the error code defined in libuv", and not every runtime has libuv; error.code names the error',
    page: 'https://nodejs.org/api/errors.html#errorerrno_1',
    take: /errno: (?:-?\d+|undefined)/g, leave: 'errno: <errno>',
  },
  {
    what: 'worker.state', sentence: 'not documented',
    page: 'https://nodejs.org/api/cluster.html#class-worker',
    take: /\bstate: (?:'\w+'|undefined),? ?/g, leave: '',
  },
  {
    what: 'server._connectionKey', sentence: 'not documented',
    page: 'https://nodejs.org/api/net.html#class-netserver',
    take: /'(?:-1|4|6):[^' ]*:[^' ]*'/g, leave: 'undefined',
  },
  {
    what: 'the order of the members of an object', sentence: 'the documentation names the members of server.address() and their values, and no order',
    page: 'https://nodejs.org/api/net.html#serveraddress',
    take: /\{ ([^{}[\]]+) \}/g, leave: sorted,
  },
];

/** The members of an object without another one in it, in one order. */
function sorted(_object: string, members: string): string {
  return `{ ${members.split(', ').sort().join(', ')} }`;
}

/** Scenarios about what is not documented at all: whatever differs there is left open, if the program ends as on Node. */
const UNDOCUMENTED: readonly string[] = [
  'faux-handle', 'replaced-handle', 'replaced-cluster-properties', 'debugged-primary', 'fork/members-beside-the-documented', 'fork/internal-listeners-of-the-process',
];

/** Is a scenario about members that the documentation does not name? */
export const isUndocumented = (scenario: string): boolean => UNDOCUMENTED.includes(scenario);

const closed = (line: string): string => OPEN.reduce((text, { take, leave }) => (typeof leave === 'string' ? text.replace(take, leave) : text.replace(take, leave)), line);

/** True if two lists of lines differ only in what the documentation leaves open. */
export function isAllowed(expected: readonly string[], got: readonly string[]): boolean {
  return expected.length === got.length && expected.every((line, at) => closed(line) === closed(got[at] ?? ''));
}
