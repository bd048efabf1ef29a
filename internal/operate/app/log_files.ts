/**
 * A log file: appends lines, renames the file when it has become too long, and can open it anew after somebody else has
 * renamed it. It never fails: when the file cannot be written, lines are lost and counted.
 *
 *   NAME.log ── would be longer than maxBytes ──► NAME.log.1 ──► NAME.log.2 … ──► NAME.log.KEEP ──► removed
 *
 * Owns     one fd, from the first line to `end()`
 * Used by  app_logs.ts, for a `StderrOutput`, which gives it whole lines and pauses the workers while it is full
 * Uses     log_tail.ts (what `follow` and `lastLines` give)
 * Never    emits 'error'. Never blocks the process while the disk is slow: only opening and renaming are synchronous
 * States   open ── an error of the disk ──► lost ── RETRY_MS later, at the next line ──► open, or lost again
 * Keeps    1. lines are not torn: a file ends in a whole line, also where lines were lost
 *          2. a file is longer than `maxBytes` only if its one line is
 *          3. one warning for the first lost line, and no other one for WARN_MS; the file itself says how many were lost,
 *             as soon as it can be written again
 *          4. a file that was removed or renamed under the open fd is found within CHECK_MS, and opened anew
 */
import fs from 'node:fs';
import path from 'node:path';
import { Writable } from 'node:stream';
import type { MachineClock } from '../../clock';
import { makeDirectory } from '../make_directory';
import { linesIn, readLastLines } from './log_tail';

/** How much may wait to be written, in bytes, before the workers' pipes are paused. Large enough for one write per turn under load. */
const WAITING_BYTES = 2 ** 20;
/** After an error the file is tried again after so many milliseconds at the earliest: a full disk stays full for a while. */
const RETRY_MS = 1_000;
/** The shortest time between two warnings about one file, in milliseconds. */
const WARN_MS = 600_000;
/** How often, in milliseconds, a file that is written is compared with what its path names. One call of `stat` in a second costs nothing. */
const CHECK_MS = 1_000;
/** Rights of a new file: a program that ships logs may be in the user's group, and nobody else may read what an app prints. */
const FILE_MODE = 0o640;
/** Without O_NONBLOCK, to open a FIFO that nobody reads would stop this process. */
const OPEN_FLAGS = fs.constants.O_WRONLY | fs.constants.O_APPEND | fs.constants.O_CREAT | fs.constants.O_NONBLOCK;
const NEWLINE = 10;

/** The numbers of one file; see LogSpec. */
export interface LogFileOptions {
  readonly file: string;
  readonly maxBytes: number;
  readonly keep: number;
}

/** What a file needs from its process. */
export interface LogFilePorts {
  readonly clock: Pick<MachineClock, 'now'>;
  /** Lines are being lost. `text` says of which file, and why. */
  warn(text: string): void;
}

type FileState =
  | { readonly is: 'closed' }
  /** `rotates`: it is a regular file, and not /dev/null or a FIFO. */
  | { readonly is: 'open'; readonly fd: number; readonly rotates: boolean; size: number; checkedAt: number }
  /** `lines`: how many were lost since the last one that was written. `reason`: the error. */
  | { readonly is: 'lost'; lines: number; retryAt: number; reason: string };

/** The writable end of one log file. Write whole lines only. */
export class LogFile extends Writable {
  readonly #options: LogFileOptions;
  readonly #ports: LogFilePorts;
  readonly #followers = new Set<(line: string) => void>();
  #state: FileState = { is: 'closed' };
  #warnedAt = -Infinity;
  #mustReopen = false;

  constructor(options: LogFileOptions, ports: LogFilePorts) {
    super({ highWaterMark: WAITING_BYTES });
    this.#options = options;
    this.#ports = ports;
  }

  /** Opens the path anew before the next line, because another program has renamed the file. */
  reopen(): void {
    this.#mustReopen = true;
  }

  /** Calls `listener`, which must not throw, for each line that is written, or lost, from now on. Returns a function that ends this. */
  follow(listener: (line: string) => void): () => void {
    this.#followers.add(listener);
    return () => void this.#followers.delete(listener);
  }

