/**
 * The primary's role: starts workers, keeps the table of them, handles their messages, and emits the
 * events of the cluster.
 *
 * Owns     the workers' channels; the processes belong to themselves
 * Used by  startup/role.ts, which installs it on a cluster object
 * Uses     channel/spawn.ts, upgrade/successor.ts (if this process replaces another primary), peer.ts, listen_table.ts, connection_counters.ts, settings.ts, unclaimed_handles.ts,
 *          inherited_sockets.ts (the variables of systemd)
 * Never    dies of what a worker does: an error that a worker has caused is only traced if nobody listens
 *          for it (D18); a message that makes no sense is ignored (D6)
 * Keeps    1. a worker is in `cluster.workers` until both its channel and its process have ended, or
 *             until the primary has asked it to disconnect
 *          2. when a channel ends, three steps follow in this order: acknowledged connections stay the
 *             worker's, connections in flight go back to their queues (if the primary itself has closed
 *             the channel, they are closed: the worker may have them), the worker is removed from its addresses
 * Wire     see messages.ts
 * Node     lib/internal/cluster/primary.js
 */
import { EventEmitter } from 'node:events';
import { Boolean, Map, NativeObject, String } from '../builtins';
import { hasClosed } from '../channel/node_channel';
import { channelOf } from '../channel/attach_channel';
import { fork } from '../channel/spawn';
import { invalidArgValue, isCausedByPeer } from '../errors';
import { DEFAULT_LIMITS, limitsFrom } from '../limits';
import { isClusterMessage, isReturned, readWorkerMessage, type Returned, type WorkerMessage } from '../messages';
import type { NativeHandle } from '../native/bindings';
import { debugProcess } from '../native/debugging';
import { ownOptions } from '../own_options';
import { setMoved } from '../moving';
import { addReturnIdle } from '../return_idle';
import { traceMessage, traceState } from '../trace';
import { checkBoolean, checkNames } from '../validate';
import { workerClass, type Worker } from '../worker';
import { ConnectionCounters, type ConnectionCounts } from './connection_counters';
import { allow } from './inherited_fds';
import { LISTEN_VARIABLES, type InheritedSocket } from './inherited_sockets';
import { ListenTable } from './listen_table';
import { Peer } from './peer';
import { rebalanceFrom } from './rebalancing';
import type { PrimaryCluster } from './primary_cluster';
import { InspectPorts, SCHED_NONE, SCHED_RR, checkPolicy, forkSettings, initialPolicy, isGiven, mergeSettings, ownSettings, policyOf, type ClusterSettings } from './settings';
import { leaveAlone, release, type Closable } from './unclaimed_handles';

/** The cluster object that `installPrimary` makes. */
export type { PrimaryCluster } from './primary_cluster';

// A primary that replaces another one has this variable in its environment (upgrade/start.ts). Others load nothing for that.
if (process.env['CLUSTER_INTERNALS_UPGRADE'] !== undefined) (require('../upgrade/successor') as typeof import('../upgrade/successor')).openInheritance();

