/**
 * Passes the connections that the primary hands to this worker on to their servers: one in each turn of the event loop,
 * acknowledged right before it is touched.
 *
 *             no server takes it ─────────────────────────────► rejected: it stays the primary's
 *   arrived ──┤
 *      │      └─ acknowledged; the kernel has the message ────► delivered
 *      │                 └─ the pipe is full ──► answering ─────────▲
 *      └─ one was delivered in this turn, or is answering, or
 *         a server is about to emit 'listening' (`hold`) ──► waiting ──► treated as if it arrived now
 *
 * Owns     each connection from its arrival until its server has it. It closes this process's copy of a connection that
 *          was rejected, could not be acknowledged, or is left when the channel ends
 * Used by  index.ts, listening.ts, accept_pause.ts
 * Never    touches a connection before the kernel has its acknowledgement: if that cannot be sent, the primary hands the
 *          connection to another worker. Never delivers two connections in one turn of the event loop. Between two of them,
 *          what the client of the first has sent is read: if its request ends the process, the second one is still the
 *          primary's. And neither an exception nor an AsyncLocalStorage store of one listener reaches the next connection
 * Keeps    1. at most one connection is acknowledged and not delivered, and only while the pipe is full
 *          2. connections are answered in the order of their arrival
 *          3. the receiving server is decided at the moment of the acknowledgement. So `maxConnections` is exact, and a
 *             server that closes in its 'connection' listener gets no further connection
 *          4. while a connection waits for a server, that server does not emit 'close'. In Node it would have got the
 *             connection at once, and so before 'close'
 * Costs    a write of 50 bytes for each connection. That is two writes less than in Node; and a connection that was not
 *          acknowledged when this process ends is still the primary's, so nothing has to be sent back.
 *          Two cases lose one connection. A process is killed between the acknowledgement and the delivery, as in Node.
 *          Or the pipe was full, the kernel took an earlier message of the app and the acknowledgement in the same moment,
 *          and the send callback of that message ends the process.
 * Node     onconnection() in lib/internal/cluster/child.js, which has no queue: it does not wait for a full pipe
 */
import { Boolean, Map, performance, push, timers } from '../builtins';
import { separately } from '../errors';
import { Fifo } from '../fifo';
import { nodeMajor, type NativeHandle } from '../native/bindings';
import { waitAsKeptAlive } from '../native/idle_connections';
import { holdClose, openConnections } from '../native/servers';
import { traceHandle } from '../trace';

/** The options of a `net.Server` that limit its connections. */
export interface Limited {
  readonly maxConnections?: number;
  readonly dropMaxConnection?: boolean;
}

/** May this server have one more connection, if it has `open`? Reads properties of the app's server: a getter may throw, or close the server. */
export function hasRoom({ maxConnections, dropMaxConnection }: Limited, open: () => number): boolean {
  const limited = nodeMajor < 22 ? Boolean(maxConnections) : maxConnections != null && !dropMaxConnection;
  return !limited || open() < (maxConnections as number);
}

/** Gives a server the connections that the primary hands over. It is a `FauxHandle`, or an `AcceptPause` where the worker also accepts by itself. */
export interface Door {
  /** Gives the server a connection (transferred), as a listening socket would. */
  connection(handle: NativeHandle): void;
}

/** A server of this worker that gets connections from the primary. */
export class ListeningServer {
  readonly owner: Limited;
  readonly door: Door;
  /** How many connections wait for this server. While there are any, its 'close' is held back. */
  #promised = 0;
  #letClose: (() => void) | null = null;

  constructor(owner: Limited, door: Door) {
    this.owner = owner;
    this.door = door;
  }

