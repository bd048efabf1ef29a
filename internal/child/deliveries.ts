/**
 * Gives the connections that the primary hands over to their servers: one at a time, each acknowledged
 * right before it is touched.
 *
 *             no server takes it ───────────────────────────────────────► rejected: the primary's again
 *   arrived ──┤
 *      │      └─ acknowledged, and the kernel has that at once ─────────► delivered
 *      │                         └─ the pipe is full ──► answering ──────────▲
 *      └─ another is answering ──► waiting ──► (its turn, as if arrived now)  the kernel has it
 *
 * Owns     each connection from its arrival until it is the server's; closes this process's copy of what
 *          was rejected, of what could not be acknowledged, and of all that is left when the channel ends
 * Used by  child/index.ts
 * Never    touches a connection before the kernel has its acknowledgement: if that cannot be sent, the
 *          primary gives the connection to others. Never delivers two in one scope: each has a tick of its
 *          own (its message's), or the end of its acknowledgement's write, so neither an exception nor an
 *          AsyncLocalStorage store of one listener reaches the next connection
 * Keeps    1. at most one connection is acknowledged and not delivered, and only while the pipe is full
 *          2. they are answered in the order of their arrival
 *          3. who takes a connection is decided when it is acknowledged: `maxConnections` counts exactly,
 *             and a server that closes in its 'connection' listener gets no other
 *          4. while something is answering or waits for a server that server does not emit 'close': it has
 *             got it before that, as in Node, where it gets it at once
 * Costs    a write of 50 bytes for each connection, which is two writes less than in Node; what was not
 *          acknowledged when this process ends is still the primary's, so that nothing has to travel back.
 *          A process that is killed between the acknowledgement and the touch loses one connection, as in
 *          Node. Where the pipe was full, one is also lost if a send callback of the app ends the process,
 *          when the kernel took that message and the acknowledgement in the same moment.
 * Node     onconnection() in lib/internal/cluster/child.js, without a queue: it does not wait for a full pipe
 */
import { Boolean, Map } from '../builtins';
import { Fifo } from '../fifo';
import { nodeMajor, type NativeHandle } from '../native/bindings';
import { holdClose, openConnections } from '../native/servers';
import { traceHandle } from '../trace';
import type { FauxHandle } from './faux_handle';

/** What counts of a `net.Server` here. */
export interface Limited {
  readonly maxConnections?: number;
  readonly dropMaxConnection?: boolean;
}

/** A server of this worker under round robin. */
export class Taker {
  readonly owner: Limited;
  readonly faux: FauxHandle;
  /** Connections that it is to get, and has not got; lets it emit 'close' when there are none. */
  #promised = 0;
  #letClose: (() => void) | null = null;

  constructor(owner: Limited, faux: FauxHandle) {
    this.owner = owner;
    this.faux = faux;
  }

