/** One address under `scheduling: 'shared'` (D63), with workers in memory: who gets the socket, whom the quotas count, and when the primary accepts. */
import net from 'node:net';
import { afterEach, expect, test, vi } from 'vitest';
import { SharedAcceptHandle } from '../../internal/master/shared_accept_handle';
import type { HandleReply } from '../../internal/master/server_handle';
import { event, within } from '../support/children';
import { FakeConnection, FakeWorker, query } from '../support/cluster_fakes';
import { freePort } from '../support/free_port';
import { connected, listening, portOf } from '../support/handles';

const KEEP = { limit: 10, deadlineMs: 10_000 };
const left: (() => void)[] = [];
afterEach(() => {
  for (const release of left.splice(0)) release();
});

type Reply = [errno: Parameters<HandleReply>[0], fields: Parameters<HandleReply>[1], handle: Parameters<HandleReply>[2]];

class Subject {
  readonly handle: SharedAcceptHandle;

  constructor(fields: Parameters<typeof query>[0] = {}) {
    this.handle = new SharedAcceptHandle('k', query(fields));
    left.push(() => this.handle.close());
  }

  add(worker: FakeWorker): Promise<Reply> {
    return within(20_000, 'a reply', (resolve) => this.handle.add(worker.peer, (...reply) => resolve(reply)));
  }

  async port(worker: FakeWorker): Promise<number> {
    return (await this.add(worker))[1].sockname?.port as number;
  }
}

const progress = (total: number) => ({ act: 'progress', key: 'k', total, open: 0 }) as const;
const quotasOf = (worker: FakeWorker): Record<string, unknown>[] => worker.process.sent.map(({ message }) => message as Record<string, unknown>).filter(({ act }) => act === 'quota');
/** The next quota for this worker that `is` accepts. It is reported to the handle until then. */
async function quota(worker: FakeWorker, handle: SharedAcceptHandle, total: number, is: (terms: Record<string, unknown>) => boolean): Promise<void> {
  await vi.waitUntil(() => {
    handle.progress(worker.peer, progress(total));
    return is(quotasOf(worker).at(-1) ?? {});
  }, { timeout: 10_000, interval: 20 });
}

test('each worker gets the socket; ours get quotas, with their key, and a stock one none', async () => {
  const subject = new Subject();
  const { handle } = subject;
  const [one, two, stock] = [new FakeWorker(1), new FakeWorker(2), new FakeWorker(3, 'node')];
  const replies = await Promise.all([one, two, stock].map((worker) => subject.add(worker)));
  expect(replies.map(([errno, { quotas }, socket]) => [errno, quotas, socket === handle.native])).toEqual([[null, true, true], [null, true, true], [null, undefined, true]]);
  handle.progress(stock.peer, progress(5));
  await quota(one, handle, 100, ({ upTo }) => typeof upTo === 'number');
  expect(quotasOf(one)[0]).toMatchObject({ act: 'quota', key: 'k' });
  expect(quotasOf(stock)).toEqual([]);
});

test('a worker that has left is counted no more: the other one has no bound, and the one that has left gets nothing', async () => {
  const subject = new Subject();
  const [one, two] = [new FakeWorker(1), new FakeWorker(2)];
  await Promise.all([subject.add(one), subject.add(two)]);
  await quota(one, subject.handle, 100, ({ upTo }) => typeof upTo === 'number');
  expect(subject.handle.remove(two.peer)).toBe(false);
  const sent = quotasOf(two).length;
  await quota(one, subject.handle, 101, ({ upTo }) => upTo === undefined);
  subject.handle.progress(two.peer, progress(100));
  expect([quotasOf(two).length - sent, subject.handle.has(two.peer)]).toEqual([0, false]);
});

test('a worker gets the part of its weight', async () => {
  const subject = new Subject();
  const light = new FakeWorker(1);
  const heavy = new FakeWorker(2, 'pipelined', 3);
  await Promise.all([subject.add(light), subject.add(heavy)]);
  for (const worker of [light, heavy]) subject.handle.progress(worker.peer, progress(0));
  await quota(heavy, subject.handle, 0, ({ step }) => typeof step === 'number');
  expect([light, heavy].map((worker) => quotasOf(worker)[0]?.['upTo'])).toEqual([8, 24]);
});

test('a bind that fails: an errno, no socket, and no quotas', async () => {
  const taken = await listening();
  const [errno, fields, socket] = await new Subject({ port: portOf(taken) }).add(new FakeWorker(1));
  expect([errno, fields, socket]).toEqual([-98, {}, null]);
  await new Promise((resolve) => taken.close(resolve));
});

test('the primary accepts while no worker is there, and the next worker gets what waits; then it accepts no more', async () => {
  const subject = new Subject();
  const { handle } = subject;
  const first = new FakeWorker(1);
  const port = await subject.port(first);
  expect(handle.remove(first.peer, KEEP)).toBe(true);
  expect(handle.listening).toBe(true);
  const client = await connected(port);
  await vi.waitUntil(() => handle.queued === 1, { timeout: 20_000 });
  const second = new FakeWorker(2);
  await subject.add(second);
  expect([handle.queued, second.connections.length]).toEqual([0, 1]);
  const another = net.connect(port, '127.0.0.1').on('error', () => undefined);
  left.push(() => { second.lose(); client.destroy(); another.destroy(); });
  await new Promise((resolve) => another.once('connect', resolve)); // With the kernel.
  for (let turns = 0; turns < 5; turns++) await new Promise(setImmediate);
  expect([handle.queued, second.connections.length]).toEqual([0, 1]);
});

test('the last worker leaves: the address is closed, and nothing is computed any more', async () => {
  const port = await freePort();
  const subject = new Subject({ port });
  const worker = new FakeWorker(1);
  await subject.add(worker);
  subject.handle.progress(worker.peer, progress(3));
  expect(subject.handle.remove(worker.peer)).toBe(true);
  expect([subject.handle.listening, subject.handle.native]).toEqual([false, null]);
  const [{ code }] = await event<[NodeJS.ErrnoException]>(net.connect(port, '127.0.0.1'), 'error');
  expect(code).toBe('ECONNREFUSED');
});

test('connections of a worker or of another primary go to a worker; while another primary takes over, to that', async () => {
  const subject = new Subject();
  const { handle } = subject;
  const [one, two] = [new FakeWorker(1), new FakeWorker(2)];
  await Promise.all([subject.add(one), subject.add(two)]);
  handle.report(one.peer, 3);
  expect(handle.takeBack(one.peer, new FakeConnection(9))).toBe(false); // It is no connection of this address.
  expect(handle.adopt(new FakeConnection(10), true)).toBe(true);
  expect(one.connections.length + two.connections.length).toBe(1);
  const heirs: unknown[] = [];
  handle.handOver((connection, moved) => { heirs.push([connection.fd, moved]); return true; });
  handle.adopt(new FakeConnection(11), true);
  expect(heirs).toEqual([[11, true]]);
  handle.serve();
  handle.adopt(new FakeConnection(12), false);
  expect([heirs.length, one.connections.length + two.connections.length]).toEqual([1, 2]);
  left.unshift(() => { one.lose(); two.lose(); });
});

test('`data` is that of the address', async () => {
  const subject = new Subject();
  const { handle } = subject;
  await subject.add(new FakeWorker(1)); // It is bound, so that it can be closed.
  handle.data = 'ticket keys';
  expect(handle.data).toBe('ticket keys');
});
