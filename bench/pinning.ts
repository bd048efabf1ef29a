/**
 * Keeps processes on one CPU. Some rows ask what a program costs; where the kernel places the processes would
 * disturb them. Uses `taskset`; if that is not installed nothing is pinned, and the row notes it.
 *
 * Used by  rows/none.ts, rows/growth.ts, rows/messages.ts (`oneway`, `roundtrip`), all/
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { installed } from './installed';

/** The note of a row that could not pin its processes. */
export const NOT_PINNED = 'pinning to a CPU: taskset is not installed, the kernel placed the processes';

/**
 * Moves processes, with all their threads, to the nth CPU that this process may use (the last one if there are fewer), to
 * the rest (all but the first, if there are two or more), or back to all CPUs.
 */
export function pin(pids: readonly number[], nth: number | 'all' | 'rest'): boolean {
  const taskset = installed('taskset');
  if (taskset === null) return false;
  const cpus = usable();
  const wanted = nth === 'all' || (nth === 'rest' && cpus.length === 1) ? cpus.join(',') : nth === 'rest' ? cpus.slice(1).join(',') : String(cpus[Math.min(nth, cpus.length - 1)]);
  for (const pid of pids) execFileSync(taskset, ['--all-tasks', '--cpu-list', '--pid', wanted, String(pid)], { stdio: ['ignore', 'ignore', 'inherit'] });
  return true;
}

/** Puts all servers on one CPU and the load generator on another. `back` frees the generator again. Null: nothing could be pinned. */
export function pinApart(generator: readonly number[], servers: readonly number[]): { back(): void } | null {
  const pinned = pin(generator, 0) && pin(servers, 1);
  return pinned ? { back: () => void pin(generator, 'all') } : null;
}

function usable(): number[] {
  const list = /^Cpus_allowed_list:\s+(\S+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0';
  return list.split(',').flatMap((range) => {
    const [first = 0, last = first] = range.split('-').map(Number);
    return Array.from({ length: last - first + 1 }, (_, at) => first + at);
  });
}
