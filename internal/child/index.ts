/**
 * The worker's role: asks the primary whenever a server wants to listen, and gives the connections
 * that the primary hands over to the server that they are for.
 *
 * Owns     the servers that the primary knows of (`#held`) and their places; deliveries.ts owns the
 *          connections that arrived and are not delivered
 * Used by  startup/preload.ts and startup/role.ts, which put it into the seat; `net` and `dgram` through `_getServer`
 * Never    lets the app touch a connection before the kernel has its acknowledgement: an un-acked one can
 *          be handed to another worker when this one dies. Never acknowledges one that it does not touch
 *          right then, so that whatever ends this process (an exception, process.exit, a signal) takes the
 *          connection that it was at, and no other
 * Keeps    1. `close` for a key is sent once, after the acknowledgement of what was delivered under it; what
 *             waits for room in the pipe by then is acknowledged and delivered later
 *          2. an index is in use exactly while its server is, also where the app's part of it throws
 * Costs    a connection: one `accepted`, a write of its own (deliveries.ts). All of a turn in one message
 *          was as fast in the worker and less to read for the primary, but they shared their fate
 * Wire     W → P online
 *          W → P queryServer   P → W reply(errno, key, sockname [+ listening handle])   W → P listening
 *          P → W newconn + fd  W → P accepted (pipelined) or reply(accepted) (node)
 *          P → W disconnect    W → P close per key, then the end of the channel
 *          W → P exitedAfterDisconnect   P → W reply, then the end of the channel
 * Node     lib/internal/cluster/child.js. D2: several may be on their way here.
 *          D12: a failed bind of a server that was closed meanwhile is no TypeError. D20: a failed
 *          bind gives its index back, and two UDP sockets may share a key.
 */
import type { EventEmitter } from 'node:events';
import path from 'node:path';
import { join, NativeObject, Set } from '../builtins';
import { Calls, type Settle } from '../calls';
import { channelOf } from '../channel/attach_channel';
import { separately } from '../errors';
import {
  isServerReply, readPrimaryMessage,
  type Accepted, type PrimaryMessage, type Query, type QueryServer, type ServerReply,
} from '../messages';
import type { ListeningHandle, NativeHandle } from '../native/bindings';
import { ownerOf } from '../native/handles';
import { traceHandle, traceMessage, traceState } from '../trace';
import { workerClass, type Worker } from '../worker';
import { Deliveries, Taker, type Limited } from './deliveries';
import { FauxHandle } from './faux_handle';
import { OpenCounts } from './open_counts';
import { Places, type Place } from './server_indexes';