  /** One more connection waits for this server. */
  promise(): void {
    if (this.#promised++ === 0) this.#letClose = holdClose(this.owner);
  }

  /** One connection less waits for it: delivered, or withdrawn. */
  release(): void {
    if (--this.#promised > 0) return;
    this.#letClose?.();
    this.#letClose = null;
  }

  /** May it have one more connection? See `hasRoom` above: this may throw. */
  get hasRoom(): boolean {
    return hasRoom(this.owner, () => openConnections(this.owner));
  }
}

interface Arrived {
  readonly key: string;
  readonly seq: number;
  /** Undefined if the fd did not arrive, because this process has no free one. */
  readonly handle: NativeHandle | undefined;
  /** Does it come from another worker, where it was idle? */
  readonly moved: boolean;
  /** The server that this connection was promised to; `none` if no server can take it; `undecided` until it waits. */
  receiver: ListeningServer | 'none' | 'undecided';
}

/**
 * Sends the answer to a hand-off to the primary. Returns true if the answer is sent. Returns false if an acceptance
 * waits in a full pipe; then `written` is called when the kernel has it (null), or with an error.
 */
export type Answer = (key: string, seq: number, accepted: boolean, written: (error: Error | null) => void) => boolean;

/** The connections that came to this worker and are not delivered yet. */
export class Deliveries {
  readonly #answer: Answer;
  /** The servers that listen, by the key that `newconn` names. */
  readonly #servers = new Map<string, ListeningServer>();
  readonly #waiting = new Fifo<Arrived>();
  /** The connection whose acknowledgement waits in a full pipe. */
  #answering: Arrived | null = null;
  /** The number of calls of `hold` whose returned function has not been called. */
  #holds = 0;
  /** The turn of the event loop in which a connection was delivered last. */
  #deliveredIn = -Infinity;
  /** `#turnEnds` is scheduled. It is, whenever a connection waits, but for those behind `#answering` or `hold`. */
  #isScheduled = false;
  /** Called once each, when no connection waits any more. */
  #settling: (() => void)[] = [];
  /** The server whose 'connection' listeners are running. */
  #delivering: ListeningServer | null = null;

  constructor(answer: Answer) {
    this.#answer = answer;
  }

  listen(key: string, server: ListeningServer): void {
    this.#servers.set(key, server);
  }

  /**
   * From now on each connection that arrives waits, until the returned function is called. It is called when a server that
   * begins to listen has emitted 'listening'. A connection can be in the same read as the message that lets the server
   * listen, and 'listening' is emitted in a later tick. Before 'listening', a server of node:http has no list of its
   * connections. A connection that it got then would never be in that list, and neither time-outs nor
   * `closeIdleConnections` nor a move would find it.
   */
  hold(): () => void {
    this.#holds++;
    return () => {
      this.#holds--;
      this.#schedule();
    };
  }

  /** The server was closed. Returns false if another server listens under its key by now. */
  close(key: string, server: ListeningServer): boolean {
    // If it closes in its own listener it gets nothing more. Otherwise it gets what has already arrived, as in Node.
    if (this.#delivering === server) {
      for (const arrived of this.#waiting) this.#withdraw(arrived, server);
    }
    return this.#servers.get(key) === server && this.#servers.delete(key);
  }

  #withdraw(arrived: Arrived, server: ListeningServer): void {
    if (arrived.receiver !== server) return;
    arrived.receiver = 'none';
    server.release();
  }

  /** A connection has arrived (its handle is transferred). Called in the tick of its own message. */
  arrived(key: string, seq: number, handle: NativeHandle | undefined, moved = false): void {
    const arrived: Arrived = { key, seq, handle, moved, receiver: 'undecided' };
    if (this.#mayProcess && this.#waiting.length === 0 && this.#wasRead) return this.#process(arrived);
    arrived.receiver = handle === undefined ? 'none' : this.#servers.get(key) ?? 'none';
    if (arrived.receiver !== 'none') arrived.receiver.promise();
    this.#waiting.push(arrived);
    this.#schedule();
  }

  /** A whole turn lies between the last delivery and this one: what that client had sent by then was read in it. */
  get #wasRead(): boolean {
    return performance.turn() > this.#deliveredIn + 1;
  }

  get #mayProcess(): boolean {
    return this.#answering === null && this.#holds === 0;
  }

  /** The next one that waits gets its turn. Called before code of the app runs, which may throw or change the async context. */
  #schedule(): void {
    if (this.#isScheduled || this.#waiting.length === 0 || !this.#mayProcess) return;
    this.#isScheduled = true;
    timers.setImmediate(this.#turnEnds);
  }

  /** All reads of this turn are over. */
  readonly #turnEnds = (): void => {
    this.#isScheduled = false;
    if (!this.#mayProcess) return; // Then the end of what hinders it schedules this again.
    if (performance.turn() === this.#deliveredIn) return this.#schedule();
    const arrived = this.#waiting.shift();
    if (arrived === undefined) return;
    this.#schedule();
    try {
      this.#process(arrived);
    } finally {
      this.#callSettling();
    }
  };

  /** Acknowledges and delivers a connection, or rejects it. */
  #process(arrived: Arrived): void {
    let server: ListeningServer | null = null;
    try {
      server = this.#serverFor(arrived);
    } finally {
      // A getter of the app's server may have thrown. Then this connection is rejected, and nothing else is affected.
      if (server === null) this.#reject(arrived);
    }
    if (server === null) return;
    if (this.#answer(arrived.key, arrived.seq, true, (error) => this.#written(arrived, error))) return this.#deliver(arrived, server);
    if (arrived.receiver === 'undecided') server.promise();
    arrived.receiver = server;
    this.#answering = arrived;
  }

  #serverFor({ key, handle, receiver }: Arrived): ListeningServer | null {
    const promised = receiver === 'undecided' ? this.#servers.get(key) ?? 'none' : receiver;
    if (handle === undefined || promised === 'none' || !promised.hasRoom) return null;
    // `hasRoom` may have run a getter that closed the server.
    return receiver === 'undecided' && this.#servers.get(key) !== promised ? null : promised;
  }

  #reject(arrived: Arrived): void {
    this.#answer(arrived.key, arrived.seq, false, ignore);
    this.#drop(arrived);
  }

  /** This worker does not take the connection: closes its copy, and releases the server that the connection was promised to. */
  #drop(arrived: Arrived): void {
    const { receiver, handle, key } = arrived;
    if (handle !== undefined) {
      traceHandle('closed', key, handle);
      handle.close();
    }
    if (typeof receiver === 'object') this.#withdraw(arrived, receiver);
  }

