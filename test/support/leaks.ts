/**
 * Every test file gives back each fd and each child that it took. Counted from /proc, before its
 * first test and after its last.
 */
import { afterAll, beforeAll, expect } from 'vitest';
import { liveChildren, openFds } from './live';

let before: { fds: string[]; children: string[] };

beforeAll(() => {
  before = { fds: openFds(), children: liveChildren() };
});

afterAll(async () => {
  // Node closes a handle in the turn after `close()`: let that turn pass.
  for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve));
  expect(liveChildren().filter((pid) => !before.children.includes(pid)), 'children left').toEqual([]);
  const left = openFds();
  expect(left.length, `fds left: ${left.filter((fd) => !before.fds.includes(fd)).join(' ')}`).toBeLessThanOrEqual(before.fds.length);
});

export { liveChildren, openFds };
