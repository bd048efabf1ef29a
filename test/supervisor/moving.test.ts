/** D58: what a supervisor does with the kept-alive connections of workers that leave. */
import { EventEmitter, once } from 'node:events';
import { readFileSync } from 'node:fs';
import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises';
import diagnostics from 'node:diagnostics_channel';
import type { Socket } from 'node:net';
import { afterEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { timers } from '../../internal/builtins';
import { IdleMoves } from '../../internal/supervisor/worker/drain_moves';
import { Kept, Supervised } from '../moving/supervised';

let app: Supervised | undefined;
let kept: Kept | undefined;

afterEach(async () => {
  kept?.end();
  await app?.end();
  app = kept = undefined;
});

async function start(workers: number, connections: number, options: object = {}, more: ConstructorParameters<typeof Supervised>[2] = {}): Promise<number> {
  app = new Supervised(workers, options, more);
  const port = await app.port();
  kept = await Kept.open(port, connections);
  return port;
}

const workersOf = (replies: readonly ({ worker: number } | null)[]): (number | undefined)[] => [...new Set(replies.map((reply) => reply?.worker))].sort();

describe('idle connections of workers that leave', () => {
  // Without a move, a worker keeps its idle connections for the grace of a minute, or closes them.
  const patient = { idleGraceMs: 60_000, leaveTimeoutMs: 25_000, rebalance: false, restarts: { max: 100, minDelayMs: 1, maxDelayMs: 1 } };

  /** One of two workers leaves. The connections that were its are the other's, or its successor's; nothing was closed. */
  async function leaves(how: string): Promise<unknown> {
    const before = workersOf(await (kept as Kept).ask());
    const { ms } = await (app as Supervised).command(`leave ${before[0]} ${how}`);
    const after = workersOf(await (kept as Kept).ask());
    return [after.includes(undefined), after.includes(before[0]), ms < 20_000];
  }

  test('a worker that is disconnected from here or by itself, gets a signal, or was lost because it stood still: its connections move', { timeout: 120_000 }, async () => {
    // So long may it stand still until it counts as lost, and so long may it move its connections then.
    await start(2, 40, { ...patient, pingMs: 50, pingTimeoutMs: 4_000 });
    for (const how of ['disconnect', 'disconnects', 'SIGTERM', 'SIGINT', 'stands-still']) {
      expect([how, await leaves(how)]).toEqual([how, [false, false, true]]);
    }
  });

  // With acceptUntilReplaced: false they were closed.
  test.each([false, true])('a worker with graceful and acceptUntilReplaced: %s, that gets a signal, has an exception, or asks for its end: likewise', { timeout: 120_000 }, async (acceptUntilReplaced) => {
    await start(2, 40, patient, { env: { GRACEFUL: JSON.stringify({ acceptUntilReplaced, idleGraceMs: 5_000, timeoutMs: 24_000 }) } });
    for (const how of ['SIGTERM', 'throws', 'asks', 'disconnect', 'disconnects']) {
      expect([how, await leaves(how)]).toEqual([how, [false, false, true]]);
    }
  });

  test('reload, recycle, scale down: none is closed, all are served by the workers that stay, and nobody waits for the grace', { timeout: 120_000 }, async () => {
    // With the grace of a minute, a worker that waited for its idle connections would have to be killed.
    await start(2, 40, { idleGraceMs: 60_000, leaveTimeoutMs: 25_000 });
    const reload = await (app as Supervised).command('reload');
    const after = await (kept as Kept).ask();
    expect(workersOf(after)).toEqual([3, 4]);
    expect(after.every((reply) => reply?.says !== 'close')).toBe(true);
    expect(reload.ms).toBeLessThan(20_000);
    await (app as Supervised).command('recycle');
    expect(workersOf(await (kept as Kept).ask())).toEqual([5, 6]);
    await (app as Supervised).command('scale 1');
    expect(workersOf(await (kept as Kept).ask())).toHaveLength(1);
    const { accepted, moved } = await (app as Supervised).counters();
    expect(accepted).toBe(40);
    expect(moved).toBeGreaterThanOrEqual(80);
  });

  // Its exit waited for connections that it had offered to a primary that stood still, and cut them off at its deadline.
  test('a worker with graceful whose primary stands still: it ends in time, and what it has offered is served when the primary goes on', { timeout: 60_000 }, async () => {
    // Six for each worker: it offers that many at a time.
    await start(2, 12, patient, { env: { GRACEFUL: JSON.stringify({ acceptUntilReplaced: false, idleGraceMs: 100, timeoutMs: 20_000 }) } });
    const [pid] = await (app as Supervised).pids();
    process.kill((app as Supervised).pid, 'SIGSTOP');
    const began = performance.now();
    process.kill(pid as number, 'SIGTERM');
    const state = (): string => /\) (.)/.exec(readFileSync(`/proc/${pid}/stat`, 'utf8'))?.[1] ?? '';
    while (state() !== 'Z' && performance.now() - began < 30_000) await sleep(10); // Its parent stands still: no event tells of its end.
    const ms = performance.now() - began;
    process.kill((app as Supervised).pid, 'SIGCONT');
    const after = await (kept as Kept).ask();
    expect([after.includes(null), ms < 10_000]).toEqual([false, true]);
    expect(workersOf(after)).not.toContain(1);
  });

  test('stop: nobody is left to take them, so they are closed after the grace', { timeout: 60_000 }, async () => {
    await start(2, 6, { idleGraceMs: 100 });
    await (app as Supervised).command('stop');
    expect(await (kept as Kept).ask()).toEqual(Array(6).fill(null));
    expect((await (app as Supervised).counters())['moved']).toBe(0);
  });

  test('an app that keeps them, and move: false: as before', { timeout: 60_000 }, async () => {
    await start(1, 6, { idleGraceMs: 100 }, { env: { KEEPS: '1' } });
    await (app as Supervised).command('reload');
    expect(await (kept as Kept).ask()).toEqual(Array(6).fill(null));
    await app?.end();
    // Rebalancing moves connections to the new worker before the old one leaves, if the new one is ready early enough.
    await start(1, 6, { idleGraceMs: 100, move: false, rebalance: false });
    await (app as Supervised).command('reload');
    expect(await (kept as Kept).ask()).toEqual(Array(6).fill(null));
  });
});

