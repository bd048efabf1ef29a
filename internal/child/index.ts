/**
 * The worker's role: asks the primary whenever a server wants to listen, and gives each connection that
 * the primary hands off to its server.
 *
 * Owns     the servers that the primary knows of (`#held`) and their indexes; deliveries.ts owns the
 *          connections that have arrived and are not delivered
 * Used by  startup/preload.ts and startup/role.ts, which take over `node:cluster` with it; `net` and `dgram`
 *          call `_getServer`
 * Never    lets the app touch a connection before the kernel has its acknowledgement: if this worker dies,
 *          the primary hands a connection without acknowledgement to another worker. Never acknowledges a
 *          connection earlier than right before the app gets it: whatever ends this process (an exception,
 *          process.exit, a signal) costs the connection that was being delivered, and no other
 * Keeps    1. `close` for a key is sent once, after the acknowledgements of the connections delivered under
 *             it; a connection that waits for room in the pipe is acknowledged and delivered later
 *          2. an index is in use exactly as long as its server, also if a method of the app throws
 * Costs    a write of one `accepted` for each connection (deliveries.ts). One message for all connections
 *          of a turn was as fast for the worker, and less to read for the primary, but an exception at one
 *          connection cost its neighbours
 * Wire     W → P online
 *          W → P queryServer   P → W reply(errno, key, sockname [+ listening handle])   W → P listening
 *          P → W newconn + fd  W → P accepted (pipelined) or reply(accepted) (node)
 *          P → W disconnect    W → P close per key, then the end of the channel
 *          W → P exitedAfterDisconnect   P → W reply, then the end of the channel
 *          P → W returnIdle    W → P returned + fd   P → W reply(taken)   (pipelined)
 *          W → P progress      P → W quota   (pipelined, where the reply said `quotas`)
 * Node     lib/internal/cluster/child.js. D2: several connections may be in flight to this worker.
 *          D12: if the bind fails after the server was closed, there is no TypeError. D20: a failed
 *          bind frees its index, and two UDP sockets may share a key.
 */
import type { EventEmitter } from 'node:events';
import path from 'node:path';
import { join, Map, NativeObject, Set } from '../builtins';
import { Calls, type Resolve } from '../calls';
import { channelOf } from '../channel/attach_channel';
import {
  isServerReply, isTaken, readPrimaryMessage,
  type Accepted, type PrimaryMessage, type Progress, type Query, type QueryServer, type Returned, type ServerReply,
} from '../messages';
import type { ListeningHandle, NativeHandle } from '../native/bindings';
import { ownerOf } from '../native/handles';
import { setMoving } from '../moving';
import { addReturnIdle } from '../return_idle';
import { traceHandle, traceMessage, traceState } from '../trace';
import { workerClass, type Worker } from '../worker';
import { AcceptPause } from './accept_pause';
import { closeHandles } from './close_handles';
import { Deliveries, ListeningServer, type Door, type Limited } from './deliveries';
import { FauxHandle } from './faux_handle';
import { OpenCounts } from './open_counts';
import { Returns } from './returns';
import { ServerIndexes, type ServerIndex } from './server_indexes';

/** The object for which `net` or `dgram` calls `_getServer`: a server or a datagram socket. */
interface Asker extends EventEmitter, Limited {
  /** Only servers have it. */
  listen?: unknown;
  close?(closed?: () => void): void;
  address?(): { port?: number } | string | null;
  /** TLS servers: the ticket keys, which the servers of all workers must share. */
  _getServerData?(): unknown;
  _setServerData?(data: unknown): void;
}

type Answer = (errno: number, handle: ListeningHandle | null) => void;
type Asked = Omit<Query, 'index' | 'data'>;

/** A handle of this worker that the primary knows of. */
interface Held {
  readonly key: string;
  readonly handle: ListeningHandle;
}

/** The handle of a server whose bind has failed. */
const noHandle: ListeningHandle = { onconnection: null, close() {}, ref() {}, unref() {} };

/** Which worker this process is. */
export interface WorkerIdentity {
  id: number;
  /** True in a worker of a stock primary, where Node's own start-up has sent `online`. */
  announced: boolean;
}

/** Makes this process a worker, and `cluster` its cluster object. */
export function installWorker(cluster: EventEmitter, { id, announced }: WorkerIdentity): void {
  const child = new Child(id, announced);
  NativeObject.assign(cluster, {
    isWorker: true,
    isMaster: false,
    isPrimary: false,
    worker: child.worker,
    Worker: child.Worker,
    _setupWorker: () => undefined,
    _getServer: (asker: Asker, query: Asked, answer: Answer) => child.getServer(asker, query, answer),
  });
  child.start();
}

/**
 * Removes the listeners that Node's own start-up attached to `process` because of NODE_UNIQUE_ID: the first
 * one of each of these events, since nothing else runs before it.
 */
