/**
 * Records an unmodified program: starts it with the recorder in each of its processes, waits for its end, and merges the
 * parts.
 *
 * Owns     the directory of the parts, `FILE.parts`, which it deletes when they are merged; the child
 * Used by  operate/cli/record.ts, operate/cli/watch.ts, page/live/watch.ts
 * Uses     settings.ts, merge.ts
 * Never    ends the program before the program's own end; overwrites anything but a recording of the same name
 * Signals  SIGINT, SIGTERM and SIGHUP are passed on to the program, whose end then ends this, too. A SIGINT of a
 *          terminal reaches the program by itself
 */
import { spawn } from 'node:child_process';
import { chmodSync, closeSync, existsSync, mkdirSync, openSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import path from 'node:path';
import { builtFile } from '../dist_files';
import { nodeError } from '../errors';
import type { RecordingHeader } from './format';
import { ABOUT, mergeParts, type About } from './merge';
import { sampleKernelQueues } from './kernel_queue';
import { listParts } from './parts';
import { recordedEnvironment } from './settings';

/** What to record, and how. */
export interface RecordOptions {
  /** The program and its arguments. */
  readonly program: readonly string[];
  /** The file of the recording, and beside it, while the program runs, the directory of its parts. */
  readonly file: string;
  /** Records Node's own cluster; else `node:cluster` is ours in the program. */
  readonly stock?: boolean;
  /** Bytes of all parts together: beyond that the oldest events are dropped. */
  readonly limit?: number;
  /** Records the content of the app's own messages, too. */
  readonly payloads?: boolean;
  /** The environment of the program; by default that of this process. */
  readonly env?: NodeJS.ProcessEnv;
  /** Called when the program has ended, while its parts are still there: whoever follows them reads them to their end. */
  beforeMerge?(): void;
}

/** How the program ended, and the recording. */
export interface Recorded {
  /** The exit code of the program; 128 and the number of the signal that ended it. */
  readonly exitCode: number;
  readonly header: RecordingHeader;
}

/** Bytes. */
export const DEFAULT_LIMIT = 256 << 20;
/** Bytes: less would not hold the start of a few processes. */
export const LEAST_LIMIT = 256 << 10;

/** Milliseconds for which workers may outlive the program before the parts are merged. */
const PATIENCE_MS = 2000;
const LOOK_MS = 50;

/** The file of a recording whose user has named none. */
export const defaultFile = (program: string): string => `${path.basename(program).replace(/\.[cm]?[jt]s$/, '')}.recording.jsonl`;

/**
 * Records a program. Rejects with ERR_RECORDING_FILE if the file or the directory beside it cannot be written: then the
 * program was not started, or it has ended and its parts are left in that directory.
 */
export async function record({ program, file, stock = false, limit = DEFAULT_LIMIT, payloads = false, env = process.env, beforeMerge }: RecordOptions): Promise<Recorded> {
  const target = path.resolve(file);
  const directory = `${target}.parts`;
  const about: About = { stock, started: new Date().toISOString(), program: [...program], cwd: process.cwd(), payloads, limit };
  prepare(target, directory, about);
  const base = String(process.hrtime.bigint());
  const stopSampling = sampleKernelQueues(directory, () => Number(process.hrtime.bigint() - BigInt(base)));
  const exitCode = await run(program, recordedEnvironment(env, { directory, base, limit, payloads }), stock).finally(stopSampling);
  if (!existsSync(directory)) throw cannotWrite(target, new Error(`${directory}, which held its parts, was deleted while the program ran`), '');
  await workersEnd(directory);
  beforeMerge?.();
  let header: RecordingHeader;
  try {
    header = mergeParts(directory, target);
  } catch (error) {
    throw cannotWrite(target, error, ` The parts of the recording are in ${directory}: make room, and export that directory in place of the file.`);
  }
  rmSync(directory, { recursive: true, force: true });
  return { exitCode, header };
}

/** Makes sure, before the program starts, that the recording can be written. */
function prepare(target: string, directory: string, about: About): void {
  try {
    if (statSync(target, { throwIfNoEntry: false })?.isDirectory()) throw new Error('it is a directory');
    closeSync(openSync(target, 'a', 0o600));
    rmSync(directory, { recursive: true, force: true });
    mkdirSync(directory, { mode: 0o700 });
    chmodSync(directory, 0o700);
    writeFileSync(path.join(directory, ABOUT), JSON.stringify(about), { mode: 0o600 });
  } catch (error) {
    throw cannotWrite(target, error, ' Name another file with -o.');
  }
}

const cannotWrite = (file: string, cause: unknown, advice: string): Error =>
  nodeError(Error, 'ERR_RECORDING_FILE', `Cannot write the recording ${file}: ${(cause as Error).message}.${advice}`);

/** Runs the program to its end. */
function run(program: readonly string[], env: NodeJS.ProcessEnv, stock: boolean): Promise<number> {
  const register = stock ? [] : ['--require', builtFile('lib/register.js')];
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [...process.execArgv, ...register, ...program], { env, stdio: 'inherit' });
    const passOn = (signal: NodeJS.Signals): void => void child.kill(signal);
    // A terminal sends SIGINT to the whole group, and a second one could end the program before it has finished.
    const ignore = (): void => undefined;
    const signals: [NodeJS.Signals, (signal: NodeJS.Signals) => void][] = [['SIGINT', process.stdin.isTTY ? ignore : passOn], ['SIGTERM', passOn], ['SIGHUP', passOn]];
    for (const [signal, listener] of signals) process.on(signal, listener);
    const done = (): void => {
      for (const [signal, listener] of signals) process.off(signal, listener);
    };
    child.once('error', (error) => {
      done();
      reject(error);
    });
    child.once('exit', (code, signal) => {
      done();
      resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal]));
    });
  });
}

/** Waits until no process writes to its part any more, but not for ever: a worker may go on without its primary. */
async function workersEnd(directory: string): Promise<void> {
  const end = performance.now() + PATIENCE_MS;
  while (performance.now() < end && listParts(directory).some(({ pid }) => isAlive(pid))) await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
