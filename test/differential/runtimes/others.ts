/**
 * npm run conformance -- --others: plays the programs of test/differential/others, each of which shows one difference of
 * another runtime, under Node and under the runtimes that they name.
 *
 * The first lines of such a program say what it shows, what Node prints, and what each runtime printed:
 *
 *   // A socket that is sent to a worker arrives without what the client had sent.
 *   // Node 26.10.0 prints: hello
 *   // Bun 1.4.5 (2026-11-29) prints: nothing, and does not end
 *
 * Lines of the output are separated by " / ". "nothing" stands for no output; ", and does not end" for a program that had
 * to be ended, ", and exits with 1" for its exit code, ", and is ended by SIGSEGV" for a signal.
 */
import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { root } from '../../support/program';
import { play, type Played } from '../../support/scenario_run';
import { WrongArgument } from '../../support/arguments';
import type { Runtime } from './runtime';

const directory = path.join(root, 'test/differential/others');

/** What one runtime printed. */
export interface Printed {
  /** "Bun 1.4.5" */
  readonly runtime: string;
  /** "2026-11-29"; null for Node. */
  readonly date: string | null;
  readonly text: string;
}

/** A program of test/differential/others. */
export interface Other {
  readonly name: string;
  readonly file: string;
  readonly about: string;
  readonly node: Printed;
  readonly runtimes: readonly Printed[];
}

const LINE = /^\/\/ ((?:Node|Bun|Deno) [\d.]+)(?: \((\d{4}-\d\d-\d\d)\))? prints: (.+)$/;

/** All of these programs. @throws Error if one of them does not say what it has to */
export function others(): Other[] {
  return readdirSync(directory).filter((name) => name.endsWith('.js')).sort().map((name): Other => {
    const file = path.join(directory, name);
    const lines = readFileSync(file, 'utf8').split('\n');
    const about = lines.slice(0, lines.findIndex((line) => LINE.test(line))).map((line) => line.replace(/^\/\/ /, '')).join(' ');
    const printed = lines.flatMap((line): Printed[] => {
      const [, runtime, date, text] = LINE.exec(line) ?? [];
      return runtime === undefined || text === undefined ? [] : [{ runtime, date: date ?? null, text }];
    });
    const [node, ...runtimes] = printed;
    if (about === '' || node === undefined || !node.runtime.startsWith('Node ') || runtimes.length === 0) throw new Error(`${name} does not begin with what it shows, what Node prints, and what another runtime prints`);
    return { name: name.slice(0, -3), file, about, node, runtimes };
  });
}

/** Those whose names match. @throws WrongArgument if there are none */
export function othersThat(pattern: RegExp): Other[] {
  const found = others().filter(({ name }) => pattern.test(name));
  if (found.length === 0) throw new WrongArgument(`--only '${pattern.source}' matches no program of test/differential/others`);
  return found;
}

/** Milliseconds. On Node each of these programs ends within a second on a quiet machine. */
const BOUNDS = { deadline: 30_000, bounds: { asleepMs: 5000, processes: 100, bytes: 64 << 20 } } as const;

/** What a runtime prints, in the words of the first lines. */
export async function printedBy(runtime: Runtime, { file }: Other): Promise<string> {
  return inWords(await play(file, { command: runtime.command(file), ...BOUNDS }));
}

export function inWords({ stdout, stopped, code, signal, plain }: Played): string {
  const lines = plain(stdout).trim().split('\n').map((line) => line.trim()).join(' / ');
  const end = stopped !== null ? ', and does not end' : signal !== null ? `, and is ended by ${signal}` : code === 0 ? '' : `, and exits with ${code}`;
  return `${lines === '' ? 'nothing' : lines}${end}`;
}
