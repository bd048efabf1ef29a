/**
 * One owner for each control socket at any time, whatever dies and however many start at once. Node has no file locks,
 * so this file makes one of symlinks: `symlink` writes a name and its content in one step, and fails if the name exists.
 *
 *   STATE/locks/HASH/7 → "4711 8839201 3f0c…"     lock number 7 is held by process 4711, which started at tick 8839201
 *   STATE/locks/HASH/8 → "free"                   lock number 8 is held by nobody
 *
 * The greatest number is the lock; HASH stands for the path of the socket, on this machine. A process that wants the lock
 * looks whether its owner lives (that process has the same start time, in the same boot of the machine). If not, it makes
 * the next number, and looks again: it has the lock if its number is the greatest. An owner that gives up the lock makes
 * the next number `free`, or makes it in the name of the process that replaces it: then nobody else can have it in between.
 *
 * The locks are in the state directory (state_directory.ts), which nobody wipes: /run/user/UID is deleted at the last
 * logout, while daemon and apps run on. Where that directory cannot be written, they are beside the sockets.
 *
 * Used by  socket_file.ts, daemon/, app/
 * Keeps    1. the greatest number is never removed before there is a greater one, so numbers only grow
 *          2. the next number is made only if the greatest one is free or its owner is dead, so at most one live process
 *             has the greatest one. A slow process that makes a number which others have left behind finds a greater one
 *          3. there are few names in a directory, so that the kernel returns them all in one call, as of one moment
 * Decided  1. The name of the machine is part of HASH: a home directory may be on a server, and the processes of another
 *             machine look dead here.
 *          2. An abstract unix socket would need no files, but its name stands in /proc/net/unix for everybody, and any
 *             user could hold it once it is free. This directory belongs to us alone
 * Falls short  A process in another PID namespace looks dead. socket_file.ts connects to the socket as well
 */
import { createHash } from 'node:crypto';
import { accessSync, constants, readFileSync, readdirSync, readlinkSync, realpathSync, symlinkSync, unlinkSync } from 'node:fs';
import { hostname } from 'node:os';
import path from 'node:path';
import { codeOf, controlError } from './errors';
import { controlDirectory, nameOfPath, privateDirectory } from './directory';
import { stateDirectory } from './state_directory';

const FREE = 'free';

/** The lock of one socket, which this process holds. */
export interface Lock {
  /** Gives the lock back. A second call does nothing. */
  release(): void;
  /** Gives the lock to another process, which takes it with `mayBeOurs`. If that process has ended, the lock is free. */
  passTo(pid: number): void;
}

/**
 * Takes the lock of a socket, which belongs to this process until `release` or its end.
 *
 * @param socket  the absolute path of the socket, or any other path that stands for what must run once; its directory must exist
 * @param locks   the directory of the locks. Default: that of the user who is in this process's environment
 * @param mayBeOurs  the process that this one replaces may have passed the lock to it
 * @throws        ERR_ALREADY_RUNNING if a live process has the lock, this one included unless `mayBeOurs`
 */
export function takeLock(socket: string, locks: string = ownLocks(), mayBeOurs = false): Lock {
  const directory = directoryOf(socket, locks);
  const own = identityOf(process.pid) ?? `${process.pid}`;
  for (;;) {
    const greatest = greatestIn(directory);
    const owner = ownerOf(directory, greatest);
    if (owner === undefined) continue; // It was released just now: there is a greater one.
    if (owner === process.pid && mayBeOurs) return lockOf(directory, greatest);
    if (owner !== null) throw controlError('ERR_ALREADY_RUNNING', `${nameOfPath(socket)} is already running (pid ${owner}): it holds ${socket}`);
    const number = greatest + 1;
    if (!make(directory, number, own)) continue; // Another process was quicker.
    if (greatestIn(directory) !== number) {
      remove(directory, number);
      continue;
    }
    removeBelow(directory, number);
    return lockOf(directory, number);
  }
}

function lockOf(directory: string, number: number): Lock {
  let isHeld = true;
  const end = (next: string): void => {
    if (!isHeld) return;
    isHeld = false;
    // Somebody who took this process for dead may have made the next number: then the lock is not ours to give.
    if (make(directory, number + 1, next)) remove(directory, number);
  };
  return {
    release: () => end(FREE),
    passTo: (pid) => end(identityOf(pid) ?? FREE),
  };
}

/** The directory with the locks of one socket. Two paths of one file, over a symlink, have one lock. */
function directoryOf(socket: string, locks: string): string {
  const real = path.join(realpathSync(path.dirname(socket)), path.basename(socket));
  const hash = createHash('sha256').update(`${machine()}\0${real}`).digest('hex').slice(0, 32);
  return privateDirectory(path.join(locks, hash));
}

/** The directory of the locks in a state directory. It is made if it is not there. */
export const locksIn = (state: string): string => privateDirectory(path.join(state, 'locks'));

function ownLocks(): string {
  try {
    const directory = locksIn(stateDirectory());
    accessSync(directory, constants.W_OK);
    return directory;
  } catch {
    // No home directory, one of another user, a read-only file system.
    return locksIn(controlDirectory());
  }
}

/** A text that no other machine with the same home directory has. */
function machine(): string {
  try {
    return readFileSync('/etc/machine-id', 'latin1').trim() || hostname();
  } catch {
    return hostname(); // Few containers have that file.
  }
}

const numbersIn = (directory: string): number[] => readdirSync(directory).filter((name) => /^[1-9]\d{0,14}$/.test(name)).map(Number);
const greatestIn = (directory: string): number => Math.max(0, ...numbersIn(directory));
const fileOf = (directory: string, number: number): string => path.join(directory, String(number));

/** The process that holds lock `number`; null if nobody does; undefined if there is no such lock any more. */
function ownerOf(directory: string, number: number): number | null | undefined {
  if (number === 0) return null;
  let text: string;
  try {
    text = readlinkSync(fileOf(directory, number));
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
  const pid = Number(/^(\d+) /.exec(text)?.[1] ?? 0);
  return pid > 0 && identityOf(pid) === text ? pid : null;
}

/** Makes a lock; false if that number exists. */
function make(directory: string, number: number, text: string): boolean {
  try {
    symlinkSync(text, fileOf(directory, number));
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    throw error;
  }
}

function remove(directory: string, number: number): void {
  try {
    unlinkSync(fileOf(directory, number));
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error;
  }
}

function removeBelow(directory: string, number: number): void {
  for (const old of numbersIn(directory)) if (old < number) remove(directory, old);
}

/**
 * A text that no other process has, before or after it: its pid, its start time in ticks, and the boot. Null if there is
 * no such process, or if it is a zombie.
 */
export function identityOf(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The second field is the name of the program in parentheses, and may contain anything.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const [state, started] = [fields[0], fields[19]];
    if (state === 'Z' || state === 'X' || started === undefined) return null;
    return `${pid} ${started} ${readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim()}`;
  } catch (error) {
    // ESRCH: it ended between open and read. Any other error, such as EMFILE, does not mean that it is dead.
    const code = codeOf(error);
    if (code === 'ENOENT' || code === 'ESRCH') return null;
    throw error;
  }
}