  /** The last lines that have been written: up to `count`. No line of `follow` is among them if both are called in one turn. */
  lastLines(count: number): string[] {
    return readLastLines(this.#options.file, count, this.#state.is === 'open' ? this.#state.size : Infinity);
  }

  override _write(bytes: Buffer, _encoding: BufferEncoding, done: () => void): void {
    void this.#append(bytes).then(done);
  }

  override _writev(chunks: { chunk: Buffer }[], done: () => void): void {
    void this.#append(Buffer.concat(chunks.map(({ chunk }) => chunk))).then(done);
  }

  override _final(done: () => void): void {
    this.#close();
    done();
  }

  /** Never rejects. */
  async #append(bytes: Buffer): Promise<void> {
    let rest = bytes;
    try {
      while (rest.length > 0) {
        const end = this.#prepare(rest);
        if (end === null) break;
        rest = await this.#write(rest, end);
      }
    } catch (error) {
      this.#fail(error);
    }
    if (this.#state.is === 'lost') this.#state.lines += countLines(rest);
    if (this.#followers.size === 0) return;
    for (const line of linesIn(bytes)) for (const follower of [...this.#followers]) follower(line);
  }

  /** Opens, checks or rotates the file. Returns how many of these bytes fit into it; null: the file cannot be written now. */
  #prepare(bytes: Buffer): number | null {
    const now = this.#ports.clock.now();
    if (this.#state.is === 'lost' && now < this.#state.retryAt && !this.#mustReopen) return null;
    if (this.#mustReopen || this.#state.is !== 'open' || this.#isReplaced(now)) this.#open(now);
    const { maxBytes } = this.#options;
    for (;;) {
      if (this.#state.is !== 'open') return null;
      const room = maxBytes === 0 || !this.#state.rotates ? Infinity : maxBytes - this.#state.size;
      if (bytes.length <= room) return bytes.length;
      const end = room > 0 ? bytes.lastIndexOf(NEWLINE, room - 1) + 1 : 0;
      if (end > 0) return end;
      // An empty file takes even a line that is longer than `maxBytes`.
      if (this.#state.size === 0) return bytes.indexOf(NEWLINE) + 1 || bytes.length;
      this.#rotate(now);
    }
  }

  /** Writes these bytes up to `end`; returns what is left, also of a write that was cut short. */
  async #write(bytes: Buffer, end: number): Promise<Buffer> {
    const state = this.#state;
    if (state.is !== 'open') return bytes;
    const written = await writeBytes(state.fd, bytes.subarray(0, end));
    state.size += written;
    return bytes.subarray(written);
  }

  /** Is another file at the path, or none? Looks once in `everyMs`. */
  #isReplaced(now: number, everyMs = CHECK_MS): boolean {
    const state = this.#state;
    if (state.is !== 'open' || now < state.checkedAt + everyMs) return false;
    state.checkedAt = now;
    const { ino, dev, size } = fs.fstatSync(state.fd);
    state.size = size; // Somebody may have truncated it.
    const named = fs.statSync(this.#options.file, { throwIfNoEntry: false });
    return named === undefined || named.ino !== ino || named.dev !== dev;
  }

  /** Throws what the system says. If lines were lost before, the file says so in a line. */
  #open(now: number): void {
    const lost = this.#state.is === 'lost' ? this.#state : null;
    if (lost === null) this.#close();
    const { file } = this.#options;
    makeDirectory(path.dirname(file));
    const fd = fs.openSync(file, OPEN_FLAGS, FILE_MODE);
    try {
      const rotates = fs.fstatSync(fd).isFile();
      // A former primary may have been killed in the middle of a line, and a full disk may have cut one off.
      const notice = `${rotates && isTorn(file) ? '\n' : ''}${lost === null || lost.lines === 0 ? '' : `cluster-internals: ${lost.lines} lines were lost here: ${lost.reason}\n`}`;
      const bytes = Buffer.from(notice);
      for (let at = 0; at < bytes.length;) at += fs.writeSync(fd, bytes, at);
      this.#state = { is: 'open', fd, rotates, size: fs.fstatSync(fd).size, checkedAt: now };
      this.#mustReopen = false;
    } catch (error) {
      fs.closeSync(fd);
      throw error;
    }
  }

  /** Renames the file and those before it, and opens a new one. */
  #rotate(now: number): void {
    const { file, keep } = this.#options;
    if (this.#isReplaced(now, 0)) return this.#open(now);
    this.#close();
    if (keep === 0) fs.rmSync(file, { force: true });
    for (let number = keep - 1; number >= 0; number--) {
      const from = number === 0 ? file : `${file}.${number}`;
      if (number === 0 || fs.existsSync(from)) fs.renameSync(from, `${file}.${number + 1}`);
    }
    this.#open(now);
  }

  #fail(error: unknown): void {
    const reason = error instanceof Error ? error.message : String(error);
    const now = this.#ports.clock.now();
    const lines = this.#state.is === 'lost' ? this.#state.lines : 0;
    this.#close();
    this.#state = { is: 'lost', lines, retryAt: now + RETRY_MS, reason };
    this.#mustReopen = false;
    if (now < this.#warnedAt + WARN_MS) return;
    this.#warnedAt = now;
    this.#ports.warn(`cannot write the log file ${this.#options.file}: ${reason}. Lines are lost until it can be written again`);
  }

  #close(): void {
    if (this.#state.is === 'open') fs.close(this.#state.fd, () => undefined); // Its lines are written; an error here concerns nobody.
    this.#state = { is: 'closed' };
  }
}

function writeBytes(fd: number, bytes: Buffer): Promise<number> {
  return new Promise((resolve, reject) => {
    fs.write(fd, bytes, 0, bytes.length, null, (error, written) => (error === null ? resolve(written) : reject(error)));
  });
}

/** Does the file end in the middle of a line? No, if it may not be read. */
function isTorn(file: string): boolean {
  let fd: number;
  try {
    fd = fs.openSync(file, 'r');
  } catch {
    return false; // A log file that may be written and not read is unusual, and no reason to lose lines.
  }
  try {
    const { size } = fs.fstatSync(fd);
    const last = Buffer.alloc(1);
    return size > 0 && fs.readSync(fd, last, 0, 1, size - 1) === 1 && last[0] !== NEWLINE;
  } finally {
    fs.closeSync(fd);
  }
}

function countLines(bytes: Buffer): number {
  let count = 0;
  for (let at = bytes.indexOf(NEWLINE); at !== -1; at = bytes.indexOf(NEWLINE, at + 1)) count++;
  return count;
}
