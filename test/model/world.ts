/**
 * A cluster that exists only in memory, for the model check: the real primary (`Primary`, `Peer`,
 * `RoundRobinHandle`, `Scheduler` from dist/) over workers, pipes, a listening socket and connections
 * that are objects. Each `step` is one event of the real world; nothing else ever happens.
 *
 *   worker      reads its pipe, acknowledges or refuses what it has read, listens, closes, leaves, ends
 *               its channel, dies: in any order that a pipe allows, also ones that our own worker never takes
 *   pipe        two queues; what a dead worker has written can still be read, then comes the end
 *   primary     the program in it disconnects a worker, or closes its channel
 *
 * Owns     while a World lives: process.nextTick and the copy of it in builtins.ts, `on` and `env`, performance.now, net.createServer
 *          and two exports of dist/ (see `inMemory`, which gives them back)
 * Keeps    `check()`: the ownership of an fd (internal/README.md) and a worker's life, numbered there
 */
import diagnostics from 'node:diagnostics_channel';
import { EventEmitter } from 'node:events';
import fs from 'node:fs';
import net from 'node:net';
import type { Dialect } from '../../internal/channel/channel_types';
import type { PrimaryCluster } from '../../internal/master/index';
import { BACK_MS } from '../../internal/master/returned_connections';
import { IDLE_WINDOW } from '../../internal/master/scheduling';
import type { NativeHandle } from '../../internal/native/bindings';
import type { HandleTrace } from '../../internal/trace';
import type { Worker } from '../../internal/worker';
import { dist } from '../support/program';

const compiled = <Module>(file: string): Module => require(dist(file)) as Module;

/** What is explored. */
export interface Setting {
  readonly dialects: readonly Dialect[];
  readonly connections: number;
  /** How often each worker may ask for the address. */
  readonly asks: number;
  /** Do workers answer quickly, so that they may get several connections, or does time pass? */
  readonly young: boolean;
  /** May the bind fail? */
  readonly bindFails?: boolean;
  /** How many connections workers may give back, in all. */
  readonly moves?: number;
  /** Begins when all workers listen. */
  readonly listening?: boolean;
  /** Is the primary told of the end of a write later than at once? */
  readonly lateWrites?: boolean;
  /** Only what the product throws counts, not the invariants: a worker lies (test/fuzz). */
  readonly lenient?: boolean;
  /** Goes on with a worker whose channel has ended. */
  readonly lives?: boolean;
  /** Events that are left out, by the first word of their name. */
  readonly without?: readonly string[];
}

/** `what` or `what:worker`. */
export type Step = string;

/** A hand-off on its way to the worker. */
interface Sent {
  readonly connection: Connection;
  readonly seq: number;
  readonly written: (error: Error | null) => void;
  taken: boolean;
}
interface Up { readonly label: string; readonly message: object; readonly covers?: readonly Connection[]; readonly handle?: Connection }

type Place = 'nowhere' | 'queued' | 'in flight' | 'delivered' | 'closed';

class Connection implements NativeHandle {
  readonly fd: number;
  place: Place = 'nowhere';
  holder: Child | null = null;
  /** To whom it was handed last. */
  last: Child | null = null;
  /** The worker that has told its app. */
  servedBy: Child | null = null;
  closes = 0;
  /** The connection of which this is another copy, which `of.servedBy` has given back; null for one that was accepted. */
  readonly of: Connection | null;
  /** The worker that serves it has offered it to the primary, and does not read from it until the primary refuses it. */
  offered = false;
  /** Of a copy: the primary has taken it. */
  taken = false;
  /** The primary has let go of it without an acknowledgement. A worker may have it all the same: its acknowledgement was not read. */
  givenUp = false;

  constructor(fd: number, of: Connection | null = null) {
    this.fd = fd;
    this.of = of;
  }

  close(): void {
    this.closes++;
    if (this.place === 'in flight' && this.servedBy !== null && this.servedBy === this.holder) {
      this.place = 'delivered';
      this.servedBy.answered = true;
    } else this.place = 'closed';
    this.holder = null;
  }

  ref(): void {}
  unref(): void {}
}