export function releaseFromNode(): void {
  for (const event of ['error', 'message', 'disconnect', 'internalMessage']) {
    const first = process.rawListeners(event as 'message')[0];
    // Node's own channel, if there is one, has attached a listener for internal messages before the cluster's.
    const nodes = event === 'internalMessage' && process.send !== undefined && channelOf(process) === undefined
      ? process.rawListeners(event as 'message')[1] : first;
    if (nodes) process.removeListener(event, nodes as () => void);
  }
}

/** Closes the channel, if it is still open. */
function closeChannel(): void {
  if (process.connected) process.disconnect?.();
}

class Child {
  readonly Worker = workerClass({
    disconnect: (worker) => this.#leave(worker, true),
    destroy: (worker) => this.#destroy(worker),
    dispose: null,
    mayIgnore: () => false,
  });
  readonly worker: Worker;
  readonly #calls: Calls<PrimaryMessage>;
  readonly #name: string;
  readonly #pipelined: boolean;
  readonly #announced: boolean;
  readonly #held = new Set<Held>();
  readonly #indexes = new ServerIndexes();
  // The error is ignored: if the primary is gone, 'disconnect' follows, and nobody needs the counts.
  readonly #counts = new OpenCounts((open) => void this.#calls.notify({ act: 'accepted', upTo: this.#upTo, open } satisfies Accepted, null, () => undefined),
    (server) => this.#returns.offered(server));
  /** The `seq` of the last connection that was acknowledged or rejected. */
  #upTo = 0;
  readonly #returns = new Returns((...offer) => this.#offer(...offer), () => this.worker.movable);
  /** The servers that accept by themselves within quotas, by key. */
  readonly #pauses = new Map<string, AcceptPause>();
  readonly #deliveries = new Deliveries((...answer) => this.#answer(...answer));
  /** Sends `accepted` for one connection; the message is encoded once. */
  readonly #accept: (upTo: number, written: (error: Error | null) => void) => boolean;

  constructor(id: number, announced: boolean) {
    this.#name = `W${id}`;
    this.#announced = announced;
    this.#pipelined = channelOf(process)?.dialect === 'pipelined';
    this.#calls = new Calls(process, this.#name, 'P', announced ? 1 : 0);
    this.#accept = this.#calls.prepareAtOnce({ act: 'accepted' } satisfies Partial<Accepted>, 'upTo');
    this.worker = new this.Worker({ id, process: process as never, state: 'online' });
    addReturnIdle(this.worker, (max) => new Promise((resolve) => this.#returns.returnIdle({ max }, resolve)));
    setMoving(this.worker, {
      returnIdle: () => new Promise((resolve) => this.#returns.returnIdle({ max: Infinity }, (moved, refused) => resolve({ moved, refused }))),
      mayMove: (socket, isBusy) => this.#returns.mayMove(socket, isBusy),
    });
  }

  start(): void {
    process.once('disconnect', () => this.#disconnected());
    process.on('internalMessage' as 'message', (value, handle) => this.#receive(value, handle as NativeHandle | undefined));
    if (!this.#announced) this.#calls.notify({ act: 'online' });
  }

  // ── listening ──────────────────────────────────────────────────────────────────────────────────

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
      else this.#listenFaux(reply, asker, index, answer);
    });

    asker.once('listening', () => {
      if (!index.addressInUse()) return; // The server was closed in the meantime.
      this.#setState('listening');
      const bound = asker.address?.();
      const port = (typeof bound === 'object' ? bound?.port : undefined) || asked.port;
      this.#calls.notify({ act: 'listening', ...query, port });
    });
  }

  #ask(query: Query, index: ServerIndex, answered: Resolve<PrimaryMessage>): void {
    let sent = false;
    try {
      this.#calls.call({ act: 'queryServer', ...query } satisfies Omit<QueryServer, 'seq'>, answered);
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
        if (!reply.errno) this.#calls.notify({ act: 'close', key: reply.key });
      }
    }
  }

  #bindFailed(errno: number, index: ServerIndex, answer: Answer): void {
    index.release();
    answer(errno, noHandle);
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
    const release = this.#deliveries.hold();
    try {
      answer(0, faux);
    } finally {
      process.nextTick(release); // `net` has queued the tick that emits 'listening' before this one.
    }
  }

