/**
 * Workers that accept from one socket within quotas (D63), in every order of events: the real AcceptQuotas and AcceptPause
 * over a kernel that prefers whom it likes, with workers that block, die and are at their `maxConnections`, a primary that
 * stands still, and messages that are late. A counterexample is printed as the events that lead to it.
 */
import { expect, test } from 'vitest';
import type { Progress, Quota } from '../../internal/messages';
import type { NativeHandle } from '../../internal/native/bindings';
import { FakeListener, FakeLoop } from '../support/accepting';
import { dist } from '../support/program';

const { AcceptQuotas } = require(dist('internal/master/accept_quotas.js')) as typeof import('../../internal/master/accept_quotas');
const { AcceptPause } = require(dist('internal/child/accept_pause.js')) as typeof import('../../internal/child/accept_pause');

/**
 * `to1`: 9 connections come (one more than the least bound), and the kernel prefers worker 1; `block1`: worker 1 stands
 * still, or goes on; `die1`: it ends; `full1`: it may have one more connection, or as many as come again; `freeze`: the
 * primary stands still, or goes on; `deliver`: messages arrive; `time`: the connections end, and 30 ms pass.
 */
const STEPS = ['to1', 'to2', 'to3', 'block1', 'die1', 'full1', 'full2', 'freeze', 'deliver', 'time'] as const;
/**
 * `join`: a worker begins to listen; `die2`: worker 2 ends; `stop`: nobody may have one more connection, or as many as come
 * again; the others are lies of worker 3: it has accepted more than there are numbers, or nothing; has no room; has more
 * open than there are numbers; has found a connection.
 */
const RARE = ['join', 'die2', 'stop', 'lieMuch', 'lieNothing', 'lieFull', 'lieOpen', 'lieFound'] as const;
type Step = (typeof STEPS | typeof RARE)[number];

const LIES: Partial<Record<Step, Pick<Progress, 'total' | 'open' | 'full' | 'found'>>> = {
  lieMuch: { total: Number.MAX_SAFE_INTEGER, open: 0 },
  lieNothing: { total: 0, open: 0 },
  lieFull: { total: 9, open: 9, full: true },
  lieOpen: { total: 9, open: Number.MAX_SAFE_INTEGER },
  lieFound: { total: 9, open: 0, found: true },
};

/** What has happened in some way: a model in which it never happens would show nothing about it. */
const covered = new Set<string>();

const WORKERS = 3;
const BURST = 9;

class WorkerOf {
  readonly handle = new FakeListener(9);
  readonly loop: FakeLoop;
  readonly server: { _connections: number; maxConnections: number } = { _connections: 0, maxConnections: Number.POSITIVE_INFINITY };
  readonly pause: InstanceType<typeof AcceptPause>;
  /** To the primary. */
  outbox: Pick<Progress, 'total' | 'open' | 'full' | 'found'>[] = [];
  /** From the primary. */
  inbox: Pick<Quota, 'upTo' | 'pace' | 'mostOpen' | 'step'>[] = [];
  blocked = false;
  dead = false;
  accepted = 0;

  constructor(readonly world: World, readonly name: string) {
    this.handle.onconnection = () => { this.server._connections++; this.accepted++; };
    this.loop = new FakeLoop(() => world.now);
    this.pause = new AcceptPause(name, this.handle, this.server, (progress) => {
      world.must(!this.dead, `${name} reports nothing after its end`);
      this.outbox.push(progress);
    }, this.loop);
    this.pause.begin();
  }

  get runs(): boolean {
    return !this.blocked && !this.dead;
  }

  get isPaused(): boolean {
    return !this.dead && !this.handle.accepting;
  }

  /** A turn of its event loop: timers, poll, immediates. */
  turn(): void {
    if (!this.runs) return;
    this.loop.runTimers();
    this.poll();
    this.loop.runImmediates();
  }

  poll(): void {
    while (this.runs && this.handle.accepting && this.world.queue > 0) {
      const { maxConnections } = this.server;
      this.world.must(this.server._connections < maxConnections, `${this.name} drops no connection`);
      this.world.queue--;
      this.handle.onconnection?.(0, {} as NativeHandle);
    }
  }
}

