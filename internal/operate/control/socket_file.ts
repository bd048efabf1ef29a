/**
 * The file of a control socket: it appears as a whole, with mode 0600, and replaces the file of a dead process, but never
 * that of a live one.
 *
 *   take the lock (lock.ts) ─► look at PATH ─► listen at PATH.new/… ─► chmod 600 ─► rename to PATH
 *                                 ├─ somebody answers, or it is no socket ─► an error; the lock is released
 *                                 └─ nothing there, or nobody answers ─► go on
 *
 * PATH.new is a directory that only this user may enter, so nobody connects before the mode is right. It is reached
 * through /proc/self/fd, because its path may be too long for a socket where PATH is not.
 *
 * If the file is lost, `restore` makes it anew, with the directories above it. Node cannot bind a server twice, so it needs
 * another server.
 *
 * Owns     the file at PATH, the lock, and for a moment the directory PATH.new with one fd. All are given back by
 *          `remove`, or when `bindSocket` rejects. A listener for 'exit' of the process removes the files that are left
 * Used by  server.ts
 * Uses     lock.ts, lost_directories.ts
 * Never    removes a file of another process: before it removes PATH, it compares the inode
 */
import { chmodSync, closeSync, constants, lstatSync, mkdirSync, openSync, renameSync, rmSync, unlinkSync } from 'node:fs';
import { connect, type Server } from 'node:net';
import { randomBytes } from 'node:crypto';
import path from 'node:path';
import { checkLength, nameOfPath, statOf } from './directory';
import { codeOf, controlError } from './errors';
import { LineReader } from './lines';
import { takeLock } from './lock';
import { directoriesAbove, makeAnew } from './lost_directories';
import { LONGEST_REPLY, readHello } from './protocol';

/** How long a process at an existing socket may take to say who it is, in milliseconds. It is live even if it does not. */
const HELLO_MS = 500;

/** The file of a socket at which this process listens. */
export interface SocketFile {
  /** Is the file of this process still at its path? */
  isThere(): boolean;
  /**
   * Makes the file anew, and `server` listens there. The caller closes it, also if this fails.
   *
   * @returns  a promise. It rejects if a live process has the path meanwhile, if something else is there, or if a directory
   *           cannot be made or is not as it was
   */
  restore(server: Server): Promise<void>;
  /** Passes the lock to the process `successor` and leaves the file, which that one replaces. */
  leave(successor: number): void;
  /** Removes the file, unless it is another one by now, and releases the lock. A second call does nothing. */
  remove(): void;
}

/** The functions that remove the files of this process when it ends. */
const atExit = new Set<() => void>();
const removeAll = (): void => atExit.forEach((remove) => remove());

/**
 * Makes `server` listen at a path, and owns that path from then on.
 *
 * @param server  not listening yet; the caller closes it, also if this function rejects
 * @param socket  the absolute path of the socket; its directory must exist
 * @param locks   the directory of the locks. Default: as `takeLock` finds it
 * @param replaces  the process that has the path now, and has passed the lock to this one: its file is replaced
 * @returns       a promise of the file. It rejects with ERR_ALREADY_RUNNING if a live process is there, with
 *                ERR_CONTROL_PATH if the path is too long or something else is there, and with an error of the system,
 *                for example EACCES or ENOENT
 */
export async function bindSocket(server: Server, socket: string, locks?: string, replaces: number | null = null): Promise<SocketFile> {
  const lock = takeLock(checkLength(socket), locks, replaces !== null);
  try {
    await checkFree(socket, replaces);
    const above = directoriesAbove(socket);
    let inode = await listenPrivately(server, socket);
    const removeFile = (): void => {
      if (isAt(socket, inode)) unlinkSync(socket);
    };
    if (atExit.size === 0) process.on('exit', removeAll);
    atExit.add(removeFile);
    return {
      isThere: () => isAt(socket, inode),
      async restore(next) {
        makeAnew(above);
        await checkFree(socket);
        inode = await listenPrivately(next, socket);
      },
      leave: (successor) => lock.passTo(successor),
      remove() {
        if (!atExit.delete(removeFile)) return;
        if (atExit.size === 0) process.off('exit', removeAll);
        removeFile();
        lock.release();
      },
    };
  } catch (error) {
    lock.release();
    throw error;
  }
}

/** Throws unless the path is free, or has the socket of a process that is dead, or of the one that is replaced. */
async function checkFree(socket: string, replaces: number | null = null): Promise<void> {
  const stats = statOf(socket);
  if (stats === null) return;
  if (!stats.isSocket()) throw controlError('ERR_CONTROL_PATH', `${socket} exists, and is no socket. Remove it, or choose another name.`);
  const owner = await answerAt(socket);
  if (owner !== null && owner !== replaces) throw controlError('ERR_ALREADY_RUNNING', `${nameOfPath(socket)} is already running${owner === 'unknown' ? '' : ` (pid ${owner})`}: it answers at ${socket}`);
}

/** The pid of the process that listens at a socket, `unknown` if it does not say; null if nobody listens. */
function answerAt(socket: string): Promise<number | 'unknown' | null> {
  return new Promise((resolve, reject) => {
    const connection = connect(socket);
    const lines = new LineReader(LONGEST_REPLY);
    let isConnected = false;
    connection.setTimeout(HELLO_MS, () => connection.destroy());
    connection.on('connect', () => { isConnected = true; });
    connection.on('data', (chunk) => {
      for (const line of lines.push(chunk)) {
        resolve(readHello(line)?.pid ?? 'unknown');
        connection.destroy();
        return;
      }
    });
    connection.on('error', (error) => {
      // ECONNREFUSED: nobody listens. ENOENT: its owner has removed it just now. EAGAIN: it listens, and its queue is full.
      const code = codeOf(error);
      if (code === 'ECONNREFUSED' || code === 'ENOENT') resolve(null);
      else if (code === 'EAGAIN' || isConnected) resolve('unknown');
      else reject(error);
    });
    connection.on('close', () => resolve('unknown')); // No effect if it is settled.
  });
}

interface Inode {
  readonly dev: number;
  readonly ino: number;
}

/** Is this still what is at the path? */
function isAt(socket: string, { dev, ino }: Inode): boolean {
  const stats = statOf(socket);
  return stats !== null && stats.dev === dev && stats.ino === ino;
}

/** Listens in a private directory beside `socket`, then moves the socket to its path. Returns its inode. */
async function listenPrivately(server: Server, socket: string): Promise<Inode> {
  const beside = `${socket}.new`;
  // A process that was killed here has left it. We hold the lock, so it is nobody's.
  rmSync(beside, { recursive: true, force: true });
  mkdirSync(beside, { mode: 0o700 });
  try {
    // Node removes the file that it has bound when the server closes, by this name. It is unique: the fd may be another directory then.
    const name = `control-${randomBytes(8).toString('hex')}`;
    await listenIn(beside, server, name);
    const bound = path.join(beside, name);
    chmodSync(bound, 0o600);
    const { dev, ino } = lstatSync(bound);
    renameSync(bound, socket);
    return { dev, ino };
  } finally {
    rmSync(beside, { recursive: true, force: true });
  }
}

function listenIn(directory: string, server: Server, name: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('listening', () => {
      server.off('error', reject);
      resolve();
    });
    server.once('error', reject);
    const fd = openSync(directory, constants.O_RDONLY | constants.O_DIRECTORY);
    try {
      server.listen({ path: `/proc/self/fd/${fd}/${name}`, exclusive: true }); // Binds before it returns.
    } finally {
      closeSync(fd);
    }
  });
}
