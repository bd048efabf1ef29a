/**
 * How many fds this process may have open, and whether they are running out. A process without a free fd cannot accept:
 * libuv then accepts with one that it keeps for that, and closes the connection, and so all that wait.
 *
 * Used by  child/accept_pause.ts, master/acceptor.ts, master/handover.ts
 * Node     does not look: its clients are closed (D34)
 */
import { closeSync, openSync, readFileSync } from 'node:fs';
import { Math, Number } from './builtins';

/** The kernel gives the lowest free number. So an fd with this number or a higher one is one of the `reserved` last ones (a quarter of all at most). */
export function lastFd(reserved: number): number {
  const most = mostFds();
  return most - Math.min(reserved, most / 4);
}

/** The most fds that this process may have open; Infinity if that is not known. */
export function mostFds(): number {
  try {
    const [, soft] = /^Max open files +(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? [];
    return soft === undefined ? Number.POSITIVE_INFINITY : Number(soft);
  } catch {
    return Number.POSITIVE_INFINITY; // No /proc.
  }
}

/** The number that the next fd will have; Infinity if there is none left; 0 if that is not known, because this process may not open the file. */
export function nextFd(): number {
  try {
    const fd = openSync('/dev/null', 'r');
    closeSync(fd);
    return fd;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return code === 'EMFILE' || code === 'ENFILE' ? Number.POSITIVE_INFINITY : 0; // No /dev/null, or the permission model denies it.
  }
}
