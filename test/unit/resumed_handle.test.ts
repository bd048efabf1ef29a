/**
 * Guards against an address that closes in a primary whose successor has died (D60): the workers that were told to leave for
 * it can be gone before the new ones listen, and until then the address stays open without a worker.
 */
import { afterEach, expect, test } from 'vitest';
import { RoundRobinHandle } from '../../internal/master/round_robin_handle';
import type { ServerHandle } from '../../internal/master/server_handle';
import { SharedAcceptHandle } from '../../internal/master/shared_accept_handle';
import { SharedHandle } from '../../internal/master/shared_handle';
import { within } from '../support/children';
import { FakeWorker, query } from '../support/cluster_fakes';

const open: ServerHandle[] = [];
afterEach(() => {
  for (const handle of open.splice(0)) handle.close();
});

const add = (handle: ServerHandle, { peer }: FakeWorker): Promise<number | null> => within(20_000, 'a reply', (resolve) => handle.add(peer, resolve));

test.each([
  ['RoundRobinHandle', () => new RoundRobinHandle('k', query({}))],
  ['SharedAcceptHandle', () => new SharedAcceptHandle('k', query({}))],
  ['SharedHandle', () => new SharedHandle('k', query({}))],
])('%s: the last worker that leaves for a successor that has died closes nothing; one after the next worker does', async (_name, make) => {
  const handle = make();
  open.push(handle);
  const [leaving, next] = [new FakeWorker(1), new FakeWorker(2)];
  await add(handle, leaving);
  handle.handOver(() => true);
  handle.serve();
  expect([handle.remove(leaving.peer), handle.listening]).toEqual([false, true]);
  await add(handle, next);
  expect([handle.remove(next.peer), handle.listening]).toEqual([true, false]);
});
