/**
 * Workers that accept from one socket within quotas (D63), in every order of events: the real AcceptQuotas and AcceptPause
 * over a kernel that prefers whom it likes, with workers that block, die and are at their `maxConnections`, a primary that
 * stands still, and messages that are late. A counterexample is printed as the events that lead to it.
 */
import { expect, test } from 'vitest';
import type { Progress, Quota } from '../../internal/messages';
import type { ListeningHandle, NativeHandle } from '../../internal/native/bindings';
import { dist } from '../support/program';

const { AcceptQuotas } = require(dist('internal/master/accept_quotas.js')) as typeof import('../../internal/master/accept_quotas');
const { AcceptPause } = require(dist('internal/child/accept_pause.js')) as typeof import('../../internal/child/accept_pause');

/**
 * `to1`: 9 connections come (one more than the least bound), and the kernel prefers worker 1; `block1`: worker 1 stands
 * still, or goes on; `die1`: it ends; `full1`: it may have one more connection, or as many as come again; `freeze`: the
 * primary stands still, or goes on; `deliver`: messages arrive; `time`: the connections end, and 30 ms pass.
 */
const STEPS = ['to1', 'to2', 'to3', 'block1', 'die1', 'full1', 'full2', 'freeze', 'deliver', 'time'] as const;
type Step = typeof STEPS[number];

const WORKERS = 3;
const BURST = 9;

class WorkerOf {
  readonly handle: ListeningHandle & { reading: boolean; readStart(): number; readStop(): number };
  readonly server: { _connections: number; maxConnections: number } = { _connections: 0, maxConnections: Number.POSITIVE_INFINITY };
  readonly pause: InstanceType<typeof AcceptPause>;
  /** To the primary. */
  outbox: Pick<Progress, 'total' | 'open' | 'full' | 'found'>[] = [];
  /** From the primary. */
  inbox: Pick<Quota, 'upTo' | 'mostOpen' | 'step'>[] = [];
  timers = new Set<{ ms: number; due: number; callback: () => void }>();
  afterPoll: (() => void)[] = [];
  blocked = false;
  dead = false;
  accepted = 0;

  constructor(readonly world: World, readonly name: string) {
    const self = this;
    this.handle = {
      reading: true,
      onconnection: () => { this.server._connections++; this.accepted++; },
      close() {}, ref() {}, unref() {}, hasRef: () => true,
      readStart() { self.handle.reading = true; return 0; },
      readStop() { self.handle.reading = false; return 0; },
    };
    this.pause = new AcceptPause(name, this.handle, this.server, (progress) => {
      world.must(!this.dead, `${name} reports nothing after its end`);
      this.outbox.push(progress);
    }, {
      now: () => world.now,
      every: (ms, callback) => {
        const timer = { ms, due: world.now + ms, callback };
        this.timers.add(timer);
        return { hold: () => undefined, stop: () => void this.timers.delete(timer) };
      },
      afterPoll: (callback) => void this.afterPoll.push(callback),
    });
    this.pause.begin();
  }

  get runs(): boolean {
    return !this.blocked && !this.dead;
  }

  /** A turn of its event loop: timers, poll, immediates. */
  turn(): void {
    if (!this.runs) return;
    for (const timer of [...this.timers]) {
      if (timer.due > this.world.now || !this.timers.has(timer)) continue;
      timer.due = this.world.now + timer.ms;
      timer.callback();
    }
    this.poll();
    for (const callback of this.afterPoll.splice(0)) callback();
  }

  poll(): void {
    while (this.runs && this.handle.reading && this.world.queue > 0) {
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
      case 'die1': {
        const worker = at(step);
        if (worker.dead) return;
        worker.pause.close();
        this.must(worker.timers.size === 0, 'no timer runs after close');
        worker.dead = true;
        worker.outbox = [];
        return this.quotas.remove(worker);
      }
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
    this.must(this.workers.reduce((sum, { accepted }) => sum + accepted, this.queue) === this.came, 'each connection is in the queue, or was accepted once');
    for (const { server, name, runs } of this.workers) {
      const { maxConnections, _connections } = server;
      this.must(!runs || _connections <= maxConnections, `${name} has no more than its maxConnections`);
    }
  }

  /** After two ticks no connection waits any more, if there is a worker that can accept it. */
  settle(): void {
    this.pass(55);
    this.check();
    const able = this.workers.filter(({ runs, server }) => runs && server._connections < server.maxConnections);
    this.must(this.queue === 0 || able.length === 0, `${this.queue} connections wait, although ${able.map(({ name }) => name).join()} could accept`);
  }
}

function play(way: readonly Step[]): World {
  const world = new World(way);
  for (const step of way) {
    world.step(step);
    world.check();
  }
  world.settle();
  return world;
}

/** All ways of this length; steps that do nothing where they stand are left out. */
function* ways(length: number, way: Step[] = []): Iterable<Step[]> {
  if (way.length === length) return void (yield way);
  for (const step of STEPS) {
    if (step === way.at(-1) && !step.startsWith('to') && step !== 'time') continue;
    if (step === 'die1' && way.includes('die1')) continue;
    yield* ways(length, [...way, step]);
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

test('the kernel prefers one worker all the time: all have the same after a while', () => {
  const way: Step[] = ['to1'];
  const world = new World(way);
  for (let times = 0; times < 400; times++) for (const step of ['to1', 'deliver', 'time', 'deliver'] as const) world.step(step);
  const counts = world.workers.map(({ accepted }) => accepted);
  expect(Math.max(...counts) / Math.min(...counts)).toBeLessThan(1.1);
});
