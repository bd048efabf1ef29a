/**
 * Finds the processes of a scenario that end by an uncaught exception. If a scenario has a mistake (a misspelt name,
 * say), both implementations die of it in the same way: their traces are equal, though the rest of the scenario never
 * ran. So an uncaught exception is a failure, unless the scenario declares it in a line of this form:
 *
 *   // Dies: W1 of EADDRINUSE               the process, and a part of the text of its exception
 *   // Dies on 22, 24, 26: W1 of ASSERT     if it dies on these major versions of Node only
 *
 * It is enough that one of the two implementations dies: a rule of deliberate.ts says which of them.
 * A process that dies before it has loaded observe.js, which records, is known only by what Node wrote to its stderr.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';

/** One process, as the trace calls it ("P", "W1", "C1.C2"), and its exception. */
export interface Death {
  readonly name: string;
  readonly text: string;
}

interface Declared extends Death {
  readonly versions: readonly number[] | null;
}

/** The last line of what Node writes to stderr when an uncaught exception ends a process. */
const LAST_LINE = /^Node\.js v\d+\.\d+\.\d+/gm;

/** Returns the processes that died as the scenario declares. Throws if a process died and the scenario does not declare it. */
export function checkDeaths(file: string, { recorded, stderr, implementation }: { recorded: readonly Death[]; stderr: string; implementation: string }): string[] {
  const declared = declaredIn(file);
  const fail = (what: string): never => {
    throw new Error(`${path.basename(file)} does not declare that ${what} under ${implementation} (see test/support/deaths.ts)\n${stderr}`);
  };
  for (const { name, text } of recorded) {
    if (!declared.some((one) => one.name === name && text.includes(one.text))) fail(`${name} ends by an exception, '${text}',`);
  }
  const names = recorded.map(({ name }) => name);
  const unrecorded = declared.filter((one) => !names.includes(one.name) && stderr.includes(one.text)).map(({ name }) => name);
  // `written` can be smaller than the number of recorded deaths: some processes have a stderr that is not read here.
  const written = (stderr.match(LAST_LINE) ?? []).length;
  if (written > names.length + unrecorded.length) fail('a process ends by an exception that it never recorded,');
  return [...names, ...(written > 0 ? unrecorded : [])];
}

/** The deaths that the scenario declares for this version of Node, and that happened under neither implementation. */
export function staleDeaths(file: string, died: readonly string[], major: number): string[] {
  return declaredIn(file).filter(({ name, versions }) => !died.includes(name) && (versions?.includes(major) ?? true))
    .map(({ name, text }) => `${name} of ${text}`);
}

function declaredIn(file: string): Declared[] {
  return [...readFileSync(file, 'utf8').matchAll(/^\/\/ Dies(?: on ([\d, ]+))?: (\S+) of (.+)$/gm)].map(([, versions, name = '', text = '']) =>
    ({ name, text, versions: versions === undefined ? null : versions.split(', ').map(Number) }));
}
