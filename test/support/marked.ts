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

/**
 * The processes of this machine, and for each whether `variable` in its environment is `directory`, or a path inside
 * it: a program may give those that it starts a place of their own there.
 *
 * A process that starts another one and ends during the look is not listed, and its child was not there yet when /proc
 * was read. So /proc is read again until it has named no new process twice in a row. Once is not enough: the kernel lists
 * processes by their numbers, and after the highest number it uses low ones, which this read has passed already. As
 * soon as a process of the directory is known, one more read is enough: its caller ends it, and then looks again.
 */
export function runningProcesses(variable: string, directory: string): Running[] {
  const isMark = (value: string | undefined): boolean => value === directory || (value?.startsWith(`${directory}/`) ?? false);
  const deadline = performance.now() + LOOK;
  const running: Running[] = [];
  let seen: ReadonlySet<number> = new Set();
  let isFound = false;
  for (let readsInVain = 0; readsInVain < 2 && performance.now() < deadline;) {
    const isLast = isFound;
    const now = pids();
    const fresh = now.filter((pid) => !seen.has(pid));
    seen = new Set(now); // The number of a process that has ended may come again.
    readsInVain = fresh.length === 0 ? readsInVain + 1 : 0;
    for (const pid of fresh) {
      const stat = statOf(pid);
      if (stat === null) continue;
      const isMarked = isMark(variableOf(pid, variable, deadline));
      isFound ||= isMarked;
      running.push({ pid, parent: Number(stat[PARENT]), isMarked });
    }
    if (isLast) break;
  }
  return running;
}

/** The pids of the processes that run, by the value of `variable` in their environment; those without it are left out. */
export function pidsByValue(variable: string): Map<string, number[]> {
  const byValue = new Map<string, number[]>();
  const deadline = performance.now() + LOOK;
  for (const pid of pids()) {
    const value = variableOf(pid, variable, deadline);
    if (value !== undefined) byValue.set(value, [...(byValue.get(value) ?? []), pid]);
  }
  return byValue;
}

/** Milliseconds for one look at all processes, so that a machine on which processes start without end does not hold it. */
const LOOK = 1000;
/** An empty environment is looked at so often, with so many milliseconds in between. */
const LOOKS_AT_NONE = 3;
const PAUSE = 2;
const pause = new Int32Array(new SharedArrayBuffer(4));
/** Places in /proc/…/stat, counted from the state of the process, which follows its name. */
const PARENT = 1;
const MEMORY = 20;
const ENVIRONMENT = 47;
const END_OF_ENVIRONMENT = 48;

function pids(): number[] {
  return readdirSync('/proc').map(Number).filter(Number.isInteger);
}

/** The fields of /proc/…/stat from the state on; null if the process has ended or is a zombie. */
function statOf(pid: number): readonly string[] | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\) /s, '').split(' ');
    return stat[0] === 'Z' || stat[0] === 'X' ? null : stat;
  } catch {
    return null;
  }
}

/**
 * Undefined also for a process that has ended, is a zombie, or belongs to another user.
 *
 * While a process changes into another program (execve), the kernel shows no environment. So an empty one is read again
 * until the process has changed, or `deadline` has passed: on a full machine that takes a while. Near the end of the
 * change it looks for a moment as if the program had none: so that has to be seen several times.
 */
function variableOf(pid: number, variable: string, deadline: number): string | undefined {
  try {
    for (let empty = 0; ;) {
      const environment = readFileSync(`/proc/${pid}/environ`, 'latin1');
      if (environment === '' && performance.now() < deadline) {
        const none = hasNone(pid);
        if (none === 'not yet' || (none === 'seems so' && ++empty < LOOKS_AT_NONE)) {
          if (none === 'seems so') Atomics.wait(pause, 0, 0, PAUSE);
          continue;
        }
      }
      return environment.split('\0').find((text) => text.startsWith(`${variable}=`))?.slice(variable.length + 1);
    }
  } catch {
    return undefined;
  }
}

/** Whether a process has no environment: it has ended, or is of the kernel; or its program was started with none: where that ends is then known, and is where it begins. */
function hasNone(pid: number): 'yes' | 'seems so' | 'not yet' {
  const stat = statOf(pid);
  if (stat === null || stat[MEMORY] === '0') return 'yes';
  return stat[END_OF_ENVIRONMENT] !== '0' && stat[ENVIRONMENT] === stat[END_OF_ENVIRONMENT] ? 'seems so' : 'not yet';
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
