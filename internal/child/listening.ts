/**
 * The servers of a worker that listen, or want to: each asks the primary, and gets a handle for the answer.
 *
 *   getServer ── queryServer ──► the primary ── reply ──► a FauxHandle (round robin: the primary accepts)
 *                                                    ├──► the listening socket itself (a shared handle), with an AcceptPause
 *                                                    │    where the primary gives quotas
 *                                                    └──► an errno: the bind has failed
 *
 * Owns     the handles that the primary knows of (`held`), and the indexes of servers
 * Used by  index.ts
 * Uses     faux_handle.ts, accept_pause.ts, server_indexes.ts; deliveries.ts, open_counts.ts and returns.ts, which need to know
 *          which servers listen
 * Keeps    an index is in use exactly as long as its server, also if a method of the app throws
 * Wire     W → P queryServer   P → W reply(errno, key, sockname [+ listening handle])   W → P listening
 *          W → P withdraw   P → W reply   W → P close per key   W → P progress   P → W quota   (pipelined, where the reply said `quotas`)
 * Node     part of lib/internal/cluster/child.js. D12: if the bind fails after the server was closed, there is no TypeError.
 *          D20: a failed bind frees its index, and two UDP sockets may share a key
 */
import type { EventEmitter } from 'node:events';
import path from 'node:path';
import { join, Map, Set, timers } from '../builtins';
import type { Calls, Resolve } from '../calls';
import { isServerReply, type PrimaryMessage, type Progress, type Query, type QueryServer, type Quota, type ServerReply, type Withdraw } from '../messages';
import { UV_EMFILE, type ListeningHandle, type NativeHandle } from '../native/bindings';
import { ownerOf } from '../native/handles';
import { traceHandle } from '../trace';
import { AcceptPause } from './accept_pause';
import { ListeningServer, type Deliveries, type Door, type Limited } from './deliveries';
import { FauxHandle } from './faux_handle';
import type { OpenCounts } from './open_counts';
import type { Returns } from './returns';
import { ServerIndexes, type ServerIndex } from './server_indexes';

/** The object for which `net` or `dgram` calls `_getServer`: a server or a datagram socket. */
export interface Asker extends EventEmitter, Limited {
  /** Only servers have it. */
  listen?: unknown;
  close?(closed?: () => void): void;
  address?(): { port?: number } | string | null;
  /** TLS servers: the ticket keys, which the servers of all workers must share. */
  _getServerData?(): unknown;
  _setServerData?(data: unknown): void;
}

/** Called once with the result of a query: 0 and a handle, or an errno. The server owns the handle. */
export type Answer = (errno: number, handle: ListeningHandle | null) => void;
/** What `net` or `dgram` wants to listen at. */
export type Asked = Omit<Query, 'index' | 'data'>;

/** A handle of this worker that the primary knows of. */
interface Held {
  readonly key: string;
  readonly handle: ListeningHandle;
}

/** The handle of a server whose bind has failed. */
const noHandle: ListeningHandle = { onconnection: null, close() {}, ref() {}, unref() {} };

/** The parts of the worker that the servers need. */
export interface OfWorker {
  /** The worker in the trace. */
  readonly name: string;
  readonly calls: Calls<PrimaryMessage>;
  readonly deliveries: Deliveries;
  readonly counts: OpenCounts;
  readonly returns: Returns;
  /** A server listens. */
  listens(): void;
}

/** The servers of one worker. */
export class Listening {
  readonly #worker: OfWorker;
  readonly #held = new Set<Held>();
  readonly #indexes = new ServerIndexes();
  /** The servers that accept by themselves within quotas, by key. */
  readonly #pauses = new Map<string, AcceptPause>();

  constructor(worker: OfWorker) {
    this.#worker = worker;
  }

  /** The handles at which this worker listens, as of now. */
  get held(): readonly Held[] {
    return [...this.#held];
  }

  /** Asks the primary for no more connections. `done` is called when it has answered for each server: at once if there is none. */
  withdraw(done: () => void): void {
    let open = 1;
    const answered = (): void => {
      if (--open === 0) done();
    };
    for (const { key, handle } of this.held) {
      // Where a server accepts by itself it simply stops.
      if (handle instanceof FauxHandle && this.#worker.calls.call({ act: 'withdraw', key } satisfies Omit<Withdraw, 'seq'>, answered)) open++;
    }
    answered();
  }

  /** The primary has sent a quota. */
  quota(quota: Quota): void {
    this.#pauses.get(quota.key)?.quota(quota);
  }

  /** `net` and `dgram` call this at each `listen` and `bind`. `answer` gets a handle or an errno. */
  getServer(asker: Asker, asked: Asked, answer: Answer): void {
    let { address } = asked;
    if (typeof asked.port === 'number' && asked.port < 0 && typeof address === 'string') address = path.resolve(address);
    // This comes before an index is taken, because an app may override this method with one that throws.
    const data = typeof asker._getServerData === 'function' ? asker._getServerData() : null;
    const index = this.#indexes.take(join([address, asked.port, asked.addressType, asked.fd], ':'));
    const query: Query = { index: index.index, data, ...asked, address };

    this.#ask(query, index, (reply, handle) => {
      if (reply === null || !isServerReply(reply)) return index.release();
      if (typeof asker._setServerData === 'function') this.#share(asker, reply, handle, index);
      if (handle !== undefined) this.#adoptShared(reply, handle, asker, index, answer);
      else if (reply.errno) this.#bindFailed(reply.errno, index, answer);
      else if (reply.quotas === true) this.#socketLost(reply.key, index, answer);
      else this.#listenFaux(reply, asker, index, answer);
    });

    asker.once('listening', () => {
      if (!index.addressInUse()) return; // The server was closed in the meantime.
      this.#worker.listens();
      const bound = asker.address?.();
      const port = (typeof bound === 'object' ? bound?.port : undefined) || asked.port;
      this.#worker.calls.notify({ act: 'listening', ...query, port });
    });
  }