/** Makes this process a primary, with `cluster` as its cluster object. The returned function makes another object the cluster object; its caller has moved the properties there. */
export function installPrimary(cluster: EventEmitter): (moved: EventEmitter) => void {
  const primary = new Primary(cluster as PrimaryCluster);
  const setupPrimary = (options?: ClusterSettings): void => primary.setup(options);
  NativeObject.assign(cluster, {
    isWorker: false,
    isMaster: true,
    isPrimary: true,
    Worker: primary.Worker,
    workers: {},
    settings: {},
    SCHED_NONE,
    SCHED_RR,
    schedulingPolicy: initialPolicy(),
    setupPrimary,
    setupMaster: setupPrimary,
    fork: (env: NodeJS.ProcessEnv | undefined, ...rest: unknown[]) => primary.fork(env, forkSettings(rest)),
    disconnect: (callback: (() => void) | undefined) => primary.disconnect(callback),
  } satisfies Omit<PrimaryCluster, keyof EventEmitter | 'queuedConnections' | 'inheritedSockets' | 'forkWith' | 'counters'>);
  // Not enumerable: the keys of the object stay the same as Node's.
  NativeObject.defineProperty(cluster, 'queuedConnections', { get: () => primary.queued, configurable: true });
  NativeObject.defineProperty(cluster, 'inheritedSockets', { get: () => primary.inheritedSockets, configurable: true });
  const ours: Pick<PrimaryCluster, 'forkWith' | 'counters'> = { forkWith: (settings, env) => primary.forkWith(settings, env), counters: (options) => primary.counters(options) };
  for (const name of ['forkWith', 'counters'] as const) NativeObject.defineProperty(cluster, name, { value: ours[name], configurable: true, writable: true });
  return (moved) => primary.moveTo(moved as PrimaryCluster);
}

class Primary {
  readonly Worker = workerClass({
    disconnect: (worker) => this.#disconnectWorker(worker),
    destroy: (worker, signal) => void worker.process.kill?.((signal || 'SIGTERM') as never),
    dispose: (worker) => worker.process[Symbol.dispose]?.(),
    mayIgnore: isCausedByPeer,
  });
  #cluster: PrimaryCluster;
  readonly #peers = new Map<Worker, Peer>();
  readonly #counters = new ConnectionCounters();
  readonly #listenTable = new ListenTable(() => ({ settings: ownSettings(this.#cluster.settings), policy: this.#policy }), this.#counters);
  readonly #inspectPorts = new InspectPorts();
  /** Emits 'empty' whenever a removal leaves `cluster.workers` empty. */
  readonly #table = new EventEmitter();
  #lastId = 0;
  #policy: number | null = null;

  constructor(cluster: PrimaryCluster) {
    this.#cluster = cluster;
  }

  moveTo(cluster: PrimaryCluster): void {
    this.#cluster = cluster;
  }

  // ── what a program calls ───────────────────────────────────────────────────────────────────────

