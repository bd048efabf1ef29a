/**
 * What Node's documentation leaves open. A runtime that differs only in these is not held against it: its cell says so.
 *
 * Used by  judge.ts, foreign.ts, markdown.ts, page.ts
 */

/** A pattern, and the text that stands in a line in place of whatever the pattern finds there. */
type Cut = readonly [take: RegExp, leave: string | ((all: string, ...groups: readonly string[]) => string)];

/** One thing that is not fixed. */
interface Open {
  readonly what: string;
  /** The sentence of the documentation, or what the documentation does not say. */
  readonly sentence: string;
  /** Where it stands. */
  readonly page: string;
  readonly cuts: readonly Cut[];
}

/** A string as `util.inspect` writes it. */
const STRING = /(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|`(?:[^`\\]|\\.)*`)/.source;

/** All that is allowed. test/README.md has the same list; test/unit/runtimes_judged.test.ts compares the two. */
export const OPEN: readonly Open[] = [
  {
    what: 'the text of an error', sentence: '"error.message strings may change between any versions of Node.js"; error.code "is the most stable way to identify an error"',
    page: 'https://nodejs.org/api/errors.html#errorcode',
    cuts: [
      [new RegExp(`message: ${STRING}`, 'g'), 'message: <text>'],
      // threw 'TypeError' 'ERR_INVALID_ARG_TYPE' 'The "message" argument must be …'
      [new RegExp(`(threw '\\w+' (?:'\\w+'|undefined|\\d+)) ${STRING}`, 'g'), '$1 <text>'],
      // 'bind EADDRINUSE taken.sock', 'spawn /does/not/exist ENOENT'
      [/'\w+ (?:[^' ]* )?E[A-Z]+\b[^']*'/g, '<text>'],
    ],
  },
  {
    what: 'the number of a system error', sentence: '"error.errno is a negative number which corresponds to the error code defined in libuv", and not every runtime has libuv; error.code names the error',
    page: 'https://nodejs.org/api/errors.html#errorerrno_1',
    cuts: [
      [/errno: (?:-?\d+|undefined)/g, 'errno: <errno>'],
      // 'ENOTFOUND' 'getaddrinfo' -3008, 'EACCES' -13
      [/('E[A-Z]+'(?: '\w+')?) -?\d+(?= |$)/g, '$1 <errno>'],
    ],
  },
  {
    what: 'worker.state', sentence: 'not documented',
    page: 'https://nodejs.org/api/cluster.html#class-worker',
    cuts: [[/\bstate: (?:'\w+'|undefined),? ?/g, ''], [/\bstate (?:'\w+'|undefined)/g, 'state']],
  },
  {
    what: 'server._connectionKey', sentence: 'not documented',
    page: 'https://nodejs.org/api/net.html#class-netserver',
    // Its last part is a port, an fd or an index; a port can stand there as <port 0>.
    cuts: [[/'(?:-1|4|6):[^' ]*:(?:<(?:port|fd)(?: \d)?>|[^' ]*)'/g, 'undefined']],
  },
  {
    what: 'the order of the members of an object', sentence: 'the documentation names the members of server.address() and their values, and no order',
    page: 'https://nodejs.org/api/net.html#serveraddress',
    cuts: [[/\{ ([^{}[\]]+) \}/g, (_object, members = '') => `{ ${members.split(', ').sort().join(', ')} }`]],
  },
  {
    what: "in a list of an object's members: `state`, and names that begin with an underscore", sentence: 'the documentation of cluster and child_process names no such member',
    page: 'https://nodejs.org/api/cluster.html',
    cuts: [[/\[\s+((?:'\w+',?\s*)+)\]/g, (_list, names = '') => documented(names)]],
  },
];

/** "[ 'id', 'process' ]" of "'_events', 'id', 'state', 'process'". */
function documented(names: string): string {
  const left = names.split(',').map((name) => name.trim()).filter((name) => name !== '' && !/^'(?:_\w*|state)'$/.test(name));
  return left.length === 0 ? '[]' : `[ ${left.join(', ')} ]`;
}

/** Scenarios about what is not documented at all: whatever differs there is left open, if the program ends as on Node. */
const UNDOCUMENTED: readonly string[] = [
  'faux-handle', 'replaced-handle', 'replaced-cluster-properties', 'debugged-primary', 'fork/members-beside-the-documented', 'fork/internal-listeners-of-the-process',
];

/** Is a scenario about members that the documentation does not name? */
export const isUndocumented = (scenario: string): boolean => UNDOCUMENTED.includes(scenario);

/** A line without what the documentation leaves open. */
const closed = (line: string): string => OPEN.flatMap(({ cuts }) => cuts).reduce((text, [take, leave]) => (typeof leave === 'string' ? text.replace(take, leave) : text.replace(take, leave)), line);

/** The number of the first line with a difference that is not allowed; -1: there is none. */
export function firstNotAllowed(expected: readonly string[], got: readonly string[]): number {
  for (let at = 0; at < Math.max(expected.length, got.length); at++) {
    const [one, other] = [expected[at], got[at]];
    if (one === undefined || other === undefined || closed(one) !== closed(other)) return at;
  }
  return -1;
}

/** Characters of a line that one row of a table shows, and those before the first that differs. */
const WIDTH = 90;
const BEFORE = 30;

/**
 * Two lines, cut to what stands around their first difference, so that a reader sees it in one row.
 *
 * @param isAllowed  the lines differ only in what is allowed, and that is shown; otherwise it is cut out
 */
export function aroundTheDifference(expected: string, got: string, isAllowed: boolean): readonly [string, string] {
  const [one, other] = [expected, got].map((line) => (isAllowed ? line : closed(line)).replace(/\s+/g, ' ')) as [string, string];
  let at = 0;
  while (at < one.length && one[at] === other[at]) at++;
  const from = at + 10 < WIDTH ? 0 : at - BEFORE;
  const cut = (line: string): string => `${from > 0 ? '…' : ''}${line.slice(from, from + WIDTH)}${line.length > from + WIDTH ? '…' : ''}`;
  return [cut(one), cut(other)];
}
