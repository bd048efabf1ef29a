/**
 * Starts the daemon of this user if it does not run.
 *
 * Used by  cli/
 * Uses     main.ts, as a program
 * Keeps    two callers at once: one daemon wins, and both callers are served
 */
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import { builtFile } from '../../dist_files';
import { nodeError } from '../../errors';
import { ControlClient } from '../control/client';
import { daemonPath } from '../control/directory';
import { codeOf } from '../control/errors';
import { daemonLogFile, stateDirectory } from '../control/state_directory';

const program = builtFile('internal/operate/daemon/main.js');

/** How long a daemon may take until it answers, in milliseconds: a process on a loaded machine needs a second. */
const START_MS = 15_000;
/** Another daemon has the lock, and binds its socket a moment later. The pause between two looks, in milliseconds. */
const LOOK_MS = 20;
/** Flags that keep the daemon small: it holds little, and is idle. */
const SMALL = ['--max-semi-space-size=1', '--max-old-space-size=128', '--single-threaded-gc', '--v8-pool-size=0'];
/** The variables that the daemon needs. An app gets its own environment with its spec, and nothing of the daemon's. */
const KEPT = /^(PATH|HOME|USER|LOGNAME|LANG|LC_.*|TZ|TMPDIR|XDG_RUNTIME_DIR|XDG_STATE_HOME)$/;

/** The control socket of the daemon of this user. Throws what `controlDirectory` throws. */
export const daemonSocket = (): string => daemonPath();

/**
 * Makes sure that the daemon of this user runs.
 *
 * @returns  a promise that resolves when it answers at `daemonSocket()`
 * @throws   the promise rejects with ERR_DAEMON_NOT_STARTED and the reason, or with what the system says
 */
export async function spawnDaemon(): Promise<void> {
  if (await answers()) return;
  const state = stateDirectory();
  const fd = fs.openSync(daemonLogFile(state), 'a', 0o600);
  let said = '';
  try {
    const child = spawn(process.execPath, [...SMALL, program, '--started'], {
      cwd: '/', env: Object.fromEntries(Object.entries(process.env).filter(([name]) => KEPT.test(name))), detached: true, stdio: ['ignore', fd, fd, 'pipe'],
    });
    const pipe = child.stdio[3];
    said = await new Promise<string>((resolve) => {
      const timer = setTimeout(() => resolve(`it did not answer within ${START_MS / 1_000} s`), START_MS);
      const done = (text: string): void => {
        clearTimeout(timer);
        resolve(text);
      };
      let text = '';
      child.once('error', (error) => done(error.message));
      pipe?.on('data', (bytes: Buffer) => { text += bytes.toString(); });
      pipe?.on('error', () => done(text));
      pipe?.once('close', () => done(text));
    });
    child.unref();
    pipe?.destroy();
  } finally {
    fs.closeSync(fd);
  }
  // Another daemon was quicker, or has lost its socket and is about to make it anew.
  const taken = /^taken: (.*)\n$/.exec(said)?.[1];
  if (said !== 'ready\n' && taken === undefined) throw failed(said.trim() || `it ended at once; ${daemonLogFile(state)} says why`);
  for (const end = Date.now() + START_MS; !await answers();) {
    if (Date.now() > end) throw failed(taken === undefined ? 'it does not answer' : `${taken}, and does not answer at ${daemonPath()}`);
    await new Promise((resolve) => { setTimeout(resolve, LOOK_MS); });
  }
}

const failed = (why: string): Error => nodeError(Error, 'ERR_DAEMON_NOT_STARTED', `The daemon could not be started: ${why}`);

/** How a connection fails if no daemon runs, or if the daemon ends at this moment. */
const NOBODY: ReadonlySet<string> = new Set(['ENOENT', 'ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ERR_CONTROL_CLOSED']);

/** Does a daemon answer? Throws if something else is at its socket, or if it speaks another version. */
async function answers(): Promise<boolean> {
  try {
    const client = await ControlClient.connect(daemonPath());
    client.close();
    return true;
  } catch (error) {
    if (NOBODY.has(codeOf(error) ?? '')) return false;
    throw error;
  }
}
