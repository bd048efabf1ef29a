/**
 * The runtimes that `npm run conformance -- --runtime …` judges: what a name means, and how it runs a scenario.
 *
 *   node@26, bun, deno, bun@1.2.0   from the npm registry, by packages of these names, into .nodes/, which git ignores
 *   ours@26                         this project on Node 26: --require dist/lib/register.js
 *   /path/to/binary                 a program that takes the file of a script as its last argument, and knows --require
 *                                   if a file is to be loaded first
 *
 * Uses     ../nodes.ts (installs with npm)
 */
import { execFileSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import path from 'node:path';
import { play } from '../../support/scenario_run';
import { registerFor } from '../../support/scenarios';
import { WrongArgument } from '../../support/tool';
import { installed, nodeOf } from '../nodes';
import { digestOfBuild } from './plays';

/** What runs a scenario. */
export interface Runtime {
  /** As it was asked for: "bun", "node@26", "ours@26". */
  readonly name: string;
  /** "Bun 1.4.5", for the head of its column. */
  readonly title: string;
  /** The title, and what else decides how it behaves: the build of ours, the file that is loaded first. */
  readonly identity: string;
  /** The stock Node that is the fairest measure of it, "node@22"; null: it is no Node. */
  readonly measure: string | null;
  readonly isOurs: boolean;
  /** The major version of the Node, also of the one that ours runs on; 0 if it is none. */
  readonly major: number;
  /** The program and its arguments, before the scenario's file. */
  readonly command: (file: string) => readonly [string, ...string[]];
}

const NAME = /^(node|ours|bun|deno)(?:@(\d[\w.-]*))?$/;

/** How each runtime that is no Node starts a script, and loads a file before it. */
const STARTS: Readonly<Record<'bun' | 'deno', { readonly run: readonly string[]; readonly preload: string }>> = {
  bun: { run: [], preload: '--preload' },
  deno: { run: ['run', '-A', '--quiet'], preload: '--preload' },
};

/**
 * Finds a runtime, and installs it if it is not there. `preload` is a file that it loads before each scenario.
 *
 * @returns the runtime, or why there is none
 * @throws WrongArgument if the name is none that it knows
 */
export async function runtimeOf(name: string, preload: string | null): Promise<Runtime | string> {
  const [, kind, version] = NAME.exec(name) ?? [];
  if (kind === undefined && !name.includes('/')) throw new WrongArgument(`--runtime takes node@26, ours@26, bun, deno or a path, not '${name}'`);
  try {
    if (kind === 'node' || kind === 'ours') return await onNode(kind, version ?? String(process.versions.node.split('.')[0]), preload);
    if (kind === 'bun' || kind === 'deno') {
      const binary = await installed(kind, version);
      const { run, preload: flag } = STARTS[kind];
      return foreignRuntime(name, `${kind === 'bun' ? 'Bun' : 'Deno'} ${versionOf(binary)}`, preload, [binary, ...run, ...(preload === null ? [] : [flag, preload])]);
    }
    const binary = path.resolve(name);
    accessSync(binary, constants.X_OK);
    return foreignRuntime(name, `${path.basename(binary)} ${versionOf(binary)}`.trim(), preload, [binary, ...(preload === null ? [] : ['--require', preload])]);
  } catch (error) {
    return error instanceof WrongArgument ? error.message : `cannot be run: ${(error as NodeJS.ErrnoException).code ?? String(error)}`;
  }
}

async function onNode(kind: 'node' | 'ours', version: string, preload: string | null): Promise<Runtime> {
  const { node, exact } = await nodeOf(version);
  const isOurs = kind === 'ours';
  const title = `${isOurs ? 'ours on ' : ''}Node ${exact}`;
  const preloaded = preload === null ? [] : ['--require', preload];
  return {
    name: `${kind}@${version}`, title, identity: [title, ...(isOurs ? [digestOfBuild()] : []), ...preloaded].join(' '),
    measure: `node@${version}`, isOurs, major: Number(exact.split('.')[0]),
    command: (file) => [node, ...(isOurs ? ['--require', registerFor(file)] : []), ...preloaded],
  };
}

const foreignRuntime = (name: string, title: string, preload: string | null, command: readonly [string, ...string[]]): Runtime =>
  ({ name, title, identity: preload === null ? title : `${title} ${preload}`, measure: null, isOurs: false, major: 0, command: () => command });

/** Milliseconds. A runtime that needs longer for a program of one line cannot be measured. */
const PROBE_DEADLINE = 20_000;

/** What the program of one line has shown: why the runtime cannot run the scenarios, or the path that it calls its own (`process.execPath`). */
type Probed = { readonly reason: string } | { readonly program: string };

/** Runs a program of one line. */
export async function probed(runtime: Runtime): Promise<Probed> {
  const file = path.join(__dirname, 'probe.js');
  try {
    const { code, signal, stdout, stderr, isLate } = await play(file, { command: runtime.command(file), deadline: PROBE_DEADLINE });
    if (isLate) return { reason: 'it does not run test/differential/runtimes/probe.js: it does not end' };
    const [first, program = ''] = stdout.trim().split('\n');
    if (first === 'runs CommonJS') return { program };
    const said = (stderr.trim() === '' ? stdout : stderr).trim().split('\n').slice(0, 2).join(' ').slice(0, 200);
    return { reason: `it does not run test/differential/runtimes/probe.js: ${signal ?? `exit code ${code}`}, ${said === '' ? 'nothing printed' : said}` };
  } catch (error) {
    return { reason: `cannot be started: ${(error as NodeJS.ErrnoException).code ?? String(error)}` };
  }
}

/** Why a runtime cannot run the scenarios. Null if it can. */
export async function whyUnusable(runtime: Runtime): Promise<string | null> {
  const found = await probed(runtime);
  return 'reason' in found ? found.reason : null;
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
