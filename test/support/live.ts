/** What a process has open, and which children of it live, from /proc; and how a test waits for such a fact. */
import { readFileSync, readdirSync, readlinkSync } from 'node:fs';
import { setTimeout as after } from 'node:timers/promises';

/** Milliseconds between two looks. */
const LOOK_MS = 5;

/**
 * Between two looks at a fact that no event reports. A loop that looks without a pause takes a processor from the very
 * processes that it waits for. The loop needs a deadline of its own.
 *
 * @param ms  more where a look itself takes milliseconds, as one at all processes of the machine does
 */
export const untilNextLook = (ms = LOOK_MS): Promise<void> => after(ms);

/** Sockets and pipes; files come and go with the modules that the runner loads. */
export function openFds(pid: number | 'self' = 'self'): string[] {
  const targets: string[] = [];
  for (const fd of readdirSync(`/proc/${pid}/fd`)) {
    try {
      targets.push(readlinkSync(`/proc/${pid}/fd/${fd}`));
    } catch {
      continue; // The one that read the directory is gone.
    }
  }
  return targets.filter((target) => target.startsWith('socket:') || target.startsWith('pipe:'));
}

/** The pids of this process's children that are alive. */
export function liveChildren(parent: number = process.pid): string[] {
  const alive: string[] = [];
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const [state, ppid] = readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\) /, '').split(' ');
      if (Number(ppid) === parent && state !== 'Z') alive.push(pid);
    } catch {
      continue; // It ended while we looked.
    }
  }
  return alive;
}
