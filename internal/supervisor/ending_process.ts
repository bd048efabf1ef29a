/**
 * Does this process end just now? The kernel closes the fds of a process that ends before it reports the end: the primary
 * sees the end of the channel first, and on a busy machine the exit code only some time later.
 *
 * Used by  worker_process.ts, for a worker whose channel has closed
 * Never    throws: it returns false if it cannot find out
 * Keeps    a process that has closed its channel and runs on is none that ends
 */
import { readFileSync } from 'node:fs';

/**
 * Returns true from the moment at which the kernel has taken the memory of this process, until its end was reported: it
 * shows no memory then, and also none for a zombie. The fds are closed after that.
 */
export function isEnding(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/statm`, 'latin1').startsWith('0 ');
  } catch {
    return false; // There is no /proc, or the process is gone: its 'exit' comes in this turn.
  }
}
