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

/** Ends one process by SIGKILL. */
export function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    return; // It ended meanwhile.
  }
}
