/**
 * What all tools of the project (bench, conformance, random, soak, storm and their like) share: checked
 * arguments, and an end that leaves no process and no file behind.
 *
 * SIGINT and SIGTERM end a tool at any moment. It prints that it was interrupted and reports no result.
 * Then, as at every other end, it kills the processes that it started and removes its temporary files.
 * Its exit code is 128 + the number of the signal. When nobody reads its stdout any more (`| head`) it ends likewise, as
 * by SIGPIPE, and prints nothing. A tool whose work is one long computation has to give
 * its event loop a turn now and then, so that a signal reaches it.
 *
 * Owns     a directory, which is TMPDIR for the tool and for all that it starts. By that variable the tool
 *          finds those of its processes whose parents have already ended
 * Never    ends a process that the tool did not start
 */
import { accessSync, chmodSync, constants as fsConstants, mkdirSync, mkdtempSync, realpathSync, rmSync, writeSync } from 'node:fs';
import { execFileSync } from 'node:child_process';
import { constants, tmpdir } from 'node:os';
import path from 'node:path';
import '../../internal/dist_files'; // Prints a warning if dist/, which the tools run, is older than the sources.
import { endAll, runningProcesses } from './marked';
import { WrongArgument, help, readArguments, type Arguments, type Description, type Options } from './arguments';

export { WrongArgument, positive } from './arguments';

/** Runs a tool with the arguments of this process. A WrongArgument that `main` throws ends it like one that is found here. */
export function runTool<const Of extends Options>(tool: Description<Of>, main: (given: Arguments<Of>) => Promise<void> | void): void {
  const directory = mkdtempSync(path.join(realpathSync(tmpdir()), `${tool.name}-`));
  chmodSync(directory, 0o711); // A scenario's worker may run as another user, who has to reach the files inside.
  process.env['TMPDIR'] = directory;
  process.once('exit', () => {
    endAll(() => processesOf(directory));
    for (const one of [directory, ...owned]) rmSync(one, { recursive: true, force: true });
  });
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      writeSync(2, `\n${tool.name}: interrupted by ${signal}, no result\n`);
      process.exit(128 + constants.signals[signal]);
    });
  }
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EPIPE') process.exit(128 + constants.signals.SIGPIPE);
      throw error;
    });
  }
  const failed = async (error: unknown): Promise<void> => {
    if (error instanceof WrongArgument) {
      writeSync(2, `${tool.name}: ${error.message} (--help says more)\n`);
      process.exit(2);
    }
    // Ctrl-C ends our children too, and `main` may see that first. Wait a moment, so that the signal is what is reported.
    for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve));
    writeSync(2, `${tool.name} failed: ${error instanceof Error ? error.stack ?? error.message : String(error)}\n`);
    process.exit(1);
  };
  try {
    const given = readArguments(tool, process.argv.slice(2));
    if (given === 'help') return void process.stdout.write(help(tool));
    // Not at once: first the rest of the tool's file has to run, which defines what `main` uses.
    Promise.resolve(given).then(main).catch(failed);
  } catch (error) {
    void failed(error);
  }
}

const owned = new Set<string>();

/** Removes `directory` when the tool ends, however it ends. Call what is returned to keep the directory. */
export function owning(directory: string): () => void {
  owned.add(directory);
  return () => void owned.delete(directory);
}

/** The full path of a directory that a tool writes to; it is made if it is not there. Call it before the work. @throws WrongArgument */
export function writableDirectory(name: string): string {
  const directory = path.resolve(name);
  try {
    mkdirSync(directory, { recursive: true });
    accessSync(directory, fsConstants.W_OK);
  } catch (error) {
    throw new WrongArgument(`${directory} is no directory that can be written to: ${(error as NodeJS.ErrnoException).code}`);
  }
  return directory;
}

/** The version of a Node, "20.20.2". @throws WrongArgument if the file is not a Node that runs */
export function versionOfNode(node: string): string {
  let said: string;
  try {
    said = execFileSync(node, ['-p', 'process.versions.node'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], timeout: 10_000, killSignal: 'SIGKILL' }).trim();
  } catch (error) {
    const { code, status } = error as NodeJS.ErrnoException & { status?: number | null };
    throw new WrongArgument(`${node} cannot be run as Node: ${code ?? `it ended with ${String(status)}`}`);
  }
  if (!/^\d+\.\d+\.\d+/.test(said)) throw new WrongArgument(`${node} is not Node: asked for its version it printed '${said.split('\n')[0]}'`);
  return said;
}

/** Our descendants, and every process that has inherited our TMPDIR. */
function processesOf(directory: string): number[] {
  const running = new Map(runningProcesses('TMPDIR', directory).map((one) => [one.pid, one]));
  const isOurs = (pid: number): boolean => {
    if (pid === process.pid) return true;
    const one = running.get(pid);
    return one !== undefined && (one.isMarked || isOurs(one.parent));
  };
  return [...running.keys()].filter((pid) => pid !== process.pid && isOurs(pid));
}
