/**
 * The worker's role: its messages, its acknowledgements, and how it leaves. What happens at `listen` is in
 * listening.ts, what happens to a connection that arrives in deliveries.ts.
 *
 * Owns     the calls to the primary, and the parts of the worker: listening.ts owns what listens, deliveries.ts the
 *          connections that have arrived and are not delivered, returns.ts those that are offered to the primary
 * Used by  startup/preload.ts and startup/role.ts, which take over `node:cluster` with it; `net` and `dgram`
 *          call `_getServer`
 * Never    lets the app touch a connection before the kernel has its acknowledgement: if this worker dies,
 *          the primary hands a connection without acknowledgement to another worker. Never acknowledges a
 *          connection earlier than right before the app gets it: whatever ends this process (an exception,
 *          process.exit, a signal) costs the connection that was being delivered, and no other
 * Keeps    `close` for a key is sent once, after the acknowledgements of the connections delivered under
 *          it; a connection that waits for room in the pipe is acknowledged and delivered later
 * Costs    a write of one `accepted` for each connection (deliveries.ts). One message for all connections
 *          of a turn was as fast for the worker, and less to read for the primary, but an exception at one
 *          connection cost its neighbours
 * Wire     W → P online, and the messages of listening.ts
 *          P → W newconn + fd  W → P accepted (pipelined) or reply(accepted) (node)
 *          W → P withdraw per key   P → W reply   W → P close per key   (pipelined, a supervised worker that leaves)
 *          P → W disconnect    W → P close per key, then the end of the channel
 *          W → P exitedAfterDisconnect   P → W reply, then the end of the channel
 *          P → W returnIdle    W → P returned + fd   P → W reply(taken)   (pipelined)
 * Node     lib/internal/cluster/child.js. D2: several connections may be in flight to this worker
 */
import type { EventEmitter } from 'node:events';
import { NativeObject } from '../builtins';
import { Calls } from '../calls';
import { channelOf } from '../channel/attach_channel';
import { isTaken, readPrimaryMessage, type Accepted, type PrimaryMessage, type Returned } from '../messages';
import type { NativeHandle } from '../native/bindings';
import { setMoving } from '../moving';
import { addReturnIdle } from '../return_idle';
import { traceMessage, traceState } from '../trace';
import { workerClass, type Worker } from '../worker';
import { closeHandles } from './close_handles';
import { Deliveries } from './deliveries';
import { Listening, type Answer, type Asked, type Asker } from './listening';
import { OpenCounts } from './open_counts';
import { Returns } from './returns';

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
    _getServer: (asker: Asker, query: Asked, answer: Answer) => child.listening.getServer(asker, query, answer),
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
  // The error is ignored: if the primary is gone, 'disconnect' follows, and nobody needs the counts.
  readonly #counts = new OpenCounts((open) => void this.#calls.notify({ act: 'accepted', upTo: this.#upTo, open } satisfies Accepted, null, () => undefined),
    (server) => this.#returns.offered(server));
  /** The `seq` of the last connection that was acknowledged or rejected; 0: none was. */
  #upTo = 0;
  readonly #returns = new Returns((...offer) => this.#offer(...offer), () => this.worker.movable);
  readonly #deliveries = new Deliveries((...answer) => this.#answer(...answer));
  readonly listening: Listening;
  /** See `beforeDisconnect` in moving.ts. */
  #beforeDisconnect = (done: () => void): void => done();
  /** Sends `accepted` for one connection; the message is encoded once. */
  readonly #accept: (upTo: number, written: (error: Error | null) => void) => boolean;

  constructor(id: number, announced: boolean) {
    this.#name = `W${id}`;
    this.#announced = announced;
    this.#pipelined = channelOf(process)?.dialect === 'pipelined';
    this.#calls = new Calls(process, this.#name, 'P', announced ? 1 : 0);
    this.#accept = this.#calls.prepareAtOnce({ act: 'accepted' } satisfies Partial<Accepted>, 'upTo');
    this.listening = new Listening({
      name: this.#name, calls: this.#calls, deliveries: this.#deliveries, counts: this.#counts, returns: this.#returns,
      listens: () => this.#setState('listening'),
    });
    this.worker = new this.Worker({ id, process: process as never, state: 'online' });
    addReturnIdle(this.worker, (max) => new Promise((resolve) => this.#returns.returnIdle({ max }, resolve)));
    setMoving(this.worker, {
      returnIdle: () => new Promise((resolve) => this.#returns.returnIdle({ max: Infinity }, (moved, refused) => resolve({ moved, refused }))),
      withdraw: (done) => (this.#pipelined ? this.listening.withdraw(() => this.#deliveries.settle(done)) : done()),
      mayMove: (socket, isBusy) => process.connected && this.#returns.mayMove(socket, isBusy),
      beforeDisconnect: (leave) => { this.#beforeDisconnect = leave; },
    });
  }

  start(): void {
    process.once('disconnect', () => this.#disconnected());
    process.on('internalMessage' as 'message', (value, handle) => this.#receive(value, handle as NativeHandle | undefined));
    if (!this.#announced) this.#calls.notify({ act: 'online' });
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
      case 'quota': return this.listening.quota(message);
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
    this.#beforeDisconnect(() => closeHandles(this.listening.held, () => {
      if (initiated) this.#announceLeaving();
      else closeChannel();
    }));
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