  setup(options: ClusterSettings | undefined): void {
    const settings = mergeSettings(this.#cluster.settings, options);
    const policy = policyOf(options, settings, this.#policy);
    // Only the fds of this call, and from `settings`: a getter in `options` is read once.
    const given = isGiven(options, 'allowedFds') ? ownSettings(settings).allowedFds : undefined;
    for (const fd of given ?? []) {
      if (!allow(fd)) throw invalidArgValue('options.allowedFds', fd);
    }
    this.#cluster.settings = settings;
    if (policy !== null) this.#cluster.schedulingPolicy = policy;
    this.#fixPolicy();
    process.nextTick(() => this.#cluster.emit('setup', settings));
  }

  /** `settings`: for this worker only. */
  fork(env: NodeJS.ProcessEnv | undefined, settings: ClusterSettings | null): Worker {
    if (settings !== null) return this.forkWith(settings, env);
    this.setup(undefined);
    return this.#start(this.#cluster.settings, env);
  }

  forkWith(given: ClusterSettings, env: NodeJS.ProcessEnv | undefined): Worker {
    const settings = mergeSettings(this.#cluster.settings, given);
    this.#fixPolicy();
    return this.#start(settings, env);
  }

  /** The first call fixes the scheduling policy for good, also if the policy is invalid and this throws. */
  #fixPolicy(): void {
    if (this.#policy !== null) return;
    this.#policy = this.#cluster.schedulingPolicy;
    checkPolicy(this.#policy);
    process.on('internalMessage' as 'message', (message: unknown) => this.#debugWorkers(message));
  }

  #start(given: ClusterSettings, env: NodeJS.ProcessEnv | undefined): Worker {
    const settings = ownSettings(given);
    const { workers } = this.#cluster;
    const { exec, args, cwd, serialization, silent, stdio, uid, gid, windowsHide, dialect } = settings;
    if (settings.inheritedSockets === true) this.#listenTable.useInheritedSockets();
    const id = ++this.#lastId;
    const { messageBytes, unreadBytes } = limitsFrom(settings.limits, DEFAULT_LIMITS);
    // Only these settings reach the child; others are the program's own.
    const child = fork(exec as string, args, {
      cwd, serialization, silent, stdio, uid, gid, windowsHide, dialect,
      env: { ...process.env, ...(settings.inheritedSockets === true ? LISTEN_VARIABLES : {}), ...env, NODE_UNIQUE_ID: String(id) },
      execArgv: [...this.#inspectPorts.flagsFor(settings)],
      name: `P to W${id}`,
      limits: { messageBytes, unreadBytes },
    });
    const worker = new this.Worker({ id, process: child });
    // A worker that cannot load our preload speaks Node's dialect (D44).
    const peer = new Peer(worker, channelOf(child)?.dialect ?? 'node', { weight: settings.weight, rebalance: rebalanceFrom(settings.rebalance) });
    this.#peers.set(worker, peer);
    addReturnIdle(worker, (max) => peer.returnIdle(max));
    setMoved(worker, () => peer.moved);

    worker.on('message', (message: unknown, handle: Closable | undefined) => {
      const hasListener = this.#cluster.emit('message', worker, message, handle);
      // Nobody else listens: neither on the cluster nor on the worker nor on its ChildProcess.
      if (handle !== undefined && !hasListener && worker.listenerCount('message') === 1 && child.listenerCount('message') === 1) leaveAlone(handle);
    });
    child.once('exit', (code, signal) => this.#exited(peer, code, signal));
    child.once('disconnect', () => this.#disconnected(peer));
    child.on('internalMessage', (value: unknown, handle: NativeHandle | undefined) => this.#receive(peer, value, handle));
    process.nextTick(() => this.#cluster.emit('fork', worker));
    workers[id] = worker;
    return worker;
  }

  disconnect(callback: (() => void) | undefined): void {
    this.#listenTable.closeKept();
    const workers = NativeObject.values(this.#cluster.workers);
    if (workers.length === 0) process.nextTick(() => this.#table.emit('empty'));
    for (const worker of workers) {
      if (worker.isConnected()) worker.disconnect();
    }
    if (typeof callback === 'function') this.#table.once('empty', () => callback());
  }

  get inheritedSockets(): InheritedSocket[] {
    return this.#listenTable.inheritedSockets;
  }

  get queued(): number {
    return this.#listenTable.queued;
  }

  counters(options: { readonly latency?: boolean } = {}): ConnectionCounts {
    checkNames('options', options, ['latency']);
    if (checkBoolean('options.latency', ownOptions(options, ['latency']).latency ?? false)) this.#counters.measureLatency();
    return this.#counters.read(this.queued);
  }

  // ── messages of workers ────────────────────────────────────────────────────────────────────────

  #receive(peer: Peer, value: unknown, handle: NativeHandle | undefined): void {
    const message = readWorkerMessage(value);
    if (message !== null && isReturned(message)) return this.#takeBack(peer, message, handle);
    if (isClusterMessage(value)) release(handle); // No other cluster message of a worker carries a handle.
    if (message === null) return;
    traceMessage('received', peer.name, 'P', message);
    this.#act(peer, message);
  }

  /** The worker gives a connection back. Whatever else came as a handle is closed. */
  #takeBack(peer: Peer, message: Returned, handle: NativeHandle | undefined): void {
    traceMessage('received', peer.name, 'P', message, handle);
    const { key, seq } = message;
    const taken = handle !== undefined && this.#listenTable.takeBack(peer, key, handle);
    peer.send({ ack: seq, taken });
    if (!taken) release(handle);
  }

  #act(peer: Peer, message: Exclude<WorkerMessage, Returned>): void {
    if ('ack' in message || message.act === 'accepted') {
      peer.answer(message, (open) => this.#listenTable.report(peer, open));
      return;
    }
    const { worker } = peer;
    switch (message.act) {
      case 'online':
        this.#setState(worker, 'online');
        worker.emit('online');
        this.#cluster.emit('online', worker);
        return;
      case 'queryServer':
        return this.#listenTable.query(peer, message);
      case 'listening': {
        const { addressType, address, port, fd } = message;
        const info = { addressType, address, port, fd };
        this.#setState(worker, 'listening');
        worker.emit('listening', info);
        this.#cluster.emit('listening', worker, info);
        return;
      }
      case 'withdraw':
        return this.#listenTable.withdraw(peer, message.key, () => reply(peer, message.seq));
      case 'close':
        peer.closed(message.key);
        return this.#listenTable.leave(peer, message.key);
      case 'progress':
        return this.#listenTable.progress(peer, message);
      case 'exitedAfterDisconnect':
        worker.exitedAfterDisconnect = true;
        return reply(peer, message.seq);
      default:
        return message satisfies never;
    }
  }

  // ── the end of workers ─────────────────────────────────────────────────────────────────────────

  /** The primary asks the worker to leave: from now on the worker gets no new connection. */
  #disconnectWorker(worker: Worker): void {
    worker.exitedAfterDisconnect = true;
    const peer = this.#peers.get(worker);
    if (peer !== undefined) {
      // In this order: a client that learns from the worker that it leaves finds the address closed.
      this.#listenTable.leaveAll(peer, false);
      peer.send({ act: 'disconnect' });
    }
    this.#removeWorker(worker);
  }

  #exited(peer: Peer, code: number | null, signal: NodeJS.Signals | null): void {
    const { worker } = peer;
    if (!worker.isConnected()) {
      this.#listenTable.leaveAll(peer, !worker.exitedAfterDisconnect);
      this.#removeWorker(worker);
    }
    worker.exitedAfterDisconnect = Boolean(worker.exitedAfterDisconnect);
    this.#setState(worker, 'dead');
    worker.emit('exit', code, signal);
    this.#cluster.emit('exit', worker, code, signal);
  }

  #disconnected(peer: Peer): void {
    const { worker } = peer;
    const endedHere = channelOf(worker.process)?.endedHere ?? hasClosed(worker.process);
    peer.lose(endedHere ? 'untold' : 'lost');
    this.#listenTable.leaveAll(peer, !worker.exitedAfterDisconnect);
    this.#peers.delete(worker);
    if (worker.isDead()) this.#removeWorker(worker);
    worker.exitedAfterDisconnect = Boolean(worker.exitedAfterDisconnect);
    this.#setState(worker, 'disconnected');
    worker.emit('disconnect');
    this.#cluster.emit('disconnect', worker);
  }

  #removeWorker(worker: Worker): void {
    const { workers } = this.#cluster;
    delete workers[worker.id];
    if (NativeObject.keys(workers).length === 0) this.#table.emit('empty');
  }

  #setState(worker: Worker, state: string): void {
    traceState(`W${worker.id}`, worker.state, state);
    worker.state = state;
  }

  /** On SIGUSR1 Node sends the primary this message; then every worker starts its inspector. */
  #debugWorkers(message: unknown): void {
    if ((message as { cmd?: unknown } | null)?.cmd !== 'NODE_DEBUG_ENABLED') return;
    const debug = (worker: Worker): void => debugProcess(worker.process.pid);
    for (const worker of NativeObject.values(this.#cluster.workers)) {
      if (worker.state === 'online' || worker.state === 'listening') debug(worker);
      else worker.once('online', () => debug(worker));
    }
  }
}

/** Answers a message that has no other answer than that it has arrived. */
function reply(peer: Peer, seq: number): void {
  peer.send({ ack: seq });
}
