/**
 * Every test file gives back each fd and each child that it took. Counted from /proc, before its
 * first test and after its last.
 */
import { afterAll, beforeAll, expect } from 'vitest';
import { liveChildren, openFds, untilNextLook } from './live';

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
  await new Promise((resolve) => setImmediate(resolve));
  while (!clean() && performance.now() < end) await untilNextLook();
  expect(liveChildren().filter((pid) => !before.children.includes(pid)), 'children left').toEqual([]);
  const left = openFds();
  expect(left.length, `fds left: ${left.filter((fd) => !before.fds.includes(fd)).join(' ')}`).toBeLessThanOrEqual(before.fds.length);
});

export { liveChildren, openFds };