  #written(arrived: Arrived, error: Error | null): void {
    const { receiver } = arrived;
    if (this.#answering !== arrived || typeof receiver !== 'object') return; // The channel has ended since.
    this.#answering = null;
    this.#schedule();
    try {
      if (error !== null) this.#drop(arrived);
      else this.#deliver(arrived, receiver);
    } finally {
      this.#callSettling();
    }
  }

  #deliver(arrived: Arrived, server: ListeningServer): void {
    const handle = arrived.handle as NativeHandle;
    this.#deliveredIn = performance.turn();
    traceHandle('delivered', arrived.key, handle);
    const outer = this.#delivering;
    this.#delivering = server;
    try {
      server.door.connection(handle);
    } finally {
      this.#delivering = outer;
      this.#withdraw(arrived, server);
      // Also if a listener of the app has thrown. This calls the app's socket and server, which may throw once more.
      if (arrived.moved) separately(() => waitAsKeptAlive(server.owner, handle));
    }
  }

  /** Calls `done` when every connection that has arrived is delivered, or rejected: at once if none waits. */
  settle(done: () => void): void {
    if (this.#waiting.length === 0 && this.#answering === null) done();
    else push(this.#settling, done);
  }

  #callSettling(): void {
    if (this.#settling.length === 0 || this.#waiting.length > 0 || this.#answering !== null) return;
    const settling = this.#settling;
    this.#settling = [];
    for (const done of settling) separately(done);
  }

  /** The channel has ended: closes this process's copy of each connection. The primary still has its own copies. */
  channelEnded(): void {
    const answering = this.#answering === null ? [] : [this.#answering];
    this.#answering = null;
    for (const arrived of [...answering, ...this.#waiting.drain()]) this.#drop(arrived);
    this.#callSettling();
  }
}

const ignore = (): void => {};
