/** Guards against a process that uses up what all share, that sends more calls than it may, or that does not read the answers. */
import { describe, expect, test } from 'vitest';
import { SharedState } from '../../internal/shared_state/client/api';
import { StateClient } from '../../internal/shared_state/client/client';
import { mergeLimits } from '../../internal/shared_state/values';
import { VirtualClock, World, turns } from './world';

const code = (code: string, more: object = {}): object => expect.objectContaining({ code: `ERR_SHARED_STATE_${code}`, ...more });

describe('the quota of each process', () => {
  const until = async (limit: string, step: (n: number) => Promise<unknown>): Promise<number> => {
    for (let n = 0; ; n++) {
      const error = await step(n).then(() => undefined, (reason: { limit?: string }) => reason);
      if (error === undefined) continue;
      expect(error).toEqual(code('LIMIT', { limit }));
      return n;
    }
  };

  test('a process that takes all keys, bytes and locks that it can leaves half for the others; limits below 8 have no quota', async () => {
    const world = new World({ keys: 100, locks: 100, totalBytes: 200_000, keyBytes: 10, valueBytes: 20_000 });
    const [greedy, other] = [world.join().state, world.join().state];
    expect(await until('keysPerProcess', (n) => greedy.set(`k${n}`, 1))).toBe(50);
    expect(await until('locksPerProcess', (n) => greedy.lock(`l${n}`))).toBe(50);
    await other.lock('l');
    await expect(greedy.lock('l'), 'a waiting call counts too').rejects.toThrow(code('LIMIT', { limit: 'locksPerProcess' }));
    expect(await until('bytesPerProcess', (n) => greedy.set(`k${n}`, 'x'.repeat(10_000)))).toBe(9);
    expect(await until('keys', (n) => other.set(`o${n}`, 1))).toBe(50);
    // A key counts for the process that wrote it last.
    await expect(greedy.set('o0', 1)).rejects.toThrow(code('LIMIT', { limit: 'keysPerProcess' }));
    await other.delete('o1');
    await other.set('k0', 'x');
    await greedy.set('back', 1);
    const small = new World({ locks: 5 }).join().state;
    expect(await until('locks', (n) => small.lock(`l${n}`))).toBe(5);
  });

  test('the keys of a process that has ended stay and count for no process; the primary has no quota', async () => {
    const world = new World({ keys: 20 });
    const gone = world.join();
    expect(await until('keysPerProcess', (n) => gone.state.set(`g${n}`, 1))).toBe(10);
    gone.die();
    expect(await until('keys', (n) => world.join().state.set(`n${n}`, 1))).toBe(10);
    const primary = new World({ keys: 20 });
    const own: unknown[] = [];
    const session = primary.server.connect(0, (message) => void own.push(message));
    primary.server.receive(session, { act: 'hello' });
    primary.server.receive(session, { act: 'calls', calls: Array.from({ length: 21 }, (_, id) => ({ id, op: 'set', key: `k${id}`, text: '1' })) });
    const { answers } = own.at(-1) as { answers: { error?: { limit: string } }[] };
    expect(answers.flatMap(({ error }) => error?.limit ?? [])).toEqual(['keys']);
  });

  /** A process that sends any calls and does not read: `written` are the callbacks of what was sent to it. */
  const flooder = (world: World, free = false): { say(calls: unknown[]): void; sent: { act: string; answers?: { error?: { limit?: string } }[] }[]; written: (() => void)[] } => {
    const sent: { act: string }[] = [];
    const written: (() => void)[] = [];
    const session = world.server.connect(7, (message, done) => {
      sent.push(message);
      written.push(done);
      return free;
    });
    world.server.receive(session, { act: 'hello' });
    return { say: (calls) => world.server.receive(session, { act: 'calls', calls }), sent, written };
  };
  const refused = (sent: readonly { answers?: { error?: { limit?: string } }[] }[]): (string | undefined)[] => sent.flatMap(({ answers = [] }) => answers.flatMap(({ error }) => (error ? [error.limit] : [])));

  test('a process that does not count its calls is refused, and cut off if it goes on', async () => {
    const cut: number[] = [];
    const world = new World({ pendingCalls: 10, watches: 10, locks: 4 }, ({ id }) => cut.push(id));
    const { say, sent, written } = flooder(world);
    const gets = (count: number): object[] => Array.from({ length: count }, (_, id) => ({ id, op: 'get', key: 'k' }));
    say([{ id: 1, op: 'lock', name: 'mine', ttlMs: 1000, wait: true }]);
    say(gets(20));
    expect(refused(sent)).toEqual(Array(12).fill('pendingCalls'));
    for (const done of written.splice(0)) done();
    say(gets(9));
    expect(refused(sent).length, 'new calls are done when the answers are written').toBe(12);
    const { state } = world.join();
    const waiting = state.lock('mine');
    await turns();
    say(gets(100_000));
    expect([cut, sent.at(-1)?.act]).toEqual([[7], 'closed']);
    const before = sent.length;
    say(gets(1));
    await turns();
    expect(sent.length).toBe(before);
    expect((await waiting).held, 'its lock is free').toBe(true);
    // While the channel is free nothing counts as unread, even if no callback comes.
    const free = flooder(world, true);
    for (let n = 0; n < 100; n++) free.say(gets(10));
    expect(refused(free.sent)).toEqual([]);
  });

  test('the primary counts the bytes of answers and events that a process does not read', async () => {
    const world = new World({ unreadBytes: 300_000 });
    const { state } = world.join();
    await state.set('k', 'x'.repeat(60_000));
    const { say, sent, written } = flooder(world);
    say(Array.from({ length: 20 }, (_, id) => ({ id, op: 'get', key: 'k' })));
    expect(refused(sent)).toEqual(Array(15).fill('unreadBytes'));
    say([{ id: 100, op: 'watch', watch: 1, prefix: '' }]);
    await turns();
    expect(sent.filter(({ act }) => act === 'events')).toEqual([]);
    for (const done of written.splice(0)) done();
    await turns();
    expect(sent.filter(({ act }) => act === 'events').length, 'events come when the answers are written').toBe(1);
  });

  test('calls that have timed out count until they are answered, as they do in the primary', async () => {
    const world = new World({ pendingCalls: 3 });
    const process = world.join();
    await process.state.get('k');
    const release = process.hold();
    const late = [1, 2, 3].map(() => process.state.get('k', { timeoutMs: 5 }).catch(() => 'late'));
    await turns();
    await world.clock.advance(5);
    expect(await Promise.all(late)).toEqual(['late', 'late', 'late']);
    await expect(process.state.get('k')).rejects.toThrow(code('LIMIT', { limit: 'pendingCalls' }));
    release();
    await turns();
    expect(await process.state.get('k')).toBe(undefined);
  });

  test('many large values of one turn are sent in several messages', async () => {
    const sent: number[] = [];
    const client = new StateClient(new VirtualClock(), (message) => { if (message.act === 'calls') sent.push(JSON.stringify(message).length); }, { hold: false, timeoutMs: 5000 });
    client.receive({ cmd: 'NODE_CLUSTER_STATE', act: 'welcome', limits: mergeLimits(undefined) });
    const state = new SharedState(client, () => client.close());
    for (let n = 0; n < 100; n++) void state.set(`k${n}`, 'x'.repeat(60_000)).catch(() => undefined);
    await turns(1);
    expect(sent.length).toBeGreaterThan(4);
    expect(Math.max(...sent)).toBeLessThan(1_200_000);
    state.close();
  });
});
