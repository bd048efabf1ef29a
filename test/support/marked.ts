/**
 * Finds processes by a variable of their environment, which a process passes on to those that it starts. So a tool
 * finds also those whose parents have ended, and those that lead a session of their own.
 */
import { readFileSync, readdirSync } from 'node:fs';

/** A process that runs: not a zombie. */
export interface Running {
  readonly pid: number;
  readonly parent: number;
  /** Whether it has the variable. */
  readonly isMarked: boolean;
}

/** The processes of this machine, and for each whether its environment has `variable` with `value`. */
export function runningProcesses(variable: string, value: string): Running[] {
  return readdirSync('/proc').flatMap((name): Running[] => {
    const pid = Number(name);
    if (!Number.isInteger(pid)) return [];
    try {
      const [state, parent] = readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\) /s, '').split(' ');
      if (state === 'Z' || state === 'X') return [];
      return [{ pid, parent: Number(parent), isMarked: readFileSync(`/proc/${pid}/environ`, 'latin1').split('\0').includes(`${variable}=${value}`) }];
    } catch {
      return []; // It has ended, or belongs to another user.
    }
  });
}

/** The pids of the processes that run, by the value of `variable` in their environment; those without it are left out. */
export function pidsByValue(variable: string): Map<string, number[]> {
  const pids = new Map<string, number[]>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const value = variableOf(name, variable);
    if (value !== undefined) pids.set(value, [...(pids.get(value) ?? []), Number(name)]);
  }
  return pids;
}

/** Undefined also for a process that has ended, is a zombie, or belongs to another user. */
function variableOf(pid: string, variable: string): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'latin1').split('\0').find((text) => text.startsWith(`${variable}=`))?.slice(variable.length + 1);
  } catch {
    return undefined;
  }
}

/** Milliseconds that ended processes may take to disappear. */
const PATIENCE = 5000;

/**
 * Ends by SIGKILL, by pid, the processes that `find` returns, until it returns none: each may have started another one.
 *
 * @returns how many there were
 */
export function endAll(find: () => readonly number[]): number {
  const deadline = performance.now() + PATIENCE;
  const ended = new Set<number>();
  for (let left = find(); left.length > 0 && performance.now() < deadline; left = find()) {
    for (const pid of left) {
      ended.add(pid);
      kill(pid);
    }
  }
  return ended.size;
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    return; // It ended meanwhile.
  }
}