/** A worker's process and both ends of its channel. */
class Child extends EventEmitter {
  readonly name: string;
  readonly pid: number;
  readonly #world: World;
  readonly dialect: Dialect;
  worker!: Worker;
  // The primary's end.
  connected = true;
  endedHere = false;
  endTold = false;
  exitCode: number | null = null;
  signalCode: NodeJS.Signals | null = null;
  /** Handed off, and the end of the write not told. */
  untold: Sent[] = [];
  // The worker's end.
  alive = true;
  open = true;
  down: Sent[] = [];
  up: Up[] = [];
  asks = 0;
  listens = false;
  announced = false;
  // What the primary has been told, and what follows from it.
  seated = false;
  /** It has answered since it was seated. Where no time passes, that is just now. */
  answered = false;
  waits = false;
  left = false;
  announcedRead = false;
  /** Its second end was told: nothing of it is left. */
  gone = false;
  readonly events: string[] = [];

  constructor(world: World, id: number, dialect: Dialect) {
    super();
    this.#world = world;
    this.name = `W${id}`;
    this.pid = id;
    this.dialect = dialect;
  }

  send(message: Record<string, unknown> & { seq: number }, handle: Connection | undefined, _options: unknown, written?: (error: Error | null) => void): boolean {
    const { act, ack } = message;
    if (act === 'newconn') {
      this.#world.handedOff(this, { connection: handle as Connection, seq: message.seq, written: written as Sent['written'], taken: false });
    } else if (ack !== undefined && 'taken' in message) {
      this.#world.returned(this, ack as number, message['taken'] as boolean);
    } else if (ack !== undefined && 'errno' in message) {
      this.#world.answered(this, message['errno'] as number | null);
    }
    return true;
  }

  disconnect(): void {
    this.connected = false;
    this.endedHere = true;
  }

  /** Its answers make no sense: none does here, unless it is told to lie. */
  cutOff(): void {
    must(false, `S1: ${this.name} tells the truth and is cut off`);
    this.disconnect();
  }

  kill(): boolean {
    return true;
  }
}

class Listening {
  onconnection: ((errno: number, connection: Connection) => void) | null = null;
  closes = 0;
  getsockname(out: object): number {
    Object.assign(out, { address: '::', family: 'IPv6', port: 80 });
    return 0;
  }
  close(): void {
    this.closes++;
  }
  ref(): void {}
  unref(): void {}
  readStart(): void {}
  readStop(): void {}
}

class Server extends EventEmitter {
  _handle: Listening | null = null;
  listen(): void {}
}

const { installPrimary } = compiled<typeof import('../../internal/master/index')>('internal/master/index.js');

class Broken extends Error {}

/** One for all: to note where an error was made takes longer than a step. */
const brokenPipe = new Error('EPIPE');

/** Throws when a promise does not hold. */
function must(holds: boolean, what: string): asserts holds {
  if (!holds && strict) throw new Broken(what);
}

const KEY = 'null:80:4:undefined';

export class World {
  readonly #setting: Setting;
  readonly #cluster = new EventEmitter() as PrimaryCluster;
  readonly #children: Child[] = [];
  readonly #connections: Connection[] = [];
  /** The queue, as the trace tells it. */
  readonly #queue: Connection[] = [];
  /** Who has refused since the last rest, for the hash: the primary counts them too. */
  readonly #refusers = new Set<Child>();
  /** Whose turn is the longest ago, first. */
  #turns: Child[] = [];
  /** Binds in progress, the oldest first; all but the last were abandoned. */
  readonly #binds: Server[] = [];
  #listening: Listening | null = null;
  #handedOff: Child[] = [];

  constructor(setting: Setting) {
    this.#setting = setting;
    current = this;
    running = [];
    installPrimary(this.#cluster);
    this.#cluster.counters({ latency: true });
    for (const [at, dialect] of setting.dialects.entries()) {
      this.#cluster.setupPrimary({ dialect, exec: 'none' });
      nextChild = new Child(this, at + 1, dialect);
      const child = nextChild;
      child.worker = this.#cluster.fork();
      this.#children.push(child);
    }
    this.#cluster.on('exit', (worker: Worker) => this.#childOf(worker).events.push('exit'));
    this.#cluster.on('disconnect', (worker: Worker) => this.#childOf(worker).events.push('disconnect'));
    runTicks();
    if (setting.listening) {
      for (const { name } of this.#children) {
        this.step(`ask:${name}`);
        this.step(`read:${name}`);
      }
      this.step('bound');
    }
  }

  #childOf(worker: Worker): Child {
    return worker.process as unknown as Child;
  }

