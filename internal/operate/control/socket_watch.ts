/**
 * Watches the file of a control socket, and has it made anew when it is lost: deleted alone, or with the directories above
 * it. The system does that to /run/user/UID at the last logout, and cleaners of temporary files do.
 *
 *   the file is there ── an event: it is deleted ──► SETTLE_MS ─► restore ── done ──► the file is there
 *     (watched)                                         ▲            └─ it cannot ──► the nearest that exists is watched:
 *                                                       └──── an event, or one of a few looks ◄───┘  what has the path, or a parent
 *
 * Owns     one watch of inotify, and while the file is lost a timer. `close` gives both back. (The fd of inotify belongs to
 *          the event loop, which has one for all watches and keeps it.)
 * Used by  server.ts
 * Never    keeps the process alive. Never wakes it while the file is there: a watch on the directory would, for each file
 *          that others make beside the socket
 * Keeps    one `restore` at a time; none begins after `close`
 * Falls short  1. if the directory is renamed, the file is still there, under another path, and nothing is noticed
 *              2. a file system that is mounted over a parent gives no event: only the few looks after the last one see it
 */
import fs, { type FSWatcher } from 'node:fs';
import path from 'node:path';
import { timers } from '../../builtins';
import { statOf } from './directory';
import { codeOf } from './errors';

/** How long nothing is done after an event, in milliseconds: `rm -r` fails if a directory that it empties is filled again. */
const SETTLE_MS = 20;
/** When the file could not be made, it is tried again after so many milliseconds, and then not before the next event. */
const AGAIN_MS: readonly number[] = [50, 200, 1_000, 3_000];

/** The file that is watched: a SocketFile, as far as the watch needs it. */
export interface Watched {
  isThere(): boolean;
  restore(): Promise<void>;
}

/** The watch on one socket. */
export class SocketWatch {
  readonly #socket: string;
  readonly #watched: Watched;
  #watcher: FSWatcher | null = null;
  #timer: NodeJS.Timeout | null = null;
  #running: Promise<void> = Promise.resolve();
  /** How many looks have failed since the last event. */
  #failures = 0;
  #isClosed = false;

  /** Watches from now on. If that cannot be done, a process warning says why, and the socket works without. */
  constructor(socket: string, watched: Watched) {
    this.#socket = socket;
    this.#watched = watched;
    this.#watch();
    if (!watched.isThere()) this.#later(SETTLE_MS);
  }

  /** Resolves when no `restore` runs and nothing is watched. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#unwatch();
    if (this.#timer !== null) timers.clearTimeout(this.#timer);
    await this.#running;
  }

  #later(ms: number): void {
    if (this.#isClosed || this.#timer !== null) return;
    this.#timer = timers.setTimeout(() => { this.#running = this.#look(); }, ms).unref();
  }

  async #look(): Promise<void> {
    this.#unwatch(); // What `restore` does itself is no event.
    try {
      if (!this.#watched.isThere()) await this.#watched.restore();
      this.#failures = 0;
    } catch {
      this.#failures++; // The lock still keeps others from starting a second one.
    }
    this.#timer = null;
    if (this.#isClosed) return;
    this.#watch();
    if (this.#failures === 0 && !this.#watched.isThere()) return this.#later(SETTLE_MS); // It was deleted before it was watched.
    const again = AGAIN_MS[this.#failures - 1];
    if (again !== undefined) this.#later(again);
  }

  /** Watches what there is of the path: the file, or else the nearest directory that exists and may be read. */
  #watch(): void {
    for (let name = this.#socket; ; name = path.dirname(name)) {
      try {
        if (statOf(name) === null) continue;
        const watcher = fs.watch(name, { persistent: false }, () => this.#changed());
        watcher.on('error', (error) => this.#fail(error));
        this.#watcher = watcher;
        return;
      } catch (error) {
        const isNot = ['ENOENT', 'ENOTDIR', 'EACCES', 'EPERM'].includes(codeOf(error) ?? '');
        if (!isNot || name === path.dirname(name)) return this.#fail(error);
      }
    }
  }

  #changed(): void {
    // While it cannot be made, a busy parent has many events.
    const pause = this.#failures === 0 ? SETTLE_MS : AGAIN_MS[1] ?? SETTLE_MS;
    this.#failures = 0;
    this.#later(pause);
  }

  #unwatch(): void {
    this.#watcher?.close();
    this.#watcher = null;
  }

  #fail(error: unknown): void {
    this.#unwatch();
    if (this.#isClosed) return;
    this.#isClosed = true;
    const code = codeOf(error) ?? 'ERR_FAILED';
    process.emitWarning(`The file of the control socket ${this.#socket} cannot be watched (${code}): if it is deleted, nobody can connect any more`, { type: 'ControlWarning', code });
  }
}