  /** From now on this server gets the connections that the primary hands to this worker under that key, through `door`. */
  #listens({ key, counts }: ServerReply, owner: Asker, door: Door): ListeningServer {
    const server = new ListeningServer(owner, door);
    this.#deliveries.listen(key, server);
    if (counts !== undefined) this.#counts.watch(key, owner, counts);
    this.#returns.listen(key, owner);
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
      if (reply.quotas === true && this.#held.has(held)) closed = this.#acceptWithQuotas(reply, asker, handle);
    } finally {
      // If the port is in use, `net` drops the handle without closing it, and nobody else would close it.
      if (typeof asker.listen === 'function' && ownerOf(handle) === null) handle.close();
    }
  }

  /** The server accepts by itself, and also gets connections from the primary. Returns what has to happen when it closes. */
  #acceptWithQuotas(reply: ServerReply, owner: Asker, handle: ListeningHandle): () => void {
    const { key } = reply;
    const report = (progress: Omit<Progress, 'act' | 'key'>): void => void this.#calls.notify({ act: 'progress', key, ...progress } satisfies Progress);
    const pause = new AcceptPause(`${this.#name} at ${key}`, handle, owner, report);
    this.#pauses.set(key, pause);
    const server = this.#listens(reply, owner, pause);
    return () => {
      pause.close();
      if (this.#pauses.get(key) === pause) this.#pauses.delete(key);
      this.#closed(key, server);
    };
  }

  #closed(key: string, server: ListeningServer): void {
    if (this.#deliveries.close(key, server)) this.#counts.unwatch(key);
  }

  /** The server has closed its handle: the primary is informed, and the index is free. */
  #release(held: Held, index: ServerIndex): void {
    this.#held.delete(held);
    index.release();
    this.#calls.notify({ act: 'close', key: held.key });
  }

  // ── messages of the primary ────────────────────────────────────────────────────────────────────

  #receive(value: unknown, handle: NativeHandle | undefined): void {
    const message = readPrimaryMessage(value);
    if (message === null) return;
    traceMessage('received', 'P', this.#name, message, handle);
    if ('ack' in message) {
      this.#calls.resolve(message.ack, message, handle);
      return;
    }
    switch (message.act) {
      case 'newconn': return this.#deliveries.arrived(message.key, message.seq, handle, message.moved);
      case 'disconnect': return this.#leave(this.worker, false);
      case 'returnIdle': return this.#returns.returnIdle({ max: message.max ?? Infinity, key: message.key, keep: message.keep }, () => undefined);
      case 'quota': return this.#pauses.get(message.key)?.quota(message);
      default: return message satisfies never;
    }
  }

  /** Accepts or rejects a connection; see `Answer` in deliveries.ts. */
  #answer(key: string, seq: number, accepted: boolean, written: (error: Error | null) => void): boolean {
    if (!this.#pipelined) {
      this.#calls.notify({ ack: seq, accepted });
      return true;
    }
    this.#upTo = seq;
    const open = this.#counts.forAnswer(accepted ? key : null);
    if (accepted && open === undefined) return this.#accept(seq, written);
    const answer: Accepted = { act: 'accepted', ...(accepted ? {} : { rejected: [seq] }), ...(open === undefined ? {} : { open }), upTo: seq };
    return this.#calls.notifyAtOnce(answer, written);
  }

  /** Offers an idle connection to the primary; see `Offer` in returns.ts. */
  #offer(key: string, handle: NativeHandle, answered: (taken: boolean | null) => void): boolean {
    if (!this.#pipelined) return false;
    return this.#calls.call({ act: 'returned', key } satisfies Omit<Returned, 'seq'>, (reply) => answered(reply === null ? null : isTaken(reply)), handle, () => answered(false));
  }

  // ── leaving ────────────────────────────────────────────────────────────────────────────────────

  /** `initiated`: this worker has decided to leave, so the primary must learn that it is not a crash. */
  #leave(worker: Worker, initiated: boolean): void {
    if (initiated) {
      if (worker.state === 'disconnecting' || worker.state === 'destroying') return;
      this.#setState('disconnecting');
    }
    worker.exitedAfterDisconnect = true;
    closeHandles([...this.#held], () => {
      if (initiated) this.#announceLeaving();
      else closeChannel();
    });
  }

  #destroy(worker: Worker): void {
    if (worker.state === 'destroying') return;
    worker.exitedAfterDisconnect = true;
    if (!worker.isConnected()) process.exit(0);
    this.#setState('destroying');
    this.#announceLeaving();
    process.once('disconnect', () => process.exit(0));
  }

  /** Informs the primary that this is not a crash; its reply closes the channel. */
  #announceLeaving(): void {
    this.#calls.call({ act: 'exitedAfterDisconnect' }, closeChannel);
  }

  #disconnected(): void {
    this.#deliveries.channelEnded();
    this.#calls.lose();
    let emitted = false;
    try {
      this.worker.emit('disconnect');
      emitted = true;
    } finally {
      // Without a primary a worker ends, unless it is leaving anyway. If a listener has thrown, the exception
      // becomes an uncaught one first.
      if (!this.worker.exitedAfterDisconnect) {
        if (emitted) process.exit(0);
        else process.nextTick(() => process.exit(0));
      }
    }
  }

  #setState(state: string): void {
    traceState(this.#name, this.worker.state, state);
    this.worker.state = state;
  }
}