  // ── what can happen ────────────────────────────────────────────────────────────────────────────

  /** Every event that is possible now. */
  enabled(): readonly Step[] {
    return this.look().events;
  }

  /** The events that are possible now and happen to no worker. */
  *#possible(): Iterable<string> {
    if (this.#binds.length > 0) {
      yield 'bound';
      if (this.#setting.bindFails) yield 'unbound';
    }
    if (running.some(({ ms }) => ms !== BACK_MS)) yield 'rest';
    if (running.some(({ ms }) => ms === BACK_MS)) yield 'back';
    if (this.#listening?.closes === 0 && this.#connections.length - this.#copies.length < this.#setting.connections) yield 'accept';
  }

  *#possibleFor(child: Child): Iterable<string> {
    if (child.alive && child.open) {
      if (child.down.length > 0) {
        if (child.listens) yield 'acknowledge';
        if (child.listens && child.down.length > 1) yield 'divide';
        yield 'reject';
      }
      if (!child.listens && child.asks < this.#setting.asks) yield 'ask';
      if (child.listens) yield 'close';
      if (!child.announced) yield 'announce';
      if (this.#returnable(child) !== undefined) yield 'return';
      yield 'end';
    }
    if (child.alive) yield 'die';
    if (child.connected && child.up.length > 0) yield 'read';
    const [untold] = child.untold;
    if (untold !== undefined) {
      yield 'written';
      if (!untold.taken && (!child.open || child.endedHere)) yield 'failed';
    }
    if (!child.endTold && (child.endedHere || (!child.open && child.up.length === 0))) yield 'ended';
    if (!child.alive && child.exitCode === null) yield 'exited';
    if (this.#inTable(child) && !child.left && (this.#setting.lives || !child.endTold)) yield 'disconnect';
    if (child.connected) yield 'cut';
  }

  #inTable(child: Child): boolean {
    return Object.values(this.#cluster.workers).includes(child.worker);
  }

  /** Lets it happen, and everything that follows from it in the same turn; then checks. */
  step(step: Step): void {
    const [what, name] = step.split(':');
    if (name === undefined) this.#happens(what as string);
    else this.#happensTo(this.#children.find((child) => child.name === name) as Child, what as string);
    runTicks();
    if (this.#setting.lateWrites) return;
    // The kernel takes what is handed off to a worker that lives, and says so before anything else happens.
    for (const child of this.#handedOff) {
      const told = child.untold.shift();
      told?.written(child.open ? null : brokenPipe);
    }
    this.#handedOff = [];
    runTicks();
  }

  #happens(what: string): void {
    switch (what) {
      case 'rest':
        this.#refusers.clear();
        return fire((ms) => ms !== BACK_MS);
      case 'back':
        return fire((ms) => ms === BACK_MS);
      case 'accept': {
        const connection = new Connection(this.#connections.length + 1);
        this.#connections.push(connection);
        return this.#listening?.onconnection?.(0, connection);
      }
      case 'bound': {
        const server = this.#binds.shift() as Server;
        const handle = server._handle = new Listening();
        const waited = this.#binds.length === 0 && this.#children.some(({ waits }) => waits);
        server.emit('listening');
        if (waited) this.#listening = handle;
        // One that cannot be told has its seat until its end is.
        if (waited) for (const child of this.#children.filter(({ waits }) => waits)) this.answered(child, null);
        must(handle.closes === (waited ? 0 : 1), 'P5: a bind that nobody waits for is closed at once, another is not');
        return;
      }
      case 'unbound': {
        const server = this.#binds.shift() as Server;
        if (this.#binds.length === 0) for (const child of this.#children) if (!child.connected) child.waits = false;
        server.emit('error', Object.assign(new Error('EADDRINUSE'), { errno: -98 }));
        return;
      }
    }
    throw new Error(`no such event: ${what}`);
  }

  #happensTo(child: Child, what: string): void {
    switch (what) {
      case 'acknowledge': return this.#acknowledge(child, child.down.length);
      case 'divide': return this.#acknowledge(child, 1);
      case 'reject': return this.#acknowledge(child, 0);
      case 'ask':
        child.asks++;
        return this.#says(child, 'ask', { act: 'queryServer', seq: child.asks, index: 0, data: null, address: null, port: 80, addressType: 4 });
      case 'close':
        child.listens = false;
        return this.#says(child, 'close', { act: 'close', key: keyOf() });
      case 'return': {
        const connection = this.#returnable(child) as Connection;
        const copy = new Connection(this.#connections.length + 1, connection);
        this.#connections.push(copy);
        connection.offered = true;
        child.up.push({ label: 'return', message: { cmd: 'NODE_CLUSTER', act: 'returned', key: keyOf(), seq: copy.fd }, handle: copy });
        return;
      }
      case 'announce':
        child.announced = true;
        return this.#says(child, 'announce', { act: 'exitedAfterDisconnect', seq: 99 });
      case 'end':
        return this.#closeOwnEnd(child);
      case 'die':
        child.alive = false;
        return this.#closeOwnEnd(child);
      case 'read': return this.#read(child);
      case 'written':
        return (child.untold.shift() as { written(error: null): void }).written(null);
      case 'failed':
        return (child.untold.shift() as { written(error: Error): void }).written(brokenPipe);
      case 'ended':
        child.connected = false;
        child.endTold = true;
        if (child.exitCode !== null) child.gone = true;
        child.seated = child.waits = false;
        child.up = [];
        child.emit('disconnect');
        return;
      case 'exited':
        child.exitCode = 0;
        if (!child.connected) {
          child.seated = child.waits = false;
          child.gone = true;
        }
        child.emit('exit', 0, null);
        return;
      case 'disconnect':
        child.left = true;
        child.seated = child.waits = false;
        return void child.worker.disconnect();
      case 'cut':
        return child.disconnect();
    }
    throw new Error(`no such event: ${what}`);
  }

  #says(child: Child, label: string, body: object): void {
    child.up.push({ label, message: { cmd: 'NODE_CLUSTER', ...body } });
  }

  /**
   * The worker takes what is in its pipe, and refuses all but the first `accepted`: our worker in one
   * message, a stock one in one message each. (What it has read and not answered is as if it had not
   * read it: so there is no event for reading.)
   */
  #acknowledge(child: Child, accepted: number): void {
    const taken = child.down.splice(0);
    for (const [at, sent] of taken.entries()) {
      sent.taken = true;
      if (at < accepted) this.#serve(child, sent.connection);
    }
    const seqs = taken.map(({ seq }) => seq);
    const rejected = seqs.slice(accepted);
    const bodies = child.dialect === 'node'
      ? taken.map(({ seq, connection }, at) => ({ covers: [connection], body: { ack: seq, accepted: at < accepted } }))
      : [{ covers: taken.map(({ connection }) => connection), body: { act: 'accepted', upTo: seqs.at(-1), ...(rejected.length > 0 ? { rejected } : {}) } }];
    for (const { covers, body } of bodies) child.up.push({ label: `${accepted}of${covers.length}`, message: { cmd: 'NODE_CLUSTER', ...body }, covers });
  }

  #serve(child: Child, connection: Connection): void {
    must(connection.servedBy === null, `S3: connection ${connection.fd} is served twice`);
    // Closed: this side has ended the channel, and does not know.
    must(connection.last === child && (connection.holder === child || connection.place === 'closed'), `S2: connection ${connection.fd} is nobody else's when a worker takes it`);
    must(!strict || connection.of?.offered !== false, `M4: connection ${connection.fd} is served by ${child.name} alone, and not by its giver`);
    connection.servedBy = child;
  }

  #closeOwnEnd(child: Child): void {
    child.open = child.listens = false;
    child.down = [];
  }

  #read(child: Child): void {
    const { label, message, handle } = child.up.shift() as Up;
    if (label === 'ask' && !child.worker.exitedAfterDisconnect) child.waits = true;
    if (label === 'close') child.seated = child.waits = false;
    if (label === 'announce') child.announcedRead = true;
    child.emit('internalMessage', message, handle);
    if (handle !== undefined) must(!child.connected || handle.of?.offered === false || handle.place !== 'nowhere', `M1: ${child.name} gets an answer for connection ${handle.fd}`);
  }

  /** A connection that this worker serves, and that it can give back. */
  #returnable(child: Child): Connection | undefined {
    if (child.dialect !== 'pipelined' || this.#copies.length >= (this.#setting.moves ?? 0)) return undefined;
    return this.#connections.find(({ servedBy, place, offered }) => servedBy === child && place === 'delivered' && !offered);
  }

  /** The copies of connections that came back. */
  get #copies(): readonly Connection[] {
    return this.#connections.filter(({ of }) => of !== null);
  }

