/** What the kernel says of a process. Used by test/soak/storm.ts and test/boundary/play.ts. */
import { readFileSync, readdirSync } from 'node:fs';

/** How many fds it has open. */
export const fdsOf = (pid: number): number => readdirSync(`/proc/${pid}/fd`).length;

/** Its resident memory in bytes. */
export const rssOf = (pid: number): number => Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) * 1024;

/** Is there a process with this pid? A zombie does not count: it has ended. */
export function lives(pid: number): boolean {
  try {
    return !/^.*\) [ZX]/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}