  promise(): void {
    if (this.#promised++ === 0) this.#letClose = holdClose(this.owner);
  }

  release(): void {
    if (--this.#promised > 0) return;
    this.#letClose?.();
    this.#letClose = null;
  }

  /** May it have one more? Reads what the app has set, which may throw, or close it. */
  get hasRoom(): boolean {
    const { maxConnections, dropMaxConnection } = this.owner;
    const limited = nodeMajor < 22 ? Boolean(maxConnections) : maxConnections != null && !dropMaxConnection;
    return !limited || openConnections(this.owner) < (maxConnections as number);
  }
}

interface Arrived {
  readonly key: string;
  readonly seq: number;
  readonly handle: NativeHandle | undefined;
  /** Who was promised it while it waited; null if nobody can have it. */
  promisedTo: Taker | null | undefined;
}

/**
 * Tells the primary what became of a hand-off. True: it is on its way. False, for one that was taken:
 * `written` will say when the kernel has it, or that it never will.
 */
export type Answer = (key: string, seq: number, accepted: boolean, written: (error: Error | null) => void) => boolean;

/** The connections that came to this worker and are not delivered. */
export class Deliveries {
  readonly #answer: Answer;
  /** The servers that listen, by the key that `newconn` names. */
  readonly #takers = new Map<string, Taker>();
  readonly #waiting = new Fifo<Arrived>();
  #answering: Arrived | null = null;
  /** Whose 'connection' listeners run. */
  #delivering: Taker | null = null;

  constructor(answer: Answer) {
    this.#answer = answer;
  }

  listen(key: string, taker: Taker): void {
    this.#takers.set(key, taker);
  }

  /** The server listens no more. False if another has its key since. */
  close(key: string, taker: Taker): boolean {
    // In its own listener it closes before it gets any more. Elsewhere it gets what had come, as in Node.
    if (this.#delivering === taker) {
      for (const one of this.#waiting) this.#withdraw(one, taker);
    }
    return this.#takers.get(key) === taker && this.#takers.delete(key);
  }

  #withdraw(one: Arrived, taker: Taker): void {
    if (one.promisedTo !== taker) return;
    one.promisedTo = null;
    taker.release();
  }

  /** A connection came (its handle is transferred), in a tick of its own. */
  arrived(key: string, seq: number, handle: NativeHandle | undefined): void {
    const one: Arrived = { key, seq, handle, promisedTo: undefined };
    if (this.#answering === null && this.#waiting.length === 0) return this.#take(one);
    one.promisedTo = handle === undefined ? null : this.#takers.get(key) ?? null;
    one.promisedTo?.promise();
    this.#waiting.push(one);
  }

  readonly #next = (): void => {
    if (this.#answering !== null) return;
    const one = this.#waiting.shift();
    if (one === undefined) return;
    this.#awaitNext();
    this.#take(one);
  };

  /** Before a listener runs: the next tick is to come whatever that does, and in a context that is not the listener's. */
  #awaitNext(): void {
    if (this.#waiting.length > 0) process.nextTick(this.#next);
  }

  #take(one: Arrived): void {
    let taker: Taker | null = null;
    try {
      taker = this.#takerFor(one);
    } finally {
      // What the app has set may throw when it is read: that costs its server this connection, and nothing else.
      if (taker === null) this.#reject(one);
    }
    if (taker === null) return;
    if (this.#answer(one.key, one.seq, true, (error) => this.#written(one, error))) return this.#deliver(one, taker);
    if (one.promisedTo === undefined) taker.promise();
    one.promisedTo = taker;
    this.#answering = one;
  }

  #takerFor({ key, handle, promisedTo }: Arrived): Taker | null {
    // Without its fd, which a process at its limit does not get, the primary has to try another.
    const taker = handle === undefined ? null : promisedTo === undefined ? this.#takers.get(key) ?? null : promisedTo;
    if (taker === null || !taker.hasRoom) return null;
    return promisedTo === undefined && this.#takers.get(key) !== taker ? null : taker;
  }

  #reject(one: Arrived): void {
    this.#answer(one.key, one.seq, false, ignore);
    this.#drop(one);
  }

  /** It is not ours: closes our copy, and the server that was promised it waits no more. */
  #drop(one: Arrived): void {
    const { promisedTo, handle, key } = one;
    if (handle !== undefined) {
      traceHandle('closed', key, handle);
      handle.close();
    }
    if (promisedTo != null) this.#withdraw(one, promisedTo);
  }

  #written(one: Arrived, error: Error | null): void {
    const { promisedTo } = one;
    if (this.#answering !== one || promisedTo == null) return; // The channel has ended since.
    this.#answering = null;
    this.#awaitNext();
    if (error !== null) this.#drop(one);
    else this.#deliver(one, promisedTo);
  }

  #deliver(one: Arrived, taker: Taker): void {
    const handle = one.handle as NativeHandle;
    traceHandle('delivered', one.key, handle);
    const outer = this.#delivering;
    this.#delivering = taker;
    try {
      taker.faux.connection(handle);
    } finally {
      this.#delivering = outer;
      this.#withdraw(one, taker);
    }
  }

  /** The channel has ended: what is left is the primary's. */
  lose(): void {
    const left = this.#answering === null ? [] : [this.#answering];
    this.#answering = null;
    for (const one of [...left, ...this.#waiting.drain()]) this.#drop(one);
  }
}

const ignore = (): void => {};
