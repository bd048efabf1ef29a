/**
 * How many CPUs this process may use: the number of workers for `-i max`. In a container the host's number would be
 * wrong: a limit of 2 CPUs on a host of 64 means 2 workers.
 *
 * The answer is the smallest of
 *   os.availableParallelism()   the CPUs that the kernel schedules this process on (cpuset, taskset)
 *   quota / period              of the process's own cgroup and of each cgroup above it: `cpu.max` in version 2,
 *                               `cpu.cfs_quota_us` and `cpu.cfs_period_us` in version 1
 * A part of a CPU is no worker, as in the availableParallelism of newer Nodes: 2.5 CPUs are 2 workers, 0.5 CPUs are 1.
 *
 * Used by  app_spec.ts, cli/scale.ts
 * Never    throws: a file that is missing, that may not be read, or that holds something else sets no limit
 * Node     `process.constrainedMemory()` does this for memory. Node 20 has nothing of the kind for CPUs
 */
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import path from 'node:path';

/** Where one hierarchy of cgroups is mounted. `root`: the cgroup that the mount point shows. */
interface Hierarchy {
  readonly version: 1 | 2;
  readonly root: string;
  readonly mountPoint: string;
}

/**
 * How many CPUs this process may use.
 *
 * @param root  the directory that holds `proc` and `sys`: '/', or that of a test
 * @param most  the number without any quota
 * @returns     a whole number, from 1 to `most`
 */
export function allowedCpus(root = '/', most: number = availableParallelism()): number {
  let allowed = most;
  for (const hierarchy of hierarchies(root)) {
    const own = ownCgroup(root, hierarchy.version);
    if (own === null) continue;
    for (const directory of directories(hierarchy, own)) allowed = Math.min(allowed, quotaOf(path.join(root, directory), hierarchy.version));
  }
  return Math.max(1, Math.floor(allowed));
}

/** The mounted hierarchies that can limit CPUs: that of version 2, and that of version 1 with the controller `cpu`. */
function hierarchies(root: string): Hierarchy[] {
  // 36 25 0:30 / /sys/fs/cgroup rw,relatime shared:9 - cgroup2 cgroup2 rw,nsdelegate
  return linesOf(path.join(root, 'proc/self/mountinfo')).flatMap((line): Hierarchy[] => {
    const [mount = '', filesystem = ''] = line.split(' - ');
    const [, , , cgroup = '', mountPoint = ''] = mount.split(' ').map(unescaped);
    const [type, , options = ''] = filesystem.split(' ');
    if (type === 'cgroup2') return [{ version: 2, root: cgroup, mountPoint }];
    if (type === 'cgroup' && options.split(',').includes('cpu')) return [{ version: 1, root: cgroup, mountPoint }];
    return [];
  });
}

/** The path of this process's cgroup in a hierarchy; null if it has none there. */
function ownCgroup(root: string, version: 1 | 2): string | null {
  // 0::/system.slice/app.service (version 2), 4:cpu,cpuacct:/docker/1f2e (version 1)
  for (const line of linesOf(path.join(root, 'proc/self/cgroup'))) {
    const [, number, controllers = '', cgroup = ''] = /^(\d+):([^:]*):(.*)$/.exec(line) ?? [];
    if (version === 2 ? number === '0' && controllers === '' : controllers.split(',').includes('cpu')) return cgroup;
  }
  return null;
}

/** The directories of a cgroup and of all cgroups above it, as far as the mount shows them. */
function directories({ root, mountPoint }: Hierarchy, cgroup: string): string[] {
  // A container without a cgroup namespace sees its path from the host's root, and only its own part is mounted.
  const relative = path.posix.relative(root, cgroup);
  let own = relative === '..' || relative.startsWith('../') ? '' : relative;
  const all = [mountPoint];
  for (; own !== '' && own !== '.'; own = path.posix.dirname(own)) all.push(path.posix.join(mountPoint, own));
  return all;
}

/** How many CPUs one cgroup allows; Infinity without a limit. */
function quotaOf(directory: string, version: 1 | 2): number {
  const [quota, period] = version === 2
    ? (linesOf(path.join(directory, 'cpu.max'))[0] ?? '').split(' ')
    : [linesOf(path.join(directory, 'cpu.cfs_quota_us'))[0], linesOf(path.join(directory, 'cpu.cfs_period_us'))[0]];
  // "max" (version 2) and -1 (version 1) stand for no limit.
  const cpus = Number(quota) / Number(period);
  return Number(quota) > 0 && Number(period) > 0 && Number.isFinite(cpus) ? cpus : Infinity;
}

function linesOf(file: string): string[] {
  try {
    return readFileSync(file, 'utf8').split('\n').filter((line) => line !== '');
  } catch {
    return []; // No such controller here, or no right to read it: it sets no limit that this process could know.
  }
}

/** The kernel writes a space in a path of mountinfo as \040. */
const unescaped = (text: string): string => text.replace(/\\(\d{3})/g, (_all, octal: string) => String.fromCharCode(parseInt(octal, 8)));