/** What `net` and `dgram` pass: a server or a socket. */
interface Asker extends EventEmitter, Limited {
  /** Servers have it, sockets have not. */
  listen?: unknown;
  close?(closed?: () => void): void;
  address?(): { port?: number } | string | null;
  /** tls: what the servers of all workers must share. */
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

/** What a closed server gets in place of a handle, where the primary had none to give. */
const noHandle: ListeningHandle = { onconnection: null, close() {}, ref() {}, unref() {} };

/** Which worker this process is. */
export interface WorkerOptions {
  id: number;
  /** Has Node's own start-up sent `online` already? (A worker of a stock primary.) */
  announced: boolean;
}

/** Makes this process a worker, and `cluster` its cluster object. */
export function installWorker(cluster: EventEmitter, { id, announced }: WorkerOptions): void {
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
 * Takes away what Node's own start-up attached to `process`, in a process with NODE_UNIQUE_ID: the
 * first listener of each of these events, since nothing runs before it.
 */
export function releaseFromNode(): void {
  for (const event of ['error', 'message', 'disconnect', 'internalMessage']) {
    const first = process.rawListeners(event as 'message')[0];
    // The channel of Node's own, where there is one, listens to internal messages before the cluster does.
    const nodes = event === 'internalMessage' && process.send !== undefined && channelOf(process) === undefined
      ? process.rawListeners(event as 'message')[1] : first;
    if (nodes) process.removeListener(event, nodes as () => void);
  }
}

/** Ends the channel, if nothing else has. */
function closeChannel(): void {
  if (process.connected) process.disconnect?.();
}

class Child {
  readonly Worker = workerClass({
    disconnect: (worker) => this.#leave(worker, true),
    destroy: (worker) => this.#destroy(worker),
    mayIgnore: () => false,
  });
  readonly worker: Worker;
  readonly #calls: Calls<PrimaryMessage>;
  readonly #name: string;
  readonly #pipelined: boolean;
  readonly #announced: boolean;
  readonly #held = new Set<Held>();
  readonly #places = new Places();
  readonly #counts = new OpenCounts((open) => void this.#calls.notify({ act: 'accepted', upTo: this.#upTo, open } satisfies Accepted));
  /** The seq of the last connection that was answered. */
  #upTo = 0;
  readonly #deliveries = new Deliveries((...answer) => this.#answer(...answer));
  /** Acknowledges one connection: encoded once. */
  readonly #accept: (upTo: number, written: (error: Error | null) => void) => boolean;

  constructor(id: number, announced: boolean) {
    this.#name = `W${id}`;
    this.#announced = announced;
    this.#pipelined = channelOf(process)?.dialect === 'pipelined';
    this.#calls = new Calls(process, this.#name, 'P', announced ? 1 : 0);
    this.#accept = this.#calls.prepareFirm({ act: 'accepted' } satisfies Partial<Accepted>, 'upTo');
    this.worker = new this.Worker({ id, process: process as never, state: 'online' });
  }

  start(): void {
    process.once('disconnect', () => this.#disconnected());
    process.on('internalMessage' as 'message', (value, handle) => this.#receive(value, handle as NativeHandle | undefined));
    if (!this.#announced) this.#calls.notify({ act: 'online' });
  }

  // ── listening ──────────────────────────────────────────────────────────────────────────────────

  /** `net` and `dgram` come here for every address that workers share. `answer` gets a handle or an errno. */
  getServer(asker: Asker, asked: Asked, answer: Answer): void {
    let { address } = asked;
    if (typeof asked.port === 'number' && asked.port < 0 && typeof address === 'string') address = path.resolve(address);
    // Before anything is taken: it is the app's own where a server overrides it, and may throw.
    const data = typeof asker._getServerData === 'function' ? asker._getServerData() : null;
    const place = this.#places.take(join([address, asked.port, asked.addressType, asked.fd], ':'));
    const query: Query = { index: place.index, data, ...asked, address };

    this.#ask(query, place, (reply, handle) => {
      if (reply === null || !isServerReply(reply)) return place.release();
      if (typeof asker._setServerData === 'function') this.#share(asker, reply, handle, place);
      if (handle !== undefined) this.#adoptShared(reply, handle, asker, place, answer);
      else if (reply.errno) this.#bindFailed(reply.errno, place, answer);
      else this.#listenFaux(reply, asker, place, answer);
    });

    asker.once('listening', () => {
      if (!place.addressInUse()) return; // Closed since.
      this.#setState('listening');
      const bound = asker.address?.();
      const port = (typeof bound === 'object' ? bound?.port : undefined) || asked.port;
      this.#calls.notify({ act: 'listening', ...query, port });
    });
  }

  #ask(query: Query, place: Place, answered: Settle<PrimaryMessage>): void {
    let sent = false;
    try {
      this.#calls.call({ act: 'queryServer', ...query } satisfies Omit<QueryServer, 'seq'>, answered);
      sent = true;
    } finally {
      if (!sent) place.release(); // `data` cannot be sent.
    }
  }

  /** Gives the server what the first of its kind said. If it throws, nobody here will listen: the primary is told. */
  #share(asker: Asker, reply: ServerReply, handle: NativeHandle | undefined, place: Place): void {
    let taken = false;
    try {
      asker._setServerData?.(reply.data);
      taken = true;
    } finally {
      if (!taken) {
        handle?.close();
        place.release();
        if (!reply.errno) this.#calls.notify({ act: 'close', key: reply.key });
      }
    }
  }

  #bindFailed(errno: number, place: Place, answer: Answer): void {
    place.release();
    answer(errno, noHandle);
  }

  /** Round robin: the primary accepts, the server gets a handle that listens to nothing. */
  #listenFaux(reply: ServerReply, owner: Asker, place: Place, answer: Answer): void {
    const { key } = reply;
    const faux = new FauxHandle(reply.sockname, () => {
      if (this.#deliveries.close(key, taker)) this.#counts.unwatch(key);
      this.#release(held, place);
    });
    const taker = new Taker(owner, faux);
    const held: Held = { key, handle: faux };
    this.#deliveries.listen(key, taker);
    if (reply.counts) this.#counts.watch(key, owner);
    this.#held.add(held);
    answer(0, faux);
  }

