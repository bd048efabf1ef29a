/**
 * Processes of a scenario that end by an exception which nobody catches. Two runs that die of the same
 * slip (a name that was misspelt) are alike, and have compared nothing behind it. So such an end is a
 * failure unless the scenario declares it, in lines of their own:
 *
 *   // Dies: W1 of EADDRINUSE               the process, and a part of the text of its exception
 *   // Dies on 22, 24, 26: W1 of ASSERT     where it does so on some versions of Node only
 *
 * It is enough that one of the two implementations dies: a rule of deliberate.ts says which of them.
 * A process that never came to its recorder is known only by what Node wrote to its stderr.
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

/** Ways in which Node ends what it writes of an exception that ended a process. */
const LAST_LINE = /^Node\.js v\d+\.\d+\.\d+/gm;

/** The processes that died as the scenario declares. Throws where one did that was not to. */
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
  // Of those that died with their recorder, not all share our stderr.
  const written = (stderr.match(LAST_LINE) ?? []).length;
  if (written > names.length + unrecorded.length) fail('a process ends by an exception that it never recorded,');
  return [...names, ...(written > 0 ? unrecorded : [])];
}

/** What the scenario declares and neither implementation did. */
export function staleDeaths(file: string, died: readonly string[], major: number): string[] {
  return declaredIn(file).filter(({ name, versions }) => !died.includes(name) && (versions?.includes(major) ?? true))
    .map(({ name, text }) => `${name} of ${text}`);
}

function declaredIn(file: string): Declared[] {
  return [...readFileSync(file, 'utf8').matchAll(/^\/\/ Dies(?: on ([\d, ]+))?: (\S+) of (.+)$/gm)].map(([, versions, name = '', text = '']) =>
    ({ name, text, versions: versions === undefined ? null : versions.split(', ').map(Number) }));
}
