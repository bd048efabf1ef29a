/**
 * Guards against a lock with two holders, and against a held lock whose holder does not know of it. All orders of
 * {the end of the lease, a renewal, a release, a second caller, a disconnect} are played, with a holder whose event
 * loop runs and with one whose event loop is blocked.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Lease } from '../../internal/shared_state/client/lock';
import { World, turns, type Process } from './world';

// Each refusal makes an error, and the test runner would map each line of its stack, which takes long.
const { stackTraceLimit } = Error;
beforeAll(() => { Error.stackTraceLimit = 0; });
afterAll(() => { Error.stackTraceLimit = stackTraceLimit; });

const lost = expect.objectContaining({ code: 'ERR_SHARED_STATE_LEASE_LOST' });

type Step = 'renew' | 'release' | 'time' | 'waiter' | 'disconnect';
const STEPS: readonly Step[] = ['renew', 'release', 'time', 'waiter', 'disconnect'];

/** Each order of all five steps, and of each four of them. */
function orders(steps: readonly Step[]): Step[][] {
  const all: Step[][] = [[]];
  for (const step of steps) for (const rest of orders(steps.filter((other) => other !== step))) all.push([step, ...rest]);
  return all.filter(({ length }) => length > 3 || steps.length < STEPS.length);
}

/**
 * The event loop of the holder. `first: null`: it runs all the time. Otherwise it is blocked between the holder's own
 * steps; `first` says whether timers or messages are handled first when it runs again, and `turns` whether it runs
 * after each of these steps or before. Before: the answer to a step is not read until the next one.
 */
const LOOPS = [
  { first: null, turns: 'always' }, { first: 'timers', turns: 'after' }, { first: 'messages', turns: 'after' },
  { first: 'timers', turns: 'before' }, { first: 'messages', turns: 'before' },
] as const;

async function play(steps: readonly Step[], loop: typeof LOOPS[number], renewal: number, time: number): Promise<string[]> {
  const world = new World();
  const [holder, next, witness] = [world.join(), world.join(), world.join()] as const;
  const lease = await holder.state.lock('l', { ttlMs: 100 });
  const wrong: string[] = [];
  let other: Lease | undefined;
  let wasLost = false;
  let gone = false;
  let wake = loop.first === null ? null : holder.block();
  const turnHolder = (): void => {
    if (loop.first !== null) wake?.(loop.first);
    wake = null;
  };
  const block = (): void => {
    if (loop.first !== null && !gone) wake = holder.block();
  };
  /** Does a step of the holder; its event loop runs before or after the step, and is blocked again. */
  const byHolder = async (act: (process: Process) => Promise<unknown>): Promise<void> => {
    if (loop.turns === 'before') {
      turnHolder();
      await turns(1);
    }
    const held = lease.held;
    // A write with the lease is sent only if the holder believes that it holds the lock.
    const guarded = holder.state.set('k', 1, { lease }).then(() => true, () => false);
    const done = act(holder).catch(() => undefined);
    if (loop.turns === 'before') block();
    else turnHolder();
    await turns(2);
    if (loop.turns === 'after') block();
    void done;
    if (!held) void guarded.then((accepted) => { if (accepted) wrong.push('a write with a lost lease was done'); });
  };
  for (const step of steps) {
    switch (step) {
      case 'renew': await byHolder(() => lease.renew(renewal)); break;
      case 'release': await byHolder(() => lease.release()); break;
      case 'time': await world.clock.advance(time); break;
      case 'waiter': next.state.lock('l', { ttlMs: 1e9 }).then((got) => { other = got; }, () => undefined); break;
      case 'disconnect': holder.die(); gone = true; break;
    }
    await turns(2);
    const says = await witness.state.holder('l');
    if (lease.held && other?.held === true) wrong.push(`two holders after ${step}`);
    if (lease.held && says?.holder !== 1) wrong.push(`held, but not in the primary, after ${step}`);
    if (lease.held && wasLost) wrong.push(`held again after ${step}`);
    wasLost ||= !lease.held;
  }
  turnHolder();
  await turns(4);
  const says = await witness.state.holder('l');
  if (says?.holder === 1 && !lease.held) wrong.push('lost, but held in the primary');
  if (says === undefined && lease.held) wrong.push('held, but free in the primary');
  if (steps.includes('waiter') && !lease.held && other?.held !== true) wrong.push('lost, and the second caller does not have the lock');
  if (lease.held === lease.signal.aborted) wrong.push('the signal and `held` disagree');
  return wrong.map((what) => `${steps.join(', ')} (${loop.first}, ${loop.turns}): ${what}`);
}

describe('a lock has one holder or none', () => {
  test.each([['longer', 300, 100], ['shorter', 20, 50], ['of the same length', 100, 100]])('all orders, with a renewal that is %s', async (_name, renewal, time) => {
    const wrong: string[] = [];
    for (const loop of LOOPS) for (const steps of orders(STEPS)) wrong.push(...await play(steps, loop, renewal, time));
    expect(orders(STEPS).length).toBe(240);
    expect(wrong).toEqual([]);
  });

  test('a lease that the primary has renewed, while the event loop was blocked beyond the old end, is released when the loop runs again', async () => {
    for (const first of ['timers', 'messages'] as const) {
      const world = new World();
      const [one, two] = [world.join(), world.join()];
      const lease = await one.state.lock('l', { ttlMs: 1000 });
      const renewal = lease.renew(10_000);
      const wake = one.block();
      const next = two.state.lock('l');
      await turns(1);
      await world.clock.advance(1300);
      expect((await two.state.holder('l'))?.holder, 'renewed').toBe(1);
      // The holder notices the loss before it sends a write with the lease.
      await expect(one.state.set('k', 1, { lease })).rejects.toThrow(lost);
      wake(first);
      await expect(renewal).rejects.toThrow(lost);
      expect((await next).held).toBe(true);
      expect([lease.held, lease.signal.aborted, await lease.release()]).toEqual([false, true, false]);
    }
  });

  test('release asks the primary also if the lease has run out, but not if the connection is lost', async () => {
    const world = new World();
    const one = world.join();
    const lease = await one.state.lock('l', { ttlMs: 100 });
    await world.clock.advance(100);
    const before = one.answered();
    expect(await lease.release()).toBe(false);
    expect(one.answered()).toBeGreaterThan(before);
    const lastOne = await one.state.lock('l');
    one.client.receive({ cmd: 'NODE_CLUSTER_STATE', act: 'closed' });
    expect([lastOne.held, await lastOne.release()]).toEqual([false, false]);
  });

  test('if a grant and the loss of the connection come in one turn, the lease is lost from the beginning', async () => {
    const world = new World();
    const one = world.join();
    await one.state.get('k');
    const pending = one.state.lock('l');
    const wake = one.block();
    await turns(2);
    wake('messages');
    queueMicrotask(() => one.client.receive({ cmd: 'NODE_CLUSTER_STATE', act: 'closed' }));
    const lease = await pending;
    expect([lease.held, lease.signal.aborted]).toEqual([false, true]);
  });

  test('a lock can be released even if limits.pendingCalls is reached', async () => {
    const world = new World({ pendingCalls: 3 });
    const [one, two] = [world.join(), world.join()];
    const lease = await one.state.lock('l');
    const waiting = two.state.lock('l');
    const calls = [1, 2, 3].map(() => one.state.get('k'));
    await expect(one.state.get('k')).rejects.toThrow(expect.objectContaining({ limit: 'pendingCalls' }));
    expect(await lease.release()).toBe(true);
    expect((await waiting).held).toBe(true);
    await Promise.all(calls);
  });
});
