/** Reads a process's CPU time, its memory, and whether it runs, from /proc. */
import { readFileSync, readdirSync } from 'node:fs';

/** Microseconds of CPU time that a process has used since its start, in all its threads. */
export function cpuOf(pid: number): number {
  let nanoseconds = 0;
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    const [ran] = readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ');
    nanoseconds += Number(ran);
  }
  return nanoseconds / 1000;
}

/** Resident memory of a process in MiB. */
export function memoryOf(pid: number): number {
  const line = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  if (line === null) throw new Error(`process ${pid} has no memory: it has ended`);
  return Number(line[1]) / 1024;
}

/** Memory of a process in MiB, in which a page that several processes share is divided by their number (PSS). */
export function ownMemoryOf(pid: number): number {
  const line = /^Pss:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'));
  if (line === null) throw new Error(`process ${pid} has no memory: it has ended`);
  return Number(line[1]) / 1024;
}

/** Does a process run? A zombie does not. */
export function lives(pid: number): boolean {
  try {
    return !/^\d+ \(.*\) [ZX]/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false; // No such process.
  }
}
