/**
 * Watches the processes of the runs that are under way, and ends a run before its deadline when there is nothing left
 * to wait for: all its processes sleep, they have become too many, or they have written too much.
 *
 * A process that waits for a processor is not asleep, and a run sleeps only if it was seen asleep in every look for that
 * long. So a busy machine, on which the looks come late, makes no run look as if it hung.
 *
 * Used by  scenario_run.ts
 * Owns     one timer, while there are runs
 * Never    ends a process: the run does that itself
 */
import { readFileSync, readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { pidsByValue } from './marked';

/** Why a run was ended from outside. */
export type Stopped = 'deadline' | 'asleep' | 'processes' | 'files';

/** What ends a run. */
export interface Bounds {
  /** Milliseconds that all processes of the run may sleep at a time; on a busy machine it takes longer. */
  readonly asleepMs: number;
  /** Processes at a time. The largest scenario has fewer than 20. */
  readonly processes: number;
  /** Bytes in the run's directory. */
  readonly bytes: number;
}

interface Run extends Bounds {
  readonly variable: string;
  readonly directory: string;
  readonly stop: (why: Stopped) => void;
  /** Processor time of its processes, in ticks, at the last look. */
  ticks: number;
  /** How many looks in a row have seen nothing but sleep. */
  asleep: number;
}

/** Milliseconds between two looks. */
const EVERY = 1000;
/** Ticks (10 ms each) that the timers of sleeping processes may cost between two looks. */
const SLEEPING_TICKS = 3;

const runs = new Set<Run>();
let timer: NodeJS.Timeout | undefined;

/**
 * Watches the processes whose environment has `variable` with `directory` as its value.
 *
 * @param stop  called at most once
 * @returns ends the watch
 */
export function watchRun(variable: string, directory: string, bounds: Bounds, stop: (why: Stopped) => void): () => void {
  const run: Run = { ...bounds, variable, directory, stop, ticks: 0, asleep: 0 };
  runs.add(run);
  timer ??= setInterval(lookAtAll, EVERY);
  return () => {
    runs.delete(run);
    if (runs.size > 0) return;
    clearInterval(timer);
    timer = undefined;
  };
}

function lookAtAll(): void {
  const running = new Map([...new Set([...runs].map(({ variable }) => variable))].map((variable) => [variable, pidsByValue(variable)]));
  for (const run of [...runs]) look(run, running.get(run.variable)?.get(run.directory) ?? []);
}

function look(run: Run, pids: readonly number[]): void {
  const ticks = pids.reduce((sum, pid) => sum + ticksOf(pid), 0);
  const isAsleep = !pids.some(isAwake) && Math.abs(ticks - run.ticks) <= SLEEPING_TICKS;
  run.asleep = isAsleep ? run.asleep + 1 : 0;
  run.ticks = ticks;
  const why = whyToStop(run, pids.length);
  if (why === null) return;
  runs.delete(run);
  run.stop(why);
}

function whyToStop({ processes, bytes, asleepMs, directory, asleep }: Run, count: number): Stopped | null {
  if (count > processes) return 'processes';
  if (bytesIn(directory) > bytes) return 'files';
  return asleep * EVERY > asleepMs ? 'asleep' : null;
}

/** The fields of /proc/…/stat behind the name of the program; none if the process has ended. */
function statOf(file: string): readonly string[] {
  try {
    return readFileSync(file, 'utf8').replace(/^.*\) /s, '').split(' ');
  } catch {
    return []; // It has ended.
  }
}

const ticksOf = (pid: number): number => {
  const stat = statOf(`/proc/${pid}/stat`);
  return Number(stat[11] ?? 0) + Number(stat[12] ?? 0);
};

/** Is one of its threads running, waiting for a processor, or waiting for a disk? */
function isAwake(pid: number): boolean {
  try {
    return readdirSync(`/proc/${pid}/task`).some((thread) => ['R', 'D'].includes(statOf(`/proc/${pid}/task/${thread}/stat`)[0] ?? ''));
  } catch {
    return true; // It ended just now, which is something.
  }
}

function bytesIn(directory: string): number {
  try {
    return readdirSync(directory).reduce((sum, name) => sum + (statSync(path.join(directory, name), { throwIfNoEntry: false })?.size ?? 0), 0);
  } catch {
    return 0; // The run has ended and removed it.
  }
}
