/**
 * What each tool of the project (bench, conformance, random, soak, storm and their like) has in common:
 * checked arguments, and an end that leaves nothing behind.
 *
 * SIGINT and SIGTERM end it at any moment: it says that it was interrupted, reports no result, ends
 * every process that it started, removes its temporary files, and exits with 128 + the signal's number.
 * The same is cleared away at any other end. A tool gives its event loop a turn now and then, so that
 * a signal reaches it.
 *
 * Owns     a directory, which is TMPDIR for it and for all that it starts; by that variable it finds
 *          those of its processes whose parents have ended
 * Never    ends a process that it did not start
 */
import { chmodSync, mkdtempSync, readFileSync, readdirSync, realpathSync, rmSync, writeSync } from 'node:fs';
import { execFileSync } from 'node:child_process';
import { constants, tmpdir } from 'node:os';
import path from 'node:path';
import '../../internal/dist_files'; // Says it where dist, which the tools look at, is older than the sources.
import { WrongArgument, help, readArguments, type Arguments, type Description, type Options } from './arguments';

export { WrongArgument, positive } from './arguments';

/** Milliseconds in which killed processes are gone. */
const PATIENCE = 5000;

/** Runs a tool with the arguments of this process. A WrongArgument that `main` throws is told like any other. */
export function runTool<const Of extends Options>(tool: Description<Of>, main: (given: Arguments<Of>) => Promise<void> | void): void {
  const directory = mkdtempSync(path.join(realpathSync(tmpdir()), `${tool.name}-`));
  chmodSync(directory, 0o711); // A scenario's worker may run as another user, who must come this way.
  process.env['TMPDIR'] = directory;
  process.once('exit', () => {
    endProcessesOf(directory);
    for (const one of [directory, ...owned]) rmSync(one, { recursive: true, force: true });
  });
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      writeSync(2, `\n${tool.name}: interrupted by ${signal}, no result\n`);
      process.exit(128 + constants.signals[signal]);
    });
  }
  const failed = async (error: unknown): Promise<void> => {
    if (error instanceof WrongArgument) {
      writeSync(2, `${tool.name}: ${error.message} (--help says more)\n`);
      process.exit(2);
    }
    // A signal to the whole process group ends our children too. It is the signal that is told, not what comes of it.
    for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve));
    writeSync(2, `${tool.name} failed: ${error instanceof Error ? error.stack ?? error.message : String(error)}\n`);
    process.exit(1);
  };
  try {
    const given = readArguments(tool, process.argv.slice(2));
    if (given === 'help') return void process.stdout.write(help(tool));
    // In a later tick, when the whole of the tool's file has run.
    Promise.resolve(given).then(main).catch(failed);
  } catch (error) {
    void failed(error);
  }
}

const owned = new Set<string>();

/** A directory that goes when the tool ends, however it ends. The release keeps it. */
export function owning(directory: string): () => void {
  owned.add(directory);
  return () => void owned.delete(directory);
}

/** The version of a Node, "20.20.2". @throws WrongArgument if the file is none that runs */
export function versionOfNode(node: string): string {
  let said: string;
  try {
    said = execFileSync(node, ['-p', 'process.versions.node'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], timeout: 10_000 }).trim();
  } catch (error) {
    const { code, status } = error as NodeJS.ErrnoException & { status?: number | null };
    throw new WrongArgument(`${node} is no Node that runs: ${code ?? `it ended with ${String(status)}`}`);
  }
  if (!/^\d+\.\d+\.\d+/.test(said)) throw new WrongArgument(`${node} is no Node: asked for its version it said '${said.split('\n')[0]}'`);
  return said;
}

/** Kills, by pid, our descendants and whoever has inherited our TMPDIR, until none is there. */
function endProcessesOf(directory: string): void {
  const deadline = performance.now() + PATIENCE;
  for (let left = processesOf(directory); left.length > 0 && performance.now() < deadline; left = processesOf(directory)) {
    for (const pid of left) kill(pid);
  }
}

function processesOf(directory: string): number[] {
  const parents = new Map<number, number>();
  const marked = new Set<number>();
  for (const name of readdirSync('/proc')) {
    const pid = Number(name);
    if (!Number.isInteger(pid)) continue;
    try {
      const [state, parent] = readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\) /s, '').split(' ');
      if (state === 'Z' || state === 'X') continue;
      parents.set(pid, Number(parent));
      if (readFileSync(`/proc/${pid}/environ`, 'latin1').split('\0').includes(`TMPDIR=${directory}`)) marked.add(pid);
    } catch {
      continue; // It has ended, or is somebody else's.
    }
  }
  const isOurs = (pid: number | undefined): boolean => pid !== undefined && pid !== 0 && (pid === process.pid || marked.has(pid) || isOurs(parents.get(pid)));
  return [...parents.keys()].filter((pid) => pid !== process.pid && isOurs(pid));
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    return; // It ended meanwhile.
  }
}
