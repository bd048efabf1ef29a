/**
 * The runtimes that `npm run conformance -- --runtime …` judges: what a name means, and how it runs a scenario.
 *
 *   node@26, bun, deno, bun@1.2.0   from the npm registry, by packages of these names, into .nodes/, which git ignores
 *   ours@26                         this project on Node 26: --require dist/lib/register.js
 *   /path/to/binary                 a program that takes the file of a script as its last argument
 *
 * Uses     ../nodes.ts (installs with npm)
 */
import { execFileSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import path from 'node:path';
import { WrongArgument } from '../../support/tool';
import { registerFor } from '../../support/scenarios';
import { installed, nodeOf } from '../nodes';

/** What runs a scenario. */
export interface Runtime {
  /** As it was asked for: "bun", "node@26", "ours@26". */
  readonly name: string;
  /** "Bun 1.4.5", for the head of its column. */
  readonly title: string;
  /** The program and its arguments, before the scenario's file. */
  readonly command: (file: string) => readonly [string, ...string[]];
}

const NAME = /^(node|ours|bun|deno)(?:@(\d[\w.-]*))?$/;

/** How each runtime that is no Node starts a script, and loads a file before it. */
const STARTS: Readonly<Record<'bun' | 'deno', { readonly run: readonly string[]; readonly preload: string }>> = {
  bun: { run: [], preload: '--preload' },
  deno: { run: ['run', '-A', '--quiet'], preload: '--preload' },
};

/** Finds a runtime, and installs it if it is not there. `preload` is a file that it loads before each scenario. */
export async function runtimeOf(name: string, preload: string | null): Promise<Runtime> {
  const [, kind, version] = NAME.exec(name) ?? [];
  if (kind === 'node' || kind === 'ours') {
    const { node, exact } = await nodeOf(version ?? String(process.versions.node.split('.')[0]));
    const required = (file: string): string[] => [...(kind === 'ours' ? ['--require', registerFor(file)] : []), ...(preload === null ? [] : ['--require', preload])];
    return { name, title: `${kind === 'ours' ? 'ours on ' : ''}Node ${exact}`, command: (file) => [node, ...required(file)] };
  }
  if (kind === 'bun' || kind === 'deno') {
    const binary = await installed(kind, version);
    const { run, preload: flag } = STARTS[kind];
    const title = `${kind === 'bun' ? 'Bun' : 'Deno'} ${versionOf(binary)}`;
    return { name, title, command: () => [binary, ...run, ...(preload === null ? [] : [flag, preload])] };
  }
  if (!name.includes('/')) throw new WrongArgument(`--runtime takes node@26, ours@26, bun, deno or a path, not '${name}'`);
  const binary = path.resolve(name);
  try {
    accessSync(binary, constants.X_OK);
  } catch (error) {
    throw new WrongArgument(`${binary} cannot be run: ${(error as NodeJS.ErrnoException).code ?? String(error)}`);
  }
  return { name, title: `${path.basename(binary)} ${versionOf(binary)}`.trim(), command: () => [binary, ...(preload === null ? [] : ['--require', preload])] };
}

/** The first number that `--version` prints; empty if it prints none. */
function versionOf(binary: string): string {
  try {
    const said = execFileSync(binary, ['--version'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'], timeout: 10_000, killSignal: 'SIGKILL' });
    return /\d+\.\d+[\w.-]*/.exec(said)?.[0] ?? '';
  } catch {
    return ''; // A program that does not know --version still has a name.
  }
}
