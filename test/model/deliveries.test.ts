/**
 * A connection's way through a worker, in every order of events: the real Deliveries and FauxHandle over
 * a pipe that is full at times, servers that throw, close in their listeners or elsewhere, have a limit,
 * and a channel that ends. A counterexample is printed as the events that lead to it.
 */
import { expect, test } from 'vitest';
import type { NativeHandle } from '../../internal/native/bindings';
import { dist } from '../support/program';

const { Deliveries, ListeningServer } = require(dist('internal/child/deliveries.js')) as typeof import('../../internal/child/deliveries');
const { performance, timers } = require(dist('internal/builtins.js')) as typeof import('../../internal/builtins');
const { FauxHandle } = require(dist('internal/child/faux_handle.js')) as typeof import('../../internal/child/faux_handle');

/**
 * `arrive` a connection, `full` and `room` in the pipe, `fail` of the write that waits, `turn`: the reads of this turn of
 * the event loop are over, its immediates run, and the next turn begins. `close` of the server outside of its listeners, `end` of a connection that it has, `lost` channel. `throws` and `closes`: what the next listener does.
 * `getter`: what the next read of the limit does.
 */
const STEPS = ['arrive', 'full', 'room', 'fail', 'turn', 'close', 'end', 'lost', 'throws', 'closes', 'getter'] as const;
type Step = typeof STEPS[number];

const owner = Symbol('owner_symbol');

class Connection implements NativeHandle {
  state: 'arrived' | 'accepted' | 'touched' | 'closed' = 'arrived';
  answers = 0;
  constructor(readonly seq: number, readonly world: World) {}
  close(): void {
    this.world.must(this.state !== 'touched' && this.state !== 'closed', `${this.seq} is closed once, and not by us when it is the server's`);
    this.state = 'closed';
  }
  ref(): void {}
  unref(): void {}
}

/** What net.Server does with its handle. */
class Server {
  _handle: InstanceType<typeof FauxHandle> | null;
  _connections = 0;
  closeEvents = 0;
  closedInListener = false;
  constructor(readonly world: World, faux: InstanceType<typeof FauxHandle>) {
    this._handle = faux;
    faux.onconnection = (_errno, connection) => this.#connection(connection as Connection);
  }
  get maxConnections(): number {
    if (this.world.take('getter')) throw new Planned();
    return this.world.limit;
  }
  #connection(connection: Connection): void {
    const { world } = this;
    world.must(connection.state === 'accepted', `${connection.seq} is touched when the kernel has its acknowledgement`);
    world.must(this.closeEvents === 0, `${connection.seq} comes before 'close'`);
    world.must(world.reads > world.touchedIn, `what the client before ${connection.seq} has sent is read before ${connection.seq} is touched`);
    world.touchedIn = world.turn;
    world.must(!this.closedInListener, `${connection.seq} does not come to a server that closed in its listener`);
    world.must(this._connections < world.limit, `the limit holds at ${connection.seq}`);
    connection.state = 'touched';
    Object.assign(connection, { [owner]: this });
    this._connections++;
    world.has++;
    if (world.take('closes')) {
      this.closedInListener ||= this._handle !== null;
      this.close();
    }
    if (world.take('throws')) throw new Planned();
  }
  close(): void {
    this._handle?.close();
    this._handle = null;
    this._emitCloseIfDrained();
  }
  _emitCloseIfDrained(): void {
    if (this._handle === null && this._connections === 0) this.closeEvents++;
  }
}

/** What a listener of the app's throws, and the app survives. */
class Planned extends Error {}

class World {
  readonly #deliveries = new Deliveries((_key, seq, accepted, written) => this.#answer(seq, accepted, written));
  readonly #connections: Connection[] = [];
  readonly #server: Server;
  readonly #planned = new Set<Step>();
  #full = false;
  #lost = false;
  /** The answer that waits for room. */
  #pending: { readonly connection: Connection; readonly written: (error: Error | null) => void } | null = null;
  #answered = 0;
  has = 0;
  /** The turn of the event loop, and the last one in which all reads are over. */
  turn = 1;
  reads = 0;
  /** The turn in which a connection was touched last. */
  touchedIn = -1;

