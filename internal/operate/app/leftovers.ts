/**
 * Workers of a primary that was killed. A worker ends by itself when its channel to the primary ends, unless it is hung
 * or the app prevents it. Such a worker would hold its connections, and with `exclusive: true` its port, for ever.
 *
 * The next primary of the app finds them: in /proc each process shows the environment that it was started with. A worker
 * has MARK there with the control socket of its app, and the supervisor's own variable, which the worker deletes before
 * the app runs, so that no child of a worker has it.
 *
 * Used by  app_primary.ts
 * Never    ends a process of another user, a worker of this primary, or a process that a worker has started
 */
import { readFileSync, readdirSync } from 'node:fs';
import { SETUP } from '../../supervisor/wire';

/** The variable of a worker that holds the control socket of its app. */
export const MARK = 'CLUSTER_INTERNALS_APP';

/** The pids of the workers of `socket` whose primary is gone. */
export function leftoverWorkers(socket: string, proc = '/proc', own = process.pid): number[] {
  return readdirSync(proc).filter((name) => /^\d+$/.test(name)).map(Number).filter((pid) => isLeftover(pid, socket, proc, own));
}

/** Sends SIGKILL to those of `pids` that are still leftover workers of `socket`. Returns how many that were. */
export function killLeftovers(socket: string, pids: readonly number[]): number {
  let count = 0;
  for (const pid of pids) {
    if (!isLeftover(pid, socket, '/proc', process.pid)) continue;
    try {
      process.kill(pid, 'SIGKILL');
      count++;
    } catch {
      continue; // It has ended just now.
    }
  }
  return count;
}

function isLeftover(pid: number, socket: string, proc: string, own: number): boolean {
  try {
    const environment = readFileSync(`${proc}/${pid}/environ`, 'utf8').split('\0');
    if (!environment.includes(`${MARK}=${socket}`) || !environment.some((one) => one.startsWith(`${SETUP}=`))) return false;
    const parent = Number(/\) \S+ (\d+)/.exec(readFileSync(`${proc}/${pid}/stat`, 'latin1'))?.[1]);
    return parent !== own;
  } catch {
    return false; // It has ended, or belongs to another user.
  }
}
