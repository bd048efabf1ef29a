// Guards that `-i max` counts what a container may use, and not the CPUs of its host.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { allowedCpus } from '../../internal/operate/app/cpus';

const roots: string[] = [];
afterEach(() => {
  for (const root of roots.splice(0)) rmSync(root, { recursive: true, force: true });
});

/** A root directory with these files. */
function rootWith(files: Readonly<Record<string, string>>): string {
  const root = mkdtempSync(path.join(tmpdir(), 'cpus-'));
  roots.push(root);
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(path.dirname(path.join(root, name)), { recursive: true });
    writeFileSync(path.join(root, name), content);
  }
  return root;
}

const VERSION_2 = '30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n';
const second = (cgroup: string, limits: Readonly<Record<string, string>>, mountinfo = VERSION_2): string => rootWith({
  'proc/self/cgroup': `0::${cgroup}\n`, 'proc/self/mountinfo': `22 1 8:1 / / rw - ext4 /dev/root rw\n${mountinfo}`,
  ...Object.fromEntries(Object.entries(limits).map(([directory, limit]) => [`sys/fs/cgroup/${directory}/cpu.max`, `${limit}\n`])),
});

describe('cgroups, version 2', () => {
  test.each([
    ['200000 100000', 2], ['50000 100000', 1], ['1000 100000', 1], ['250000 100000', 2], ['350000 50000', 7], ['max 100000', 8], ['6400000 100000', 8],
    ['', 8], ['nonsense', 8], ['0 0', 8], ['-1 100000', 8], ['100000', 8],
  ])('cpu.max %j: %i of 8', (limit, workers) => {
    expect(allowedCpus(second('/', { '.': limit }), 8)).toBe(workers);
  });

  test('the smallest limit counts: of its own cgroup, and of each cgroup above it', () => {
    const inOf = (limits: Readonly<Record<string, string>>): number => allowedCpus(second('/user.slice/app.service/inner', limits), 16);
    expect(inOf({ 'user.slice': '300000 100000', 'user.slice/app.service': 'max 100000', 'user.slice/app.service/inner': '800000 100000' })).toBe(3);
    expect(inOf({ 'user.slice/app.service/inner': '400000 100000' })).toBe(4);
    expect(inOf({ 'other.slice': '100000 100000' })).toBe(16);
  });

  test('a container without a cgroup namespace: its path begins at the root of the host, its mount at its own cgroup', () => {
    const mount = '30 23 0:26 /docker/1f2e /sys/fs/cgroup ro - cgroup2 cgroup rw\n';
    expect(allowedCpus(second('/docker/1f2e', { '.': '200000 100000' }, mount), 8)).toBe(2);
    expect(allowedCpus(second('/docker/1f2e/inner', { '.': '400000 100000', inner: '300000 100000' }, mount), 8)).toBe(3);
    expect(allowedCpus(second('/elsewhere', { '.': '200000 100000', '../elsewhere': '100000 100000' }, mount), 8)).toBe(2);
  });
});

describe('cgroups, version 1', () => {
  const first = (quota: string, period: string, controllers = 'cpu,cpuacct'): string => rootWith({
    'proc/self/cgroup': `9:name=systemd:/\n4:${controllers}:/docker/1f2e\n3:cpuset:/\n0::/\n`,
    'proc/self/mountinfo': `40 30 0:31 /docker/1f2e /sys/fs/cgroup/cpu\\040here ro - cgroup cgroup rw,${controllers}\n`,
    'sys/fs/cgroup/cpu here/cpu.cfs_quota_us': `${quota}\n`, 'sys/fs/cgroup/cpu here/cpu.cfs_period_us': `${period}\n`,
  });

  test.each([['150000', '50000', 3], ['-1', '100000', 8], ['50000', '100000', 1], ['', '', 8]])('quota %s of %s: %i of 8', (quota, period, workers) => {
    expect(allowedCpus(first(quota, period), 8)).toBe(workers);
  });

  test('only the controller cpu counts', () => {
    expect(allowedCpus(first('100000', '100000', 'cpuset'), 8)).toBe(8);
  });
});

test('nothing is mounted, or may be read: all CPUs; never more than there are, never less than one', () => {
  expect(allowedCpus(rootWith({}), 8)).toBe(8);
  expect(allowedCpus(rootWith({ 'proc/self/mountinfo': 'x\n - \n', 'proc/self/cgroup': ':::\n\u0000' }), 3)).toBe(3);
  expect(allowedCpus()).toBeGreaterThanOrEqual(1);
});