  constructor(readonly way: readonly Step[], readonly limit: number) {
    const faux = new FauxHandle(undefined, () => this.#deliveries.close('key', listening));
    faux.unref();
    this.#server = new Server(this, faux);
    const listening = new ListeningServer(this.#server, faux);
    this.#deliveries.listen('key', listening);
  }

  must(holds: boolean, what: string): void {
    if (!holds) throw new Error(`${what}\n  after ${this.way.join(' → ')}`);
  }

  take(step: Step): boolean {
    return this.#planned.delete(step);
  }

  #answer(seq: number, accepted: boolean, written: (error: Error | null) => void): boolean {
    const connection = this.#connections[seq] as Connection;
    this.must(seq === this.#answered++, `${seq} is answered in its turn, once`);
    if (!accepted) return true;
    this.must(this.#pending === null, `nothing is acknowledged beside what waits, as ${seq} is`);
    this.must(this.#connections.every(({ state }) => state !== 'accepted'), `nothing is acknowledged and not touched when ${seq} is acknowledged`);
    if (!this.#full) connection.state = 'accepted';
    else this.#pending = { connection, written };
    return !this.#full;
  }

  /** Ours throws nothing: only what the app has planned comes through. */
  run(call: () => void): void {
    try {
      call();
    } catch (error) {
      if (!(error instanceof Planned)) throw error;
    }
  }

  step(step: Step): void {
    switch (step) {
      case 'arrive': {
        if (this.#lost) return;
        const connection = new Connection(this.#connections.length, this);
        this.#connections.push(connection);
        return this.run(() => this.#deliveries.arrived('key', connection.seq, connection));
      }
      case 'full': this.#full = true; return;
      case 'room': this.#full = false; return this.#end(null);
      case 'fail': return this.#end(new Error('write EPIPE'));
      case 'turn': {
        this.reads = this.turn;
        for (const immediate of immediates.splice(0)) this.run(immediate);
        this.turn++;
        return;
      }
      case 'close': return this.#server.close();
      case 'end':
        if (this.has === 0) return;
        this.has--;
        this.#server._connections--;
        return this.#server._emitCloseIfDrained();
      case 'lost': this.#lost = true; return this.#deliveries.channelEnded();
      default: this.#planned.add(step);
    }
  }

  #end(error: Error | null): void {
    const { connection, written } = this.#pending ?? {};
    if (connection === undefined || written === undefined) return;
    this.#pending = null;
    if (error === null && !this.#lost) connection.state = 'accepted';
    this.run(() => written(error));
  }

  /** Room comes, ticks run, the server closes and its connections end: then nothing is left over. */
  settle(): void {
    this.#planned.clear();
    for (let times = 0; times < 20; times++) for (const step of ['room', 'turn'] as const) this.step(step);
    for (const { seq, state } of this.#connections) this.must(state === 'touched' || state === 'closed', `${seq} is delivered or closed`);
    this.must(this.#lost || this.#answered === this.#connections.length, 'all are answered');
    this.must(this.#server._connections === this.has, 'nothing is promised any more');
    this.step('close');
    for (let times = this.has; times > 0; times--) this.step('end');
    this.must(this.#server.closeEvents > 0, "'close' is emitted");
  }
}

let immediates: (() => void)[] = [];

/** Plays a way to its end, with immediates that run when a step says so. */
function play(way: readonly Step[], limit: number): void {
  const { setImmediate } = timers;
  const { turn } = performance;
  immediates = [];
  Object.assign(timers, { setImmediate: (call: () => void) => void immediates.push(call) });
  try {
    const world = new World(way, limit);
    performance.turn = () => world.turn;
    for (const step of way) world.step(step);
    world.settle();
  } finally {
    Object.assign(timers, { setImmediate });
    performance.turn = turn;
  }
}

/** All ways of this length that begin with `way`; steps that do nothing where they stand are left out. */
function* ways(length: number, way: Step[] = []): Iterable<Step[]> {
  if (way.length === length) return void (yield way);
  for (const step of STEPS) {
    const last = way.at(-1);
    if (step === last && step !== 'arrive' && step !== 'end') continue;
    if ((step === 'room' || step === 'fail') && !way.includes('full')) continue;
    if ((step === 'end' || step === 'turn') && !way.includes('arrive')) continue;
    yield* ways(length, [...way, step]);
  }
}

test.each([[Number.POSITIVE_INFINITY], [1]])('every order of six events, and a burst behind them, with a limit of %s', (limit) => {
  let played = 0;
  for (const way of ways(5)) {
    play(way, limit);
    play(['full', 'arrive', 'arrive', ...way], limit);
    played += 2;
  }
  expect(played).toBeGreaterThan(40_000);
});
