/**
 * A primary that was stopped (SIGSTOP) for an hour while it is replaced: its deadlines have passed, and the answers of its
 * successor are in the pipe. Timers come before what is read, so the successor, which serves, was killed with its connections.
 */
import { EventEmitter } from 'node:events';
import { afterEach, expect, test, vi } from 'vitest';
import { performance, timers } from '../../internal/builtins';
import type { NativeHandle } from '../../internal/native/bindings';
import { GivenConnections } from '../../internal/upgrade/given_connections';
import { PROTOCOL, UPGRADE, type PredecessorMessage } from '../../internal/upgrade/messages';
import { Predecessor } from '../../internal/upgrade/predecessor';
import type { Addresses } from '../../internal/upgrade/registry';
import * as start from '../../internal/upgrade/start';

const HOUR = 3_600_000;
const { setImmediate, setTimeout: realTimeout } = timers;
const turn = (): Promise<void> => new Promise((resolve) => { setImmediate(resolve); });
afterEach(() => { vi.restoreAllMocks(); });

/** The timers that are set from now on, and the time. `stopped`: an hour passes, and what is due is called, before anything is read. */
function world() {
  let passed = 0;
  const due = new Set<() => void>();
  const { now } = performance;
  vi.spyOn(performance, 'now').mockImplementation(() => now() + passed);
  vi.spyOn(timers, 'setTimeout').mockImplementation(((call: () => void) => {
    const one = (): void => {
      due.delete(one);
      call();
    };
    due.add(one);
    return Object.assign(realTimeout(() => undefined, 0), { one });
  }) as never);
  vi.spyOn(timers, 'clearTimeout').mockImplementation(((timer?: { one?: () => void }) => void (timer?.one !== undefined && due.delete(timer.one))) as never);
  return {
    stopped: (): void => {
      passed += HOUR;
      for (const call of [...due]) call();
    },
  };
}

const addresses: Addresses = {
  listening: () => [], handOver: () => undefined, giveMore: () => undefined, stopAccepting: () => undefined, queued: 0, takeBack: () => true, resume: () => undefined,
  release: () => undefined, adopt: () => false, mayWait: () => true, serve: () => undefined,
} as unknown as Addresses;

test.each([['is here', true], ['does not come', false]])('a connection was given to the successor, an hour passes, and the answer %s', async (_what, comes) => {
  const { stopped } = world();
  const stalls: number[] = [];
  const given = new GivenConnections(addresses, () => undefined, (ms) => void stalls.push(ms));
  for (const name of ['first', 'second']) given.give(1, { close: () => undefined, name } as unknown as NativeHandle, false);
  stopped();
  if (comes) {
    given.answered(1, true);
    given.answered(2, true);
  }
  await turn();
  expect([stalls, given.taken]).toEqual(comes ? [[], 2] : [[30_000], 0]);
  given.takeAllBack();
});

function fakeChild() {
  const child = Object.assign(new EventEmitter(), { pid: 1, exitCode: null, signalCode: null, unref: () => undefined, killed: [] as string[], kill: (signal: string) => void child.killed.push(signal) });
  return child;
}

/** Each message of the successor, and what this primary has sent when it waits for it. */
const STEPS = { ready: 'begin', serving: 'commit', done: 'last' } as const;

test.each(['ready', 'serving', 'done', 'none'] as const)('an hour passes before this primary reads the answer: %s', async (late) => {
  const { stopped } = world();
  const child = fakeChild();
  let receive: (message: unknown, handle: undefined) => void = () => undefined;
  const answers = {
    hello: { protocol: PROTOCOL, pid: 1, node: 'v20' }, ready: { adopted: [] }, serving: {}, done: {},
  };
  const answer = async (act: keyof typeof answers): Promise<void> => {
    await turn();
    if (act === late) stopped();
    receive({ cmd: UPGRADE, act, ...answers[act] }, undefined);
  };
  const link = {
    isOpen: true, close: () => undefined, listen: (received: typeof receive) => { receive = received; },
    send: ({ act }: PredecessorMessage) => {
      for (const step of ['ready', 'serving', 'done'] as const) if (STEPS[step] === act && !(late === 'none' && step === 'done')) void answer(step);
    },
  };
  vi.spyOn(start, 'startSuccessor').mockReturnValue({ child, link } as never);
  const predecessor = new Predecessor({ execPath: 'node', args: [] }, 60_000, { addresses, leave: async () => undefined, stay: () => undefined });
  const run = predecessor.run().then(({ pid }) => `replaced by ${pid}`, (error: Error) => error.message);
  await answer('hello');
  for (let turns = 0; turns < 30; turns++) await turn();
  if (late === 'none') stopped();
  expect(await run).toBe(late === 'none' ? 'The new primary was not taken: it did not answer within 10000 ms. This one goes on' : 'replaced by 1');
  expect(child.killed).toEqual(late === 'none' ? ['SIGKILL'] : []);
});

// The reason was the end of its channel, which comes first, when this primary stood still right after that.
test('the successor is killed, and an hour passes between the end of its channel and its end: the reason is the signal', async () => {
  const { stopped } = world();
  const child = fakeChild();
  let channelEnds: (error: Error | null) => void = () => undefined;
  const link = { isOpen: true, close: () => undefined, send: () => undefined, listen: (_receive: unknown, ends: typeof channelEnds) => { channelEnds = ends; } };
  vi.spyOn(start, 'startSuccessor').mockReturnValue({ child, link } as never);
  const run = new Predecessor({ execPath: 'node', args: [] }, 2 * HOUR, { addresses, leave: async () => undefined, stay: () => undefined }).run();
  const reason = run.then(() => 'replaced', (error: Error) => error.message);
  channelEnds(null);
  stopped();
  child.emit('exit', null, 'SIGKILL');
  expect(await reason).toBe('The new primary was not taken: it was killed by SIGKILL. This one goes on');
});