test('D59: after scale up, the new worker gets its share of the kept connections; with rebalance: false none', { timeout: 120_000 }, async () => {
  await start(1, 20);
  await (app as Supervised).command('scale 2');
  const end = performance.now() + 20_000;
  while (((await (app as Supervised).counters())['moved'] ?? 0) < 10 && performance.now() < end);
  const replies = await (kept as Kept).ask();
  expect(workersOf(replies)).toEqual([1, 2]);
  expect(replies.filter((reply) => reply?.worker === 2)).toHaveLength(10);
  const { moved, workers } = await (app as Supervised).status();
  expect(moved).toBe((await (app as Supervised).counters())['moved']);
  expect(workers.map((worker) => [worker.place, worker.moved])).toEqual([[1, 0], [2, moved]]);
  kept?.end();
  await app?.end();
  await start(1, 20, { rebalance: false });
  await (app as Supervised).command('scale 2');
  expect(workersOf(await (kept as Kept).ask())).toEqual([1]);
  expect((await (app as Supervised).counters())['moved']).toBe(0);
});

describe('drain_moves', () => {
  const finished = diagnostics.channel('http.server.response.finish');
  const none: readonly [moved: number, refused: number] = [0, 0];

  /** A worker whose passes end when the test says so. */
  class Passes extends EventEmitter {
    begun = 0;
    #end: ((result: { moved: number; refused: number }) => void) | null = null;

    returnIdle(): Promise<{ moved: number; refused: number }> {
      this.begun++;
      this.emit('begun');
      return new Promise((resolve) => { this.#end = resolve; });
    }

    mayMove(): boolean {
      return true;
    }

    async end([moved, refused] = none): Promise<void> {
      this.#end?.({ moved, refused });
      await turn();
    }
  }

  /** Until the end of the test an interval runs only when `tick` is called. */
  function looksOfInterval(): { tick(): void } {
    const looks = { tick: (): void => undefined };
    vi.spyOn(timers, 'setInterval').mockImplementation(((call: () => void) => { looks.tick = call; }) as never);
    onTestFinished(() => void vi.restoreAllMocks());
    return looks;
  }

  test('one pass at a time; responses that finish meanwhile cause one more', async () => {
    const passes = new Passes();
    let refused = 0;
    const moves = new IdleMoves(passes, () => refused++);
    expect(moves.willMove({} as Socket)).toBe(false);
    moves.begin();
    moves.begin();
    finished.publish({});
    finished.publish({});
    expect([passes.begun, moves.willMove({} as Socket)]).toEqual([1, true]);
    await passes.end();
    expect(passes.begun).toBe(2);
    await passes.end();
    expect(passes.begun).toBe(2);
    finished.publish({});
    expect(passes.begun).toBe(3);
    await passes.end();
    expect([refused, moves.willMove({} as Socket)]).toEqual([0, true]);
  });

  test('a primary that stands still: when no connection has left for a while, the rest stay, and nobody waits for the pass', async () => {
    const looks = looksOfInterval();
    const passes = new Passes();
    let [over, open] = [0, 10];
    const moves = new IdleMoves(passes, () => over++, () => open);
    moves.begin();
    open--;
    looks.tick();
    await turn();
    expect([over, moves.willMove({} as Socket)]).toEqual([0, true]);
    const done = moves.now();
    looks.tick();
    await done;
    expect([over, moves.willMove({} as Socket)]).toEqual([1, false]);
    await passes.end([10, 0]);
    expect(passes.begun).toBe(1);
  });

  // Its connections were closed after the grace in place of moving.
  test('a worker that was stopped for longer reads the answers that are here before it says that the primary stands still', async () => {
    const looks = looksOfInterval();
    const passes = new Passes();
    let [over, open] = [0, 10];
    const moves = new IdleMoves(passes, () => over++, () => open);
    moves.begin();
    looks.tick(); // Timers come before what is read.
    open--;
    await turn();
    expect([over, moves.willMove({} as Socket)]).toEqual([0, true]);
    moves.end();
  });

  test('the primary says that all workers leave: no more passes, also if the first one was still to come', async () => {
    const passes = new Passes();
    let over = 0;
    const moves = new IdleMoves(passes, () => over++);
    moves.begin(50);
    expect([passes.begun, moves.willMove({} as Socket)]).toEqual([0, true]);
    moves.end();
    moves.end();
    await moves.now();
    expect([passes.begun, over, moves.willMove({} as Socket)]).toEqual([0, 1, false]);
    const later = new IdleMoves(passes, () => undefined);
    later.begin(20);
    finished.publish({});
    expect(passes.begun).toBe(0);
    await once(passes, 'begun', { signal: AbortSignal.timeout(10_000) });
    later.end();
  });

  // A connection that was on its way here when the process stopped accepting waited for the end of the grace.
  test('a connection that arrives causes a pass', async () => {
    const passes = new Passes();
    const moves = new IdleMoves(passes, () => undefined);
    moves.begin();
    await passes.end();
    diagnostics.channel('net.server.socket').publish({});
    expect(passes.begun).toBe(2);
  });

  // A pause of dispatch in the primary refused one connection, and all that came to rest afterwards were closed.
  test('what was refused is offered again; only if nothing is taken for half a second, the rest stay', async () => {
    const passes = new Passes();
    let refused = 0;
    const moves = new IdleMoves(passes, () => refused++);
    const nextPass = (): Promise<unknown> => once(passes, 'begun', { signal: AbortSignal.timeout(10_000) });
    moves.begin();
    for (let pass = 1; pass < 50; pass++) {
      const next = nextPass();
      await passes.end([pass % 10 === 0 ? 1 : 0, 1]);
      await next;
    }
    expect([refused, moves.willMove({} as Socket)]).toEqual([0, true]);
    await passes.end([1, 1]);
    for (let pass = 2; pass < 20; pass++) {
      await nextPass();
      await passes.end([0, 1]);
    }
    await nextPass();
    expect(refused).toBe(0);
    await passes.end([0, 1]);
    expect([refused, moves.willMove({} as Socket)]).toEqual([1, false]);
    const { begun } = passes;
    finished.publish({});
    await moves.now();
    expect(passes.begun).toBe(begun);
  });
});
