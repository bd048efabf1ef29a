/**
 * Every test file gives back each fd and each child that it took. Counted from /proc, before its
 * first test and after its last.
 */
import { readFileSync, readdirSync, readlinkSync } from 'node:fs';
import { afterAll, beforeAll, expect } from 'vitest';

/** Milliseconds after which what is still open counts as a leak. */
const PATIENCE = 10_000;

let before: { fds: string[]; children: string[] };

beforeAll(() => {
  before = { fds: openFds(), children: liveChildren() };
});

afterAll(async () => {
  // Node closes a handle in the turn after `close()`, and the kernel ends a killed process when it gets
  // to it: a leak is what stays.
  const clean = (): boolean => liveChildren().every((pid) => before.children.includes(pid)) && openFds().length <= before.fds.length;
  const end = performance.now() + PATIENCE;
  do await new Promise((resolve) => setImmediate(resolve)); while (!clean() && performance.now() < end);
  expect(liveChildren().filter((pid) => !before.children.includes(pid)), 'children left').toEqual([]);
  const left = openFds();
  expect(left.length, `fds left: ${left.filter((fd) => !before.fds.includes(fd)).join(' ')}`).toBeLessThanOrEqual(before.fds.length);
});

/** Sockets and pipes; files come and go with the modules that the runner loads. */
export function openFds(pid: number | 'self' = 'self'): string[] {
  const targets: string[] = [];
  for (const fd of readdirSync(`/proc/${pid}/fd`)) {
    try {
      targets.push(readlinkSync(`/proc/${pid}/fd/${fd}`));
    } catch {
      continue; // The one that read the directory is gone.
    }
  }
  return targets.filter((target) => target.startsWith('socket:') || target.startsWith('pipe:'));
}

/** The pids of this process's children that are alive. */
export function liveChildren(parent: number = process.pid): string[] {
  const alive: string[] = [];
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const [state, ppid] = readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\) /, '').split(' ');
      if (Number(ppid) === parent && state !== 'Z') alive.push(pid);
    } catch {
      continue; // It ended while we looked.
    }
  }
  return alive;
}
