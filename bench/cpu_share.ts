/**
 * Gives a process a part of one CPU, by a control group of Linux (cgroups version 1 or 2). Needs root.
 *
 * Owns     the control group, until `close` or the end of this process
 * Used by  all/limit.ts
 */
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';

/** Microseconds in which the process gets its part. The kernel takes no part of less than 1000 µs. */
const PERIOD = 20_000;

/** The directory of all control groups for the CPU, and how one is limited. */
interface Hierarchy {
  readonly directory: string;
  /** Its line in /proc/PID/cgroup. */
  readonly line: RegExp;
  limit(group: string, quota: number): void;
}

const VERSION_1: Hierarchy = {
  directory: '/sys/fs/cgroup/cpu',
  line: /^\d+:(?:[^:]*,)?cpu(?:,[^:]*)?:(.*)$/m,
  limit: (group, quota) => {
    writeFileSync(path.join(group, 'cpu.cfs_period_us'), String(PERIOD));
    writeFileSync(path.join(group, 'cpu.cfs_quota_us'), String(quota));
  },
};

const VERSION_2: Hierarchy = {
  directory: '/sys/fs/cgroup',
  line: /^0::(.*)$/m,
  limit: (group, quota) => writeFileSync(path.join(group, 'cpu.max'), `${quota} ${PERIOD}`),
};

export class CpuShare {
  readonly #hierarchy: Hierarchy;
  readonly #group: string;
  /** The file that takes pids of each limited process's own group, by pid. */
  readonly #before = new Map<number, string>();

  readonly #close = (): void => this.close();

  private constructor(hierarchy: Hierarchy, group: string) {
    this.#hierarchy = hierarchy;
    this.#group = group;
    process.once('exit', this.#close);
  }

  /** Makes the control group. A text says why that cannot be done here. */
  static open(): CpuShare | string {
    const hierarchy = existsSync(path.join(VERSION_1.directory, 'cgroup.procs')) ? VERSION_1 : VERSION_2;
    const group = path.join(hierarchy.directory, `bench-${process.pid}`);
    try {
      mkdirSync(group);
      const share = new CpuShare(hierarchy, group);
      try {
        hierarchy.limit(group, PERIOD);
        return share;
      } catch (error) {
        share.close();
        throw error;
      }
    } catch (error) {
      return `no control group for the CPU can be made here: ${error instanceof Error ? error.message : String(error)}`;
    }
  }

  /** Gives all threads of a process together so much of one CPU, from 0.05 to 1. */
  limit(pid: number, share: number): void {
    this.#hierarchy.limit(this.#group, Math.round(share * PERIOD));
    const own = this.#hierarchy.line.exec(readFileSync(`/proc/${pid}/cgroup`, 'utf8'))?.[1] ?? '/';
    if (!this.#before.has(pid)) this.#before.set(pid, path.join(this.#hierarchy.directory, own, 'cgroup.procs'));
    writeFileSync(path.join(this.#group, 'cgroup.procs'), String(pid));
  }

  /** Takes the limit away again. */
  free(pid: number): void {
    const file = this.#before.get(pid);
    this.#before.delete(pid);
    if (file === undefined) return;
    try {
      writeFileSync(file, String(pid));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error; // It has ended.
    }
  }

  /** Frees all processes and removes the control group. */
  close(): void {
    process.removeListener('exit', this.#close);
    for (const pid of this.#before.keys()) this.free(pid);
    rmdirSync(this.#group);
  }
}