  /** The primary has answered a returned connection. If it is refused, its worker reads from it again. */
  returned(child: Child, fd: number, taken: boolean): void {
    if (!strict) return; // What a liar gives back is nobody's connection.
    const copy = this.#connections[fd - 1] as Connection;
    must(copy.of?.servedBy === child && copy.of.offered, `M1: connection ${fd} is answered once, to its giver`);
    must(taken === (copy.place !== 'nowhere'), `M2: connection ${fd} is taken and queued, or neither (${copy.place})`);
    must(!taken || this.#children.some((other) => other !== child && other.seated) || !child.seated, `M3: connection ${fd} stays with ${child.name}, as nobody else listens`);
    copy.taken = taken;
    if (!taken) copy.of.offered = false;
  }

  /** A worker says anything at all (test/fuzz). */
  lie(name: string, message: unknown, handle?: unknown): void {
    const child = this.#children.find((one) => one.name === name) as Child;
    if (!child.connected) return;
    child.emit('internalMessage', message, handle);
    runTicks();
  }

  /** Is somebody served who comes now? Each worker but `liar` answers all it has. */
  serves(liar: string): boolean {
    const connection = new Connection(this.#connections.length + 1);
    this.#connections.push(connection);
    this.#listening?.onconnection?.(0, connection);
    runTicks();
    for (let round = 0; round < 100 && connection.servedBy === null; round++) {
      running.shift()?.call();
      for (const child of this.#children) {
        if (child.name === liar || !child.open) continue;
        for (const sent of child.untold.splice(0)) sent.written(null);
        if (child.down.length > 0) this.#acknowledge(child, child.down.length);
        while (child.up.length > 0) this.#read(child);
        runTicks();
      }
    }
    return connection.servedBy !== null && this.#connections.every(({ closes }) => closes < 2);
  }

  // ── what the primary does ──────────────────────────────────────────────────────────────────────

  serverMade(): Server {
    must(this.#listening === null || this.#listening.closes > 0, 'P4: an address that is open is not bound again');
    const server = new Server();
    this.#binds.push(server);
    return server;
  }

  handedOff(child: Child, sent: Sent): void {
    const { connection } = sent;
    if (strict && connection.of !== null && this.#setting.young) {
      // One whose channel the program has just cut listens as far as the primary knows, until it is asked to take something.
      must(connection.of.servedBy !== child || !this.#children.some((other) => other !== child && other.seated && other.connected), `M5: connection ${connection.fd} goes back to ${child.name} although others listen`);
    }
    must(connection.place === 'queued' && this.#queue[0] === connection, `S1: connection ${connection.fd} is handed off from the head of the queue`);
    must(connection.servedBy === null, `S3: connection ${connection.fd}, which was served, is sent again`);
    must(connection.closes === 0, `S4: connection ${connection.fd} is sent after it was closed`);
    this.#queue.shift();
    connection.place = 'in flight';
    connection.holder = connection.last = child;
    this.#turns = [...this.#turns.filter((one) => one !== child), child];
    if (child.open) child.down.push(sent);
    child.untold.push(sent);
    this.#handedOff.push(child);
  }

  answered(child: Child, errno: number | null): void {
    must(child.waits, 'P3: a worker is answered once, and only while it waits');
    child.waits = false;
    if (errno !== null) return;
    child.seated = true;
    child.answered = false;
    child.listens = child.open;
    this.#turns = [...this.#turns.filter((one) => one !== child), child];
  }

  /** The trace of the real code. */
  traced({ event, fd }: HandleTrace): void {
    const connection = this.#connections[fd - 1];
    if (connection === undefined) return;
    switch (event) {
      case 'queued':
        must(connection.place === 'nowhere', `S1: connection ${fd} is queued once`);
        connection.place = 'queued';
        this.#queue.push(connection);
        return;
      case 'rejected':
      case 'unsent':
      case 'reclaimed':
        must(connection.place === 'in flight', `S1: connection ${fd} comes back from a worker that it was in flight to`);
        connection.place = 'queued';
        if (event === 'rejected') (connection.holder as Child).answered = true;
        if (event !== 'reclaimed') this.#refusers.add(connection.holder as Child);
        connection.holder = null;
        if (event === 'rejected') return void this.#queue.push(connection);
        return void this.#queue.unshift(connection);
      case 'given up':
        connection.givenUp = true;
        return;
      case 'closed':
        must(this.#queue[0] === connection, `S1: connection ${fd} is closed in its turn`);
        return void this.#queue.shift();
    }
  }

  // ── what must hold ─────────────────────────────────────────────────────────────────────────────

  /** Throws if an invariant does not hold in this state. */
  check(): void {
    for (const connection of this.#connections) this.#checkConnection(connection);
    for (const child of this.#children) this.#checkLife(child);
    this.#checkCounters();
    const seated = this.#children.filter((child) => child.seated);
    if (this.#queue.length > 0) {
      must(seated.length > 0, 'S6: a connection waits only while somebody listens');
      // Nobody takes anything: they are asked again after a rest.
      for (const child of running.length > 0 ? [] : seated) must(!child.connected || !this.#hasRoom(child), `S5: connection ${this.#queue[0]?.fd} waits although ${child.name} has room`);
    }
    if (this.#listening !== null) must(this.#listening.closes === (seated.length > 0 ? 0 : 1), 'P2: the address is open exactly while a worker listens there, and closed once');
    if (this.#listening?.closes === 1) this.#listening = null;
    if (this.#binds.length === 0) must(this.#children.every(({ waits }) => !waits), 'P3: nobody waits for an answer when the bind has ended');
  }

  #checkConnection(connection: Connection): void {
    const { fd, place, holder, closes, servedBy } = connection;
    must(closes === (place === 'closed' || place === 'delivered' ? 1 : 0), `S4: the primary closes connection ${fd} once, when it lets go of it (${place}, ${closes})`);
    must((place === 'queued') === this.#queue.includes(connection), `S1: connection ${fd} is in one place (${place})`);
    if (servedBy !== null) must(place === 'delivered' || place === 'closed' || holder === servedBy, `S3: connection ${fd} is served by ${servedBy.name} and ${place} ${holder?.name}`);
    if (place !== 'in flight' || holder === null) return;
    // S7: what is in flight will end: somebody still has it to read, to answer, or to be told of its end.
    const travels = holder.down.some((sent) => sent.connection === connection) ||
      holder.up.some(({ covers }) => covers?.includes(connection)) || holder.untold.some((sent) => sent.connection === connection);
    must(travels || !holder.endTold && (!holder.open || holder.endedHere), `S7: connection ${fd} stays in flight to ${holder.name} for good`);
    must(!holder.endTold, `S7: connection ${fd} is in flight to ${holder.name}, whose end was told`);
  }

  #checkCounters(): void {
    const { accepted, returned, handedOff, acknowledged, rejected, unsent, reclaimed, untold, closed, queued, inFlight, latency } = this.#cluster.counters();
    const copies = this.#copies;
    const taken = copies.filter((copy) => copy.taken).length;
    const acknowledgedCopies = copies.filter(({ place, givenUp }) => place === 'delivered' && !givenUp).length;
    const now = (where: Place): number => this.#connections.reduce((count, { place }) => count + Number(place === where), 0);
    must(accepted === this.#connections.length - copies.length && returned === taken && queued === now('queued') && inFlight === now('in flight'), 'S8: the counters say where each connection is');
    must(accepted + returned === acknowledged + closed + queued + inFlight, `S8: a connection is counted as one thing (${accepted} + ${returned} = ${acknowledged} + ${closed} + ${queued} + ${inFlight})`);
    must(handedOff === acknowledged + rejected + unsent + reclaimed + untold + inFlight, 'S8: a hand-off is counted as one thing');
    must(latency?.count === acknowledged - acknowledgedCopies, 'S8: the latency of each connection that was accepted and acknowledged is measured');
  }

  #checkLife(child: Child): void {
    const { worker, events, name } = child;
    const exited = child.exitCode !== null;
    must(this.#inTable(child) === !(child.left || child.gone), `L1: ${name} is in the table while its channel or its process lives, or until it is told to leave`);
    must(events.filter((one) => one === 'exit').length === Number(exited), `L2: 'exit' of ${name} is told once`);
    must(events.filter((one) => one === 'disconnect').length === Number(child.endTold), `L2: 'disconnect' of ${name} is told once`);
    const last = events.at(-1);
    if (last !== undefined) must(worker.state === (last === 'exit' ? 'dead' : 'disconnected'), `L3: the state of ${name} is ${worker.state} after ${last}`);
    const willing = child.left || child.announcedRead;
    must(worker.exitedAfterDisconnect === (last === undefined && !willing ? undefined : willing), `L4: exitedAfterDisconnect of ${name} says why`);
  }

  #inFlight(child: Child): number {
    return this.#connections.filter(({ holder }) => holder === child).length;
  }

  #hasRoom(child: Child): boolean {
    const inFlight = this.#inFlight(child);
    return inFlight === 0 || (child.dialect === 'pipelined' && this.#setting.young && (child.answered || inFlight < IDLE_WINDOW));
  }

  /**
   * The state in one line, and every event that is possible in it. What is alike in its `hash` behaves alike from here
   * on, and has its events in the same order. Which connection is which, and which worker, is nothing to behave by.
   */
  look(): { readonly hash: string; readonly events: readonly Step[] } {
    const { without = [] } = this.#setting;
    const children = this.#children.map((child) => ({ child, line: this.#lineOf(child) })).sort((one, other) => (one.line < other.line ? -1 : Number(one.line > other.line)));
    const hash = [...children.map(({ line }) => line), this.#connections.length, this.#queue.length, this.#binds.length, this.#listening === null ? '' : 'open', running.map(({ ms }) => ms).join(),
      // With moves it matters which connection is which: who gave it, and who has it.
      ...(this.#setting.moves === undefined ? [] : this.#connections.map(({ place, of, offered, holder, servedBy }) => [place, of?.fd, offered, holder?.name, servedBy?.name].join(':'))),
      ...(this.#setting.moves === undefined ? [] : [this.#queue.map(({ fd }) => fd).join(), ...children.map(({ child }) => child.name)])].join('|');
    const events = [...this.#possible()].filter((what) => !without.includes(what));
    for (const { child } of children) for (const what of this.#possibleFor(child)) if (!without.includes(what)) events.push(`${what}:${child.name}`);
    return { hash, events };
  }

  #lineOf(child: Child): string {
    return [
      [child.connected, child.endedHere, child.endTold, child.exitCode !== null, child.alive, child.open, child.listens, child.announced,
        child.seated, child.answered, child.waits, child.left, child.announcedRead, child.gone].map(Number).join(''),
      child.asks, child.events.at(-1) ?? '', child.dialect[0], this.#inFlight(child), child.down.length, child.up.map(({ label }) => label).join(','),
      child.untold.map(({ taken }) => Number(taken)).join(''), this.#turns.indexOf(child), Number(this.#refusers.has(child)),
    ].join(' ');
  }
}

/** The key as the primary makes it: Node 20 counts servers in it. */
const keyOf = (): string => (Number.parseInt(process.versions.node, 10) < 22 ? `${KEY}:0` : KEY);

// ── the world instead of Node's ──────────────────────────────────────────────────────────────────

let current: World | null = null;
let nextChild: Child | null = null;
let ticks: (() => void)[] = [];
/** The rests that are taken. */
let running: Timer[] = [];

/** The first of the running timers of this kind fires. */
function fire(is: (ms: number) => boolean): void {
  const timer = running.find(({ ms }) => is(ms));
  running = running.filter((one) => one !== timer);
  timer?.call();
}

class Timer {
  readonly call: () => void;
  readonly ms: number;

  constructor(call: () => void, ms: number) {
    this.call = call;
    this.ms = ms;
  }

  refresh(): this {
    return this;
  }

  unref(): this {
    return this;
  }
}
let strict = true;

function runTicks(): void {
  for (let tick = ticks.shift(); tick !== undefined; tick = ticks.shift()) tick();
}

/** Runs `explore` with nothing of Node's event loop, processes and sockets. Synchronous. */
export function inMemory<Result>({ young, lenient = false }: Setting, explore: () => Result): Result {
  const spawn = compiled<{ fork: unknown }>('internal/channel/spawn.js');
  const listening = compiled<{ isConnectionTo: unknown }>('internal/native/listening.js');
  const face = compiled<{ channelOf: unknown }>('internal/channel/attach_channel.js');
  const trace = (event: unknown): void => current?.traced(event as HandleTrace);
  const before = { isConnectionTo: listening.isConnectionTo, fork: spawn.fork, channelOf: face.channelOf, nextTick: process.nextTick, on: process.on, env: process.env, createServer: net.createServer, readFileSync: fs.readFileSync };
  const { timers, performance } = compiled<typeof import('../../internal/builtins')>('internal/builtins.js');
  const { setTimeout: start, clearTimeout: stop } = timers;
  const { now: realNow, turn: realTurn } = performance;
  let now = 0;
  strict = !lenient;
  spawn.fork = () => nextChild;
  face.channelOf = (child: Child) => ({
    endedHere: child.endedHere,
    cutOff: () => child.cutOff(),
    dialect: child.dialect,
    prepare: (body: Record<string, unknown>) => (seq: number, handle: Connection, { callback }: { callback: (error: Error | null) => void }) =>
      child.send({ ...body, seq }, handle, undefined, callback),
  });
  timers.nextTick = process.nextTick = ((call: (...args: unknown[]) => void, ...args: unknown[]) => void ticks.push(() => call(...args))) as never;
  process.on = (() => process) as never;
  process.env = {}; // Copied by each fork, which takes a while with Node's own.
  // A process has one limit of its fds. Each server asks for it, and to ask the kernel takes longer than all its steps.
  const limits = fs.readFileSync('/proc/self/limits', 'utf8');
  fs.readFileSync = ((file: string, encoding: 'utf8') => (file === '/proc/self/limits' ? limits : before.readFileSync(file, encoding))) as typeof fs.readFileSync;
  net.createServer = (() => (current as World).serverMade()) as never;
  performance.now = () => (young ? 0 : (now += 1000));
  let turn = 0;
  performance.turn = () => (young ? 0 : ++turn);
  timers.setTimeout = ((call: () => void, ms: number) => running[running.push(new Timer(call, ms)) - 1]) as never;
  listening.isConnectionTo = () => true;
  timers.clearTimeout = ((timer: unknown) => { running = running.filter((one) => one !== timer); }) as never;
  diagnostics.subscribe('cluster-internals:handle', trace);
  try {
    return explore();
  } finally {
    diagnostics.unsubscribe('cluster-internals:handle', trace);
    Object.assign(spawn, { fork: before.fork });
    Object.assign(listening, { isConnectionTo: before.isConnectionTo });
    Object.assign(face, { channelOf: before.channelOf });
    Object.assign(process, { nextTick: before.nextTick, on: before.on, env: before.env });
    net.createServer = before.createServer;
    fs.readFileSync = before.readFileSync;
    Object.assign(performance, { now: realNow, turn: realTurn });
    Object.assign(timers, { setTimeout: start, clearTimeout: stop, nextTick: before.nextTick });
    current = nextChild = null;
    ticks = [];
    running = [];
  }
}
