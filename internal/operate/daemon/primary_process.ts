/**
 * Starts the primary of an app as a process of its own: in its own session, with its output in a file, so that it does
 * not notice when the daemon ends.
 *
 * Owns     the read end of the pipe on which the primary says 'ready', until it does or ends
 * Used by  app.ts, live_primary.ts (types), daemon.ts
 * Uses     app/app_primary.ts, as a program
 * Never    passes an fd of the daemon to the primary but the file and that pipe
 */
import { spawn, type ChildProcess } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import type { EpochClock } from '../../clock';
import { builtFile } from '../../dist_files';
import type { AppRecord } from '../app/app_record';
import { readLastLines } from '../app/log_tail';
import { errorLine } from '../../supervisor/error_line';
import { primaryLogFile } from '../control/state_directory';
import { makeDirectory } from '../make_directory';

const program = builtFile('internal/operate/app/app_primary.js');

/** A primary log that is longer than this, in bytes, is renamed to NAME.log.1 before the next start. */
const LONGEST_LOG = 2 ** 18;
/** In how many of the last lines that a primary printed its error is looked for. */
const ERROR_LINES = 100;

/** How a process ended. */
export interface ProcessEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** Why it could not be started; '' if it was. */
  readonly error: string;
}

/** A primary that this daemon has started. */
export interface StartedPrimary {
  readonly child: ChildProcess;
  /** Resolves to true when it has its socket; to false if it ends before. */
  readonly ready: Promise<boolean>;
  readonly ended: Promise<ProcessEnd>;
  /** The error that it has printed since it was started, in one line; '' if it has printed nothing. */
  printed(): string;
}

/** Starts the primary for a record. `why`: a person waits for the start, or it is a restart. Throws what the system says (ENOSPC, EACCES, …). */
export function startPrimary(state: string, socket: string, { id, run, spec }: AppRecord, env: Readonly<Record<string, string>>, why: 'command' | 'restart'): StartedPrimary {
  const file = primaryLogFile(state, spec.name);
  const { fd, from } = openLog(file);
  let child: ChildProcess;
  try {
    child = spawn(process.execPath, [program, spec.name, state, socket, id, String(run), why],
      { cwd: '/', env: { ...env }, detached: true, stdio: ['ignore', fd, fd, 'pipe'] });
  } finally {
    fs.closeSync(fd);
  }
  const said = child.stdio[3];
  const ended = new Promise<ProcessEnd>((resolve) => {
    child.once('exit', (code, signal) => resolve({ code, signal, error: '' }));
    child.once('error', (error) => resolve({ code: null, signal: null, error: error.message }));
  });
  const ready = new Promise<boolean>((resolve) => {
    if (said == null) return resolve(false);
    said.on('error', () => resolve(false));
    said.once('data', () => resolve(true));
    said.once('close', () => resolve(false));
  });
  child.unref();
  return { child, ready, ended, printed: () => errorLine(readLastLines(file, ERROR_LINES, Infinity, from).join('\n')) };
}

/** Resolves to true after so many milliseconds; to false as soon as the process has ended. */
export function livesFor({ ended }: StartedPrimary, ms: number, clock: EpochClock): Promise<boolean> {
  return new Promise((resolve) => {
    const cancel = clock.after(ms, () => resolve(true));
    void ended.then(() => {
      cancel();
      resolve(false);
    });
  });
}

function openLog(file: string): { fd: number; from: number } {
  makeDirectory(path.dirname(file));
  if ((fs.statSync(file, { throwIfNoEntry: false })?.size ?? 0) > LONGEST_LOG) fs.renameSync(file, `${file}.1`);
  const fd = fs.openSync(file, 'a', 0o600);
  return { fd, from: fs.fstatSync(fd).size };
}