  /** Shared: the primary sent the listening socket itself. The handle is the server's from now on. */
  #adoptShared(reply: ServerReply, native: NativeHandle, asker: Asker, place: Place, answer: Answer): void {
    const handle = native as ListeningHandle;
    const held: Held = { key: reply.key, handle };
    const close = handle.close;
    handle.close = (...args) => {
      handle.close = close;
      this.#release(held, place);
      close.apply(handle, args);
    };
    this.#held.add(held);
    traceHandle('adopted', reply.key, handle);
    try {
      answer(reply.errno ?? 0, handle);
    } finally {
      // `net` lets go of a handle whose port proves to be taken, without closing it: nobody else would.
      if (typeof asker.listen === 'function' && ownerOf(handle) === null) handle.close();
    }
  }

  /** The server let go of its handle: the primary is told, and the index is free. */
  #release(held: Held, place: Place): void {
    this.#held.delete(held);
    place.release();
    this.#calls.notify({ act: 'close', key: held.key });
  }

  // ── messages of the primary ────────────────────────────────────────────────────────────────────

  #receive(value: unknown, handle: NativeHandle | undefined): void {
    const message = readPrimaryMessage(value);
    if (message === null) return;
    traceMessage('received', 'P', this.#name, message, handle);
    if ('ack' in message) {
      this.#calls.settle(message.ack, message, handle);
      return;
    }
    switch (message.act) {
      case 'newconn': return this.#deliveries.arrived(message.key, message.seq, handle);
      case 'disconnect': return this.#leave(this.worker, false);
      default: return message satisfies never;
    }
  }

  /** Tells the primary what became of a hand-off; see `Answer` in deliveries.ts. */
  #answer(key: string, seq: number, accepted: boolean, written: (error: Error | null) => void): boolean {
    if (!this.#pipelined) {
      this.#calls.notify({ ack: seq, accepted });
      return true;
    }
    this.#upTo = seq;
    const open = this.#counts.say(accepted ? key : null);
    if (accepted && open === undefined) return this.#accept(seq, written);
    const answer: Accepted = { act: 'accepted', ...(accepted ? {} : { rejected: [seq] }), ...(open === undefined ? {} : { open }), upTo: seq };
    return this.#calls.notifyFirmly(answer, written);
  }

  // ── leaving ────────────────────────────────────────────────────────────────────────────────────

  /** `initiated`: this worker wants to leave, so the primary has to be told that it is no crash. */
  #leave(worker: Worker, initiated: boolean): void {
    if (initiated) {
      if (worker.state === 'disconnecting' || worker.state === 'destroying') return;
      this.#setState('disconnecting');
    }
    worker.exitedAfterDisconnect = true;
    this.#closeServers(initiated);
  }

  #closeServers(initiated: boolean): void {
    let open = 1;
    const closed = (): void => {
      if (--open > 0) return;
      if (initiated) this.#announceLeaving();
      else closeChannel();
    };
    for (const { handle } of [...this.#held]) {
      open++;
      // Its owner waits for its connections. A handle without one never became a server's.
      const owner = ownerOf(handle);
      let told = false;
      const once = (): void => {
        if (!told) closed();
        told = true;
      };
      separately(() => {
        try {
          if (typeof owner?.close === 'function') owner.close(once);
          else handle.close(once);
        } catch (error) {
          once(); // A `close` of the app's own: the others are closed all the same, and the worker leaves.
          throw error;
        }
      });
    }
    closed();
  }

  #destroy(worker: Worker): void {
    if (worker.state === 'destroying') return;
    worker.exitedAfterDisconnect = true;
    if (!worker.isConnected()) process.exit(0);
    this.#setState('destroying');
    this.#announceLeaving();
    process.once('disconnect', () => process.exit(0));
  }

  /** Tells the primary that this is no crash; the channel ends when it knows. */
  #announceLeaving(): void {
    this.#calls.call({ act: 'exitedAfterDisconnect' }, closeChannel);
  }

  #disconnected(): void {
    this.#deliveries.lose();
    this.#calls.lose();
    let told = false;
    try {
      this.worker.emit('disconnect');
      told = true;
    } finally {
      // Without its primary a worker has nothing to do, unless it is on its way out anyway. Where a listener
      // threw, that is first of all uncaught.
      if (!this.worker.exitedAfterDisconnect) {
        if (told) process.exit(0);
        else process.nextTick(() => process.exit(0));
      }
    }
  }

  #setState(state: string): void {
    traceState(this.#name, this.worker.state, state);
    this.worker.state = state;
  }
}