class World {
  now = 1000;
  queue = 0;
  came = 0;
  frozen = false;
  readonly workers = Array.from({ length: WORKERS }, (_, at) => new WorkerOf(this, `W${at + 1}`));
  primaryTimers = new Set<{ due: number; callback: () => void }>();
  readonly quotas = new AcceptQuotas<WorkerOf>((worker, terms) => void worker.inbox.push(terms), {
    now: () => this.now,
    after: (ms, callback) => {
      const timer = { due: this.now + ms, callback };
      this.primaryTimers.add(timer);
      return () => void this.primaryTimers.delete(timer);
    },
  });

  constructor(readonly way: readonly Step[]) {
    for (const worker of this.workers) this.quotas.add(worker, 1);
  }

  must(holds: boolean, what: string): void {
    if (!holds) throw new Error(`${what}\n  after ${this.way.join(' → ')}`);
  }

  step(step: Step): void {
    const at = (name: string): WorkerOf => this.workers[Number(name.at(-1)) - 1] as WorkerOf;
    switch (step) {
      case 'freeze': this.frozen = !this.frozen; return;
      case 'deliver': return this.deliver();
      case 'time':
        for (const { server } of this.workers) server._connections = 0;
        return this.pass(30);
      case 'block1': at(step).blocked = !at(step).blocked; return;
      case 'full1': case 'full2': {
        const { server } = at(step);
        server.maxConnections = server.maxConnections === Infinity ? server._connections + 1 : Infinity;
        return;
      }
      case 'die1': case 'die2': {
        const worker = at(step);
        if (worker.dead) return;
        if (worker.isPaused) covered.add('a worker dies while it is paused');
        worker.pause.close();
        this.must(worker.loop.timers.size === 0, 'no timer runs after close');
        worker.dead = true;
        worker.outbox = [];
        return this.quotas.remove(worker);
      }
      case 'join': {
        if (this.workers.some(({ isPaused }) => isPaused)) covered.add('a worker joins while another one is paused');
        const worker = new WorkerOf(this, `W${this.workers.length + 1}`);
        this.workers.push(worker);
        return this.quotas.add(worker, 1);
      }
      case 'stop': {
        const stopped = this.workers.every(({ server }) => server.maxConnections < Infinity);
        for (const { server } of this.workers) server.maxConnections = stopped ? Infinity : server._connections + 1;
        return;
      }
      case 'lieMuch': case 'lieNothing': case 'lieFull': case 'lieOpen': case 'lieFound':
        if (!at('W3').dead) at('W3').outbox.push(LIES[step] as Progress);
        return;
      default: return this.arrive(at(step));
    }
  }

  /** Connections come one by one, and whoever is woken first runs: the preferred worker, then the others. */
  arrive(preferred: WorkerOf): void {
    for (let times = 0; times < BURST; times++) {
      this.came++;
      this.queue++;
      for (const worker of [preferred, ...this.workers]) worker.poll();
    }
  }

  deliver(): void {
    if (!this.frozen) for (const worker of this.workers) for (const progress of worker.outbox.splice(0)) if (!worker.dead) this.quotas.report(worker, progress);
    for (const worker of this.workers) if (worker.runs) for (const terms of worker.inbox.splice(0)) worker.pause.quota(terms);
    for (const worker of this.workers) worker.poll();
  }

  pass(ms: number): void {
    for (const end = this.now + ms; this.now < end; this.now += 5) {
      if (!this.frozen) {
        for (const timer of [...this.primaryTimers]) {
          if (timer.due > this.now || !this.primaryTimers.delete(timer)) continue;
          timer.callback();
        }
      }
      for (const worker of this.workers) worker.turn();
    }
  }

