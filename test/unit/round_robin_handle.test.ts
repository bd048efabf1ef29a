/** One address under round robin: binding, queueing, handing off, ending, with workers in memory and real connections. */
import diagnostics from 'node:diagnostics_channel';
import { mkdtempSync, rmSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { performance } from '../../internal/builtins';
import { shortPath } from '../../internal/master/listen_options';
import { RoundRobinHandle, type AddressOptions } from '../../internal/master/round_robin_handle';
import { IDLE_WINDOW, WINDOW } from '../../internal/master/scheduling';
import type { SocketName } from '../../internal/messages';
import type { StateTrace } from '../../internal/trace';
import { event, within } from '../support/children';
import { FakeWorker, query, type FakeHandle } from '../support/cluster_fakes';
import { freePort } from '../support/free_port';
import { connected, listening, portOf } from '../support/handles';
import { expectedWarnings } from '../support/warnings';

interface Reply { errno: number | null; sockname?: SocketName }

let keys = 0;
const left: (() => void)[] = [];

// These workers answer when a test says so. On a busy machine that is later than the window waits for.
beforeEach(() => {
  vi.spyOn(performance, 'now').mockReturnValue(1000);
  vi.spyOn(performance, 'turn').mockReturnValue(1);
});
afterEach(() => {
  vi.restoreAllMocks();
  for (const release of left.splice(0)) release();
});

/** A handle whose states are recorded, and its replies by worker. */
class Subject {
  readonly handle: RoundRobinHandle;
  readonly states: string[] = ['binding'];
  readonly replies = new Map<FakeWorker, Reply[]>();
  readonly #waiting: (() => void)[] = [];
  readonly #seated = new Set<FakeWorker>();
  readonly #met = new Set<FakeWorker>();

  constructor(fields: Parameters<typeof query>[0] = {}, options: AddressOptions = {}) {
    const key = `unit ${++keys}`;
    const record = (message: unknown): void => {
      const { what, to } = message as StateTrace;
      if (what !== key) return;
      this.states.push(to);
      for (const wake of this.#waiting.splice(0)) wake();
    };
    diagnostics.subscribe('cluster-internals:state', record);
    this.handle = new RoundRobinHandle(key, query(fields), options);
    const sweeper = new FakeWorker(99);
    left.push(() => {
      for (const worker of this.#seated) this.handle.remove(worker.peer);
      // Also where a test failed: a last worker comes and goes, and what was in flight is closed.
      if (this.state === 'listening') {
        this.add(sweeper);
        this.handle.remove(sweeper.peer);
      }
      for (const worker of [...this.#met, sweeper]) worker.lose();
      diagnostics.unsubscribe('cluster-internals:state', record);
    });
  }

  get state(): string {
    return this.states.at(-1) as string;
  }

  add(worker: FakeWorker): void {
    this.#seated.add(worker);
    this.#met.add(worker);
    this.handle.add(worker.peer, (errno, fields) => {
      const replies = this.replies.get(worker) ?? [];
      replies.push({ errno, ...fields });
      this.replies.set(worker, replies);
    });
  }

  remove(worker: FakeWorker): boolean {
    this.#seated.delete(worker);
    return this.handle.remove(worker.peer);
  }

  /** Waits for the end of the bind. */
  async bound(): Promise<void> {
    while (this.state === 'binding' || this.state === 'abandoned') {
      await within<void>(30_000, 'the end of the bind', (resolve) => this.#waiting.push(() => resolve()));
    }
  }

  port(worker: FakeWorker): number {
    return this.replies.get(worker)?.[0]?.sockname?.port as number;
  }
}

/** `count` clients, connected one after the other, so that they are accepted in this order. */
async function clients(port: number, count: number): Promise<net.Socket[]> {
  const sockets: net.Socket[] = [];
  for (let at = 0; at < count; at++) {
    const client = await connected(port);
    left.push(() => client.destroy());
    sockets.push(client);
  }
  return sockets;
}

/** Waits until `worker` has been handed `count` connections. */
async function handed(worker: FakeWorker, count: number): Promise<void> {
  if (worker.connections.length >= count) return;
  await within<void>(30_000, `connection ${count}`, (resolve) => {
    const { process } = worker;
    const { send } = process;
    process.send = (...args) => {
      const result = send.apply(process, args);
      if (worker.connections.length >= count) resolve();
      return result;
    };
  });
}

const clientPort = (handle: FakeHandle): number => {
  const name = {} as { port: number };
  (handle as unknown as { getpeername(out: object): number }).getpeername(name);
  return name.port;
};

const order = (handles: FakeHandle[], sockets: net.Socket[]): number[] =>
  handles.map((handle) => sockets.findIndex(({ localPort }) => localPort === clientPort(handle)));

const ended = (client: net.Socket): Promise<unknown[]> => {
  client.resume();
  return client.closed ? Promise.resolve([]) : event(client, 'close', 30_000);
};

describe('every order of {the bind ends, add a, add b, remove a, remove b}', () => {
  type Step = 'bind' | 'add a' | 'add b' | 'remove a' | 'remove b';

  /** All orders in which a is added before it is removed, and b too. */
  function orders(rest: readonly Step[]): Step[][] {
    if (rest.length === 0) return [[]];
    return rest.flatMap((step) => {
      const others = rest.filter((other) => other !== step);
      if (step.startsWith('remove') && others.includes(`add ${step.at(-1)}` as Step)) return [];
      return orders(others).map((order) => [step, ...order]);
    });
  }
  const all = orders(['bind', 'add a', 'add b', 'remove a', 'remove b']);

  test.each([['succeeds'], ['fails']])('the bind %s', async (how) => {
    expect(all.length).toBe(30);
    const occupied = await listening();
    const address = { port: how === 'fails' ? portOf(occupied) : await freePort() };
    for (const steps of all) {
      const subject = new Subject(address);
      const workers = { a: new FakeWorker(1), b: new FakeWorker(2) };
      const present = new Set<string>();
      /** The states that the steps so far must have led through. */
      const expected = ['binding'];
      /** Replies that each worker must have had. */
      const due = { a: 0, b: 0 };
      for (const step of steps) {
        const name = step.at(-1) as 'a' | 'b';
        const before = expected.at(-1);
        if (step === 'bind') {
          await subject.bound();
          if (before === 'abandoned') expected.push('closed');
          else expected.push(how === 'fails' ? 'failed' : 'listening');
          if (before === 'binding') for (const one of present) due[one as 'a' | 'b']++;
          if (how === 'fails') present.clear();
        } else if (step.startsWith('add')) {
          if (before === 'abandoned' || before === 'closed') {
            expect(() => subject.add(workers[name])).toThrow();
            break; // Its key is free by now: there is no such step in a primary.
          }
          subject.add(workers[name]);
          if (before !== 'binding') due[name]++;
          if (before !== 'failed') present.add(name);
        } else {
          const last = present.delete(name) && present.size === 0;
          expect([steps, step, subject.remove(workers[name])]).toEqual([steps, step, last]);
          if (last) expected.push(before === 'binding' ? 'abandoned' : 'closed');
        }
        // Re-checked after each step: the state, who has got a reply, who listens here.
        expect([steps, step, subject.states]).toEqual([steps, step, expected]);
        for (const one of ['a', 'b'] as const) {
          expect([steps, step, one, subject.replies.get(workers[one])?.length ?? 0]).toEqual([steps, step, one, due[one]]);
          expect([steps, step, one, subject.handle.has(workers[one].peer)]).toEqual([steps, step, one, present.has(one)]);
        }
      }
      await subject.bound();
      for (const one of ['a', 'b'] as const) {
        for (const reply of subject.replies.get(workers[one]) ?? []) {
          expect(reply.errno).toBe(how === 'fails' ? -98 : null);
          expect(reply.sockname === undefined).toBe(how === 'fails');
        }
      }
      for (const release of left.splice(0)) release();
      await new Promise((resolve) => setImmediate(resolve));
      const port = subject.port(workers.a) ?? subject.port(workers.b);
      if (how === 'succeeds' && port !== undefined) await refused(port);
    }
    occupied.close();
  });
});

/** Nobody listens there any more. */
async function refused(port: number): Promise<void> {
  const client = net.connect(port, '127.0.0.1');
  const [error] = await event<[NodeJS.ErrnoException]>(client, 'error');
  expect(error.code).toBe('ECONNREFUSED');
}

test('M-2, R-3: the reply names the socket; a path has no name', async () => {
  const subject = new Subject();
  const worker = new FakeWorker(1);
  subject.add(worker);
  await subject.bound();
  expect(subject.replies.get(worker)).toEqual([{ errno: null, sockname: { address: '127.0.0.1', family: 'IPv4', port: expect.any(Number) as number } }]);

  const directory = mkdtempSync(path.join(tmpdir(), 'unit-'));
  left.push(() => rmSync(directory, { recursive: true }));
  const pipe = new Subject({ address: path.join(directory, 'socket'), port: -1, addressType: -1 });
  pipe.add(worker);
  await pipe.bound();
  expect(pipe.replies.get(worker)?.at(-1)).toEqual({ errno: null });
});

describe('R-5: handing off', () => {
  test('serial connections rotate; accepted ones are closed here', async () => {
    const subject = new Subject();
    const workers = [1, 2, 3].map((id) => new FakeWorker(id));
    for (const worker of workers) subject.add(worker);
    await subject.bound();
    const sockets: net.Socket[] = [];
    for (let at = 0; at < 9; at++) {
      sockets.push(...await clients(subject.port(workers[0]!), 1));
      const worker = workers[at % 3]!;
      await handed(worker, Math.floor(at / 3) + 1);
      const closing = ended(sockets[at]!);
      worker.acknowledgeAll();
      await closing; // nobody has another copy, so its client sees the end
    }
    expect(workers.map(({ connections }) => connections.length)).toEqual([3, 3, 3]);
  });

  test('R-6: a stock worker has one in flight, a worker of ours two, a window when it has answered; the rest waits in order', async () => {
    // However long the connections take to come, the worker was heard of just now.
    vi.spyOn(performance, 'now').mockReturnValue(1);
    const subject = new Subject();
    const [ours, stock] = [new FakeWorker(1), new FakeWorker(2, 'node')];
    subject.add(ours);
    subject.add(stock);
    await subject.bound();
    const sockets = await clients(subject.port(ours), IDLE_WINDOW + WINDOW + 3);
    await handed(stock, 1);
    await handed(ours, IDLE_WINDOW);
    ours.acknowledgeAll();
    await handed(ours, IDLE_WINDOW + WINDOW);
    expect([ours.connections.length, stock.connections.length]).toEqual([IDLE_WINDOW + WINDOW, 1]);
    stock.acknowledgeAll();
    await handed(stock, 2);
    stock.acknowledgeAll();
    await handed(stock, 3);
    expect(order(stock.handles.slice(1), sockets)).toEqual([-1, IDLE_WINDOW + WINDOW + 2]); // the one before is closed already
    expect(ours.connections.length).toBe(IDLE_WINDOW + WINDOW);
  });

  test('R-6: a worker that comes later gets what is queued at once', async () => {
    const subject = new Subject();
    const first = new FakeWorker(1, 'node');
    subject.add(first);
    await subject.bound();
    const sockets = await clients(subject.port(first), 3);
    await handed(first, 1);
    const later = new FakeWorker(2);
    subject.add(later);
    await handed(later, 2);
    expect(order([...first.handles, ...later.handles], sockets)).toEqual([0, 1, 2]);
  });

  test('rejected: it goes to the tail and to another', async () => {
    const subject = new Subject();
    const [full, free] = [new FakeWorker(1, 'node'), new FakeWorker(2, 'node')];
    subject.add(full);
    await subject.bound();
    const sockets = await clients(subject.port(full), 3);
    await handed(full, 1);
    full.acknowledgeAll([full.connections[0]!.message.seq]); // behind the second and third
    await handed(full, 2);
    subject.add(free);
    await handed(free, 1);
    expect(order([...full.handles, ...free.handles], sockets)).toEqual([0, 1, 2]);
    free.acknowledgeAll();
    await handed(free, 2);
    expect(order(free.handles.slice(1), sockets)).toEqual([0]);
    expect(sockets[0]!.destroyed).toBe(false);
  });
});

describe('a worker is lost', () => {
  test('R-8, D3: what was in flight to it goes back to the head, in order, before what was queued', async () => {
    // However long the connections take to come, the worker was heard of just now.
    vi.spyOn(performance, 'now').mockReturnValue(1);
    const subject = new Subject();
    const [dying, other] = [new FakeWorker(1), new FakeWorker(2, 'node')];
    subject.add(dying);
    subject.add(other);
    await subject.bound();
    const sockets = await clients(subject.port(dying), WINDOW + 4);
    await handed(dying, IDLE_WINDOW);
    // The other took the second; the rest is queued.
    expect([order(other.handles, sockets), order(dying.handles, sockets)]).toEqual([[1], [0, 2]]);
    // The first two were accepted: never sent again.
    dying.peer.acknowledge(dying.connections[1]!.message.seq, []);
    await Promise.all([ended(sockets[0]!), ended(sockets[2]!)]);
    await handed(dying, IDLE_WINDOW + WINDOW);

    const expected = order(dying.handles.slice(2), sockets);
    dying.lose();
    expect(subject.remove(dying)).toBe(false);
    const got: number[] = [];
    for (let at = 1; at <= expected.length + 1; at++) {
      await handed(other, at);
      got.push(...order(other.handles.slice(at - 1, at), sockets));
      other.acknowledgeAll();
    }
    expect(got).toEqual([1, ...expected, WINDOW + 3].slice(0, got.length));
    expect(got.length).toBe(expected.length + 1);
    await handed(other, expected.length + 2); // the one that was queued comes after all of them
  });

  test('its channel has ended before anybody was told: the connection goes to the next, and nothing is lost', async () => {
    const subject = new Subject();
    const [gone, next] = [new FakeWorker(1), new FakeWorker(2)];
    subject.add(gone);
    subject.add(next);
    await subject.bound();
    gone.process.connected = false;
    const sockets = await clients(subject.port(next), 2);
    await handed(next, 2);
    expect(order(next.handles, sockets)).toEqual([0, 1]);
    expect(gone.connections).toEqual([]);
    gone.lose();
    expect(subject.remove(gone)).toBe(false);
    expect(subject.remove(next)).toBe(true);
  });

  test('a connection came between the end of the last worker\'s channel and its removal: that still closes everything', async () => {
    const port = await freePort();
    const subject = new Subject({ port });
    const worker = new FakeWorker(1);
    subject.add(worker);
    await subject.bound();
    worker.process.connected = false;
    const [client] = await clients(port, 1);
    const closing = ended(client!);
    worker.lose();
    expect(subject.remove(worker)).toBe(true);
    await closing;
    await refused(port);
  });
});

describe('R-7: the last worker leaves', () => {
  test('queued connections are closed, in flight ones when they have ended, and nobody listens', async () => {
    const port = await freePort();
    const subject = new Subject({ port });
    const worker = new FakeWorker(1, 'node');
    subject.add(worker);
    await subject.bound();
    const sockets = await clients(port, 4);
    await handed(worker, 1);
    // Serial: the first is in flight, so the others are queued or still to be accepted.
    expect([subject.remove(worker), subject.remove(worker)]).toEqual([true, false]);
    expect(subject.state).toBe('closed');
    await Promise.all(sockets.slice(1).map(ended));
    expect(sockets[0]!.destroyed).toBe(false);
    worker.acknowledgeAll();
    await ended(sockets[0]!);
    await refused(port);
  });

  test.each([['rejected'], ['lost']])('R-9, D13: a connection that comes back %s after that is closed, its client does not hang', async (how) => {
    const subject = new Subject();
    const worker = new FakeWorker(1);
    subject.add(worker);
    await subject.bound();
    const sockets = await clients(subject.port(worker), 2);
    await handed(worker, 2);
    expect(subject.remove(worker)).toBe(true);
    if (how === 'rejected') worker.acknowledgeAll(worker.connections.map(({ message }) => message.seq));
    else worker.lose();
    await Promise.all(sockets.map(ended));
  });

  test('a hand-off that cannot be written goes to another worker, at once and first', async () => {
    const subject = new Subject();
    const [broken, other] = [new FakeWorker(1), new FakeWorker(2)];
    subject.add(broken);
    subject.add(other);
    await subject.bound();
    broken.process.unwritten = [];
    const sockets = await clients(subject.port(broken), 1);
    await handed(broken, 1);
    broken.process.unwritten.shift()!(new Error('write ETOOMANYREFS'));
    await handed(other, 1);
    expect(order(other.handles, sockets)).toEqual([0]);
    expect(broken.peer.inFlight).toBe(0);
  });

  test('R-11: a connection that everybody rejects is offered again and again, and stays open', async () => {
    const subject = new Subject();
    const worker = new FakeWorker(1);
    subject.add(worker);
    await subject.bound();
    const [client] = await clients(subject.port(worker), 1);
    for (let times = 1; times <= 20; times++) {
      await handed(worker, times);
      worker.peer.acknowledge(worker.connections.at(-1)!.message.seq, [worker.connections.at(-1)!.message.seq]);
    }
    expect(client!.destroyed).toBe(false);
  });

  test('nobody takes anything: they are asked again after a rest, not in a loop, and a new worker at once', async () => {
    const subject = new Subject();
    const workers = [new FakeWorker(1), new FakeWorker(2)];
    for (const worker of workers) subject.add(worker);
    await subject.bound();
    await clients(subject.port(workers[0]!), 1);
    const asked = (): number => workers.reduce((sum, { connections }) => sum + connections.length, 0);
    await handed(workers[0]!, 1);
    const refuse = (): void => {
      for (const worker of workers) {
        if (worker.peer.inFlight > 0) worker.acknowledgeAll([worker.connections.at(-1)!.message.seq]);
      }
    };
    const began = Date.now();
    while (asked() < 40) {
      refuse();
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(Date.now() - began, 'nineteen rests of 20 ms').toBeGreaterThan(250);
    const latest = new FakeWorker(3);
    refuse();
    subject.add(latest);
    // Whoever has it now, the third gets it when both have refused, or has it by now.
    refuse();
    expect(latest.connections.length).toBe(1);
  });
});

describe('D33: more connections than may wait', () => {
  const limits = { queuedConnections: 4, reservedFds: 32 };

  test('the rest waits in the backlog, nobody is refused, and all are served in order', async () => {
    const subject = new Subject({}, { limits });
    const worker = new FakeWorker(1, 'node'); // one in flight
    subject.add(worker);
    await subject.bound();
    const states: string[] = [];
    const record = (message: unknown): void => {
      const { what, to } = message as StateTrace;
      if (what.endsWith(' accept')) states.push(to);
    };
    diagnostics.subscribe('cluster-internals:state', record);
    left.push(() => diagnostics.unsubscribe('cluster-internals:state', record));
    const sockets = await clients(subject.port(worker), 20);
    let highest = 0;
    for (let served = 1; served <= 20; served++) {
      await handed(worker, served);
      highest = Math.max(highest, subject.handle.queued);
      worker.acknowledgeAll();
    }
    expect(order(worker.handles.slice(0, 20), sockets).length).toBe(20);
    expect(states).toContain('full');
    expect(states.at(-1)).toBe('accepting');
    expect(highest).toBeLessThanOrEqual(limits.queuedConnections);
    expect(subject.handle.queued).toBe(0);
  });
});

test('Q-9: the shorter of a path and its relative form is bound', () => {
  expect(shortPath(`${process.cwd()}/a.sock`)).toBe('a.sock');
  expect(shortPath('/a')).toBe('/a');
});

describe('E4: a scheduling function that changes what it is asked about', () => {
  /** Two workers and `count` clients that wait, since the function names nobody it could; `act` runs at the first that can be handed off. */
  async function reentered(act: (subject: Subject, workers: readonly [FakeWorker, FakeWorker]) => unknown): Promise<{ subject: Subject; workers: readonly [FakeWorker, FakeWorker]; clients: net.Socket[] }> {
    expectedWarnings('ClusterSchedulingWarning'); // The function goes on to name worker 1, which `act` may have removed.
    const workers = [new FakeWorker(1), new FakeWorker(2)] as const;
    let armed = true;
    const subject: Subject = new Subject({}, { scheduling: () => {
      if (!armed) return 1;
      armed = false;
      return act(subject, workers) as number;
    } });
    for (const worker of workers) subject.add(worker);
    await subject.bound();
    const sockets = await clients(subject.port(workers[0]), 1);
    return { subject, workers, clients: sockets };
  }
  const handedOff = (workers: readonly FakeWorker[]): number[] => workers.map(({ connections }) => connections.length);

  test('it removes the worker that it names: the other one gets the connection, once', async () => {
    const { workers } = await reentered((subject, [first]) => { subject.remove(first); return 1; });
    await handed(workers[1], 1);
    expect(handedOff(workers)).toEqual([0, 1]);
  });

  test('it removes another, which would hand off what it is asked about: that goes once', async () => {
    const { workers, clients: sockets } = await reentered((subject, [, second]) => { subject.remove(second); return 1; });
    await handed(workers[0], 1);
    expect(handedOff(workers)).toEqual([1, 0]);
    workers[0].acknowledgeAll();
    expect(workers[0].peer.inFlight).toBe(0);
    expect(sockets[0]?.destroyed).toBe(false);
  });

  test('it removes all: the connection is closed, once, and nothing is in flight', async () => {
    const { subject, workers, clients: sockets } = await reentered((of, both) => { for (const worker of both) of.remove(worker); return 1; });
    await ended(sockets[0]!);
    expect([subject.state, handedOff(workers), subject.handle.queued]).toEqual(['closed', [0, 0], 0]);
  });

  test.each([
    ['throws what has no text', () => { throw Object.create(null); }],
    ['gives an object whose id throws', () => ({ get id() { throw new Error('no id'); } })],
    ['gives an id without text', () => ({ id: { toString: () => { throw new Error('no text'); } } })],
  ])('it %s: round robin', async (_how, act) => {
    vi.spyOn(process, 'emitWarning').mockImplementation(() => { throw new Error('nobody warns'); });
    const thrown: unknown[] = [];
    process.setUncaughtExceptionCaptureCallback((error) => thrown.push(error.message));
    onTestFinished(() => process.setUncaughtExceptionCaptureCallback(null));
    const { workers } = await reentered(act);
    while (handedOff(workers)[0]! + handedOff(workers)[1]! === 0 || thrown.length === 0) await new Promise((resolve) => setImmediate(resolve));
    expect([handedOff(workers), thrown]).toEqual([[1, 0], ['nobody warns']]);
  });
});