  #ask(query: Query, index: ServerIndex, answered: Resolve<PrimaryMessage>): void {
    let sent = false;
    try {
      this.#worker.calls.call({ act: 'queryServer', ...query } satisfies Omit<QueryServer, 'seq'>, answered);
      sent = true;
    } finally {
      if (!sent) index.release(); // The call has thrown, for example because `data` cannot be serialized.
    }
  }

  /** Gives the server the `data` that all servers of this address share. If the server's method throws, it does not listen: the primary is informed. */
  #share(asker: Asker, reply: ServerReply, handle: NativeHandle | undefined, index: ServerIndex): void {
    let taken = false;
    try {
      asker._setServerData?.(reply.data);
      taken = true;
    } finally {
      if (!taken) {
        handle?.close();
        index.release();
        if (!reply.errno) this.#worker.calls.notify({ act: 'close', key: reply.key });
      }
    }
  }

  #bindFailed(errno: number, index: ServerIndex, answer: Answer): void {
    index.release();
    answer(errno, noHandle);
  }

  /** The primary has sent a listening socket, and this process had no free fd for it. */
  #socketLost(key: string, index: ServerIndex, answer: Answer): void {
    this.#worker.calls.notify({ act: 'close', key });
    this.#bindFailed(UV_EMFILE, index, answer);
  }

  /** Round robin: the primary accepts, and the server gets a handle that listens to nothing. */
  #listenFaux(reply: ServerReply, owner: Asker, index: ServerIndex, answer: Answer): void {
    const { key } = reply;
    const faux = new FauxHandle(reply.sockname, () => {
      this.#closed(key, server);
      this.#release(held, index);
    });
    const server = this.#listens(reply, owner, faux);
    const held: Held = { key, handle: faux };
    this.#held.add(held);
    const release = this.#worker.deliveries.hold();
    try {
      answer(0, faux);
    } finally {
      timers.nextTick(release); // `net` has queued the tick that emits 'listening' before this one.
    }
  }

  /** From now on this server gets the connections that the primary hands to this worker under that key, through `door`. */
  #listens({ key, counts }: ServerReply, owner: Asker, door: Door): ListeningServer {
    const server = new ListeningServer(owner, door);
    this.#worker.deliveries.listen(key, server);
    if (counts !== undefined) this.#worker.counts.watch(key, owner, counts);
    this.#worker.returns.listen(key, owner);
    return server;
  }

  /** Shared: the primary has sent the listening socket itself. The handle is transferred to the server. */
  #adoptShared(reply: ServerReply, native: NativeHandle, asker: Asker, index: ServerIndex, answer: Answer): void {
    const handle = native as ListeningHandle;
    const held: Held = { key: reply.key, handle };
    const close = handle.close;
    let closed = (): void => {};
    handle.close = (...args) => {
      handle.close = close;
      closed();
      this.#release(held, index);
      close.apply(handle, args);
    };
    this.#held.add(held);
    traceHandle('adopted', reply.key, handle);
    try {
      answer(reply.errno ?? 0, handle);
      if (reply.quotas === true && this.#held.has(held)) {
        const { begin, end } = this.#acceptWithQuotas(reply, asker, handle);
        closed = end; // Before `begin`, in which a getter of the app may close the server.
        begin();
      }
    } finally {
      // If the port is in use, `net` drops the handle without closing it, and nobody else would close it.
      if (typeof asker.listen === 'function' && ownerOf(handle) === null) handle.close();
    }
  }

  /** The server accepts by itself, and also gets connections from the primary. `begin` has to be called next, `end` when the server closes. */
  #acceptWithQuotas(reply: ServerReply, owner: Asker, handle: ListeningHandle): { begin(): void; end(): void } {
    const { key } = reply;
    const report = (progress: Omit<Progress, 'act' | 'key'>): void => {
      this.#worker.counts.begin();
      this.#worker.calls.notify({ act: 'progress', key, ...progress } satisfies Progress);
    };
    const pause = new AcceptPause(`${this.#worker.name} at ${key}`, handle, owner, report);
    this.#pauses.set(key, pause);
    const server = this.#listens(reply, owner, pause);
    timers.nextTick(this.#worker.deliveries.hold()); // As in `#listenFaux`: what waits in the primary comes after 'listening'.
    return {
      begin: () => pause.begin(),
      end: () => {
        pause.close();
        if (this.#pauses.get(key) === pause) this.#pauses.delete(key);
        this.#closed(key, server);
      },
    };
  }

  #closed(key: string, server: ListeningServer): void {
    if (this.#worker.deliveries.close(key, server)) this.#worker.counts.unwatch(key);
  }

  /** The server has closed its handle: the primary is informed, and the index is free. */
  #release(held: Held, index: ServerIndex): void {
    this.#held.delete(held);
    index.release();
    this.#worker.calls.notify({ act: 'close', key: held.key });
  }
}