  check(): void {
    const there = this.workers.filter(({ dead }) => !dead);
    if (there.every(({ isPaused }) => isPaused)) covered.add('all are paused');
    if (this.frozen && there.some(({ isPaused }) => isPaused)) covered.add('the primary is silent, and a worker is paused');
    if (there.some(({ isPaused, server, runs }) => runs && isPaused && server._connections < server.maxConnections)) covered.add('a worker is at its quota');
    this.must(this.workers.reduce((sum, { accepted }) => sum + accepted, this.queue) === this.came, 'each connection is in the queue, or was accepted once');
    for (const { server, name, runs } of this.workers) {
      const { maxConnections, _connections } = server;
      this.must(!runs || _connections <= maxConnections, `${name} has no more than its maxConnections`);
    }
  }

  /** After two ticks no connection waits any more, if there is a worker that can accept it. `looks`: after so many. */
  settle(looks = 2): void {
    this.pass(25 * looks + 5);
    this.check();
    const able = this.workers.filter(({ runs, server }) => runs && server._connections < server.maxConnections);
    this.must(this.queue === 0 || able.length === 0, `${this.queue} connections wait, although ${able.map(({ name }) => name).join()} could accept`);
  }
}

function play(way: readonly Step[], looks?: number): World {
  const world = new World(way);
  for (const step of way) {
    world.step(step);
    world.check();
  }
  world.settle(looks);
  return world;
}

/** All ways of this length; steps that do nothing where they stand are left out. */
function* ways(length: number, steps: readonly Step[] = STEPS, way: Step[] = []): Iterable<Step[]> {
  if (way.length === length) return void (yield way);
  for (const step of steps) {
    if (step === way.at(-1) && !step.startsWith('to') && step !== 'time') continue;
    if ((step.startsWith('die') || step === 'join') && way.includes(step)) continue;
    yield* ways(length, steps, [...way, step]);
  }
}

test('every order of five events: no connection is lost or waits for a worker that does not accept', { timeout: 120_000 }, () => {
  let played = 0;
  for (const way of ways(5)) {
    play(way);
    played++;
  }
  expect(played).toBeGreaterThan(40_000);
});

test('the same behind a burst that brings one worker to its quota', { timeout: 120_000 }, () => {
  for (const way of ways(4)) play(['to1', 'time', 'deliver', 'time', 'deliver', ...way]);
});

test('a worker lies, joins, or dies while it is paused, or nobody may accept, in every order with the others', { timeout: 120_000 }, () => {
  covered.clear();
  const steps = ['to1', 'to3', 'block1', 'freeze', 'deliver', 'time', ...RARE] as const;
  for (const way of ways(3, steps)) for (const begin of [[], ['to1', 'time', 'deliver', 'time', 'deliver', 'to1']] as const) {
    // With each look a worker accepts eight. So the two bursts at the end may need three of them, if only one worker accepts.
    play([...begin, ...way, 'deliver', 'time', 'deliver', 'to1', 'to1'], 7);
  }
  expect([...covered].sort()).toEqual([
    'a worker dies while it is paused', 'a worker is at its quota', 'a worker joins while another one is paused', 'all are paused', 'the primary is silent, and a worker is paused',
  ]);
});

// Two numbers beyond what an integer can be stood in the quotas for good.
test('after the lies of a worker that has died the others have the same after a while', () => {
  for (const lie of Object.keys(LIES) as Step[]) {
    const world = new World([lie]);
    for (const step of ['to1', lie, 'deliver', 'time', 'deliver'] as const) world.step(step);
    const liar = world.workers[2] as WorkerOf;
    liar.pause.close();
    liar.dead = true;
    world.quotas.remove(liar);
    for (let times = 0; times < 400; times++) for (const step of ['to1', 'deliver', 'time', 'deliver'] as const) world.step(step);
    const counts = world.workers.slice(0, 2).map(({ accepted }) => accepted);
    expect(Math.max(...counts) / Math.min(...counts), lie).toBeLessThan(1.1);
  }
});

test('the kernel prefers one worker all the time: all have the same after a while', () => {
  const way: Step[] = ['to1'];
  const world = new World(way);
  for (let times = 0; times < 400; times++) for (const step of ['to1', 'deliver', 'time', 'deliver'] as const) world.step(step);
  const counts = world.workers.map(({ accepted }) => accepted);
  expect(Math.max(...counts) / Math.min(...counts)).toBeLessThan(1.1);
});
