/**
 * Guards against a lock without an owner and a lock with two: all orders of {expiry, renewal, release,
 * next waiter, disconnect}, with a holder that is awake and with one whose event loop is blocked.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Lease } from '../../internal/shared_state/client/lock';
import { World, turns, type Process } from './world';

// Each refusal makes an error, and the test runner maps each line of its stack.
const { stackTraceLimit } = Error;
beforeAll(() => { Error.stackTraceLimit = 0; });
afterAll(() => { Error.stackTraceLimit = stackTraceLimit; });

const lost = expect.objectContaining({ code: 'ERR_SHARED_STATE_LEASE_LOST' });

type Step = 'renew' | 'release' | 'time' | 'waiter' | 'disconnect';
const STEPS: readonly Step[] = ['renew', 'release', 'time', 'waiter', 'disconnect'];

/** Every order of four or five of the steps. */
function orders(steps: readonly Step[]): Step[][] {
  const all: Step[][] = [[]];
  for (const step of steps) for (const rest of orders(steps.filter((other) => other !== step))) all.push([step, ...rest]);
  return all.filter(({ length }) => length > 3 || steps.length < STEPS.length);
}

/**
 * How the holder's loop is: awake, or blocked but for its own steps, with what comes first when it turns
 * again. It turns after each of its own steps, or before: then no answer is read until the next step.
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
  /** The holder does something; its loop turns before or after that, and is blocked again. */
  const byHolder = async (act: (process: Process) => Promise<unknown>): Promise<void> => {
    if (loop.turns === 'before') {
      turnHolder();
      await turns(1);
    }
    const held = lease.held;
    // What is guarded is sent only by who believes that it holds the lock.
    const guarded = holder.state.set('k', 1, { lease }).then(() => true, () => false);
    const done = act(holder).catch(() => undefined);
    if (loop.turns === 'before') block();
    else turnHolder();
    await turns(2);
    if (loop.turns === 'after') block();
    void done;
    if (!held) void guarded.then((accepted) => { if (accepted) wrong.push('a guarded write of who had lost it'); });
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
  if (says?.holder === 1 && !lease.held) wrong.push('the primary has it for who has lost it');
  if (says === undefined && lease.held) wrong.push('held, but free in the primary');
  if (steps.includes('waiter') && !lease.held && other?.held !== true) wrong.push('lost, and the next does not have it');
  if (lease.held === lease.signal.aborted) wrong.push('the signal says something else');
  return wrong.map((what) => `${steps.join(', ')} (${loop.first}, ${loop.turns}): ${what}`);
}

describe('a lock has one owner or none', () => {
  test.each([['longer', 300, 100], ['shorter', 20, 50], ['of the same length', 100, 100]])('a renewal that is %s', async (_name, renewal, time) => {
    const wrong: string[] = [];
    for (const loop of LOOPS) for (const steps of orders(STEPS)) wrong.push(...await play(steps, loop, renewal, time));
    expect(orders(STEPS).length).toBe(240);
    expect(wrong).toEqual([]);
  });

  test('lease.js: renewed by the primary while the loop is blocked past the old end: given back as the loop turns', async () => {
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
      // It learns of it before it does anything guarded.
      await expect(one.state.set('k', 1, { lease })).rejects.toThrow(lost);
      wake(first);
      await expect(renewal).rejects.toThrow(lost);
      expect((await next).held).toBe(true);
      expect([lease.held, lease.signal.aborted, await lease.release()]).toEqual([false, true, false]);
    }
  });

  test('release asks the primary also when the lease has run out here; after the loss of the connection it has nobody to ask', async () => {
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

  test('a grant and the loss of the connection in one turn: the lease is lost from the first moment on', async () => {
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

  test('with as many pending calls as there may be a lock is given back all the same', async () => {
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
