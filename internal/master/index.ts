/**
 * The primary's role: starts workers, keeps the table of them, answers their `queryServer`, and
 * tells the program what becomes of them.
 *
 * Owns     the workers (their channel; the processes are their own), the server handles by key, each
 *          with the workers that listen there
 * Used by  role.ts, which puts it on a cluster object
 * Uses     channel/spawn.ts, peer.ts, round_robin_handle.ts, shared_handle.ts, settings.ts
 * Never    dies of what a worker does: an error that a worker caused and nobody listens for is only
 *          traced (D18); a message that makes no sense is ignored (D6)
 * Keeps    1. a worker is in `cluster.workers` until both its channel and its process have ended, or
 *             until the primary has told it to disconnect
 *          2. a key is in the table while some worker listens there, and not longer, unless its last
 *             worker died and `keepListening` is set: then until its deadline (D36)
 *          3. when a channel ends, what was acknowledged stays acknowledged, what was in flight goes
 *             back to its queue, and only then the worker leaves its handles
 * Wire     see messages.ts
 * Node     lib/internal/cluster/primary.js
 */
import { EventEmitter } from 'node:events';
import { channelOf } from '../channel/process_face';
import { fork } from '../channel/spawn';
import { isCausedByPeer } from '../errors';
import { DEFAULT_LIMITS, keepListeningFrom, limitsFrom, type KeepListening } from '../limits';
import { isClusterMessage, readWorkerMessage, type QueryServer, type WorkerMessage } from '../messages';
import { UV_EADDRINUSE, nodeMajor, type NativeHandle } from '../native';
import { traceMessage, traceState } from '../trace';
import { workerClass, type Worker } from '../worker';
import { Peer } from './peer';
import { RoundRobinHandle, type ServerHandle } from './round_robin_handle';
import { InspectPorts, SCHED_NONE, SCHED_RR, checkPolicy, initialPolicy, mergeSettings, type ClusterSettings } from './settings';
import { SharedHandle } from './shared_handle';

/** The primary's cluster object: https://nodejs.org/api/cluster.html */
export interface PrimaryCluster extends EventEmitter {
  isWorker: boolean;
  isMaster: boolean;
  isPrimary: boolean;
  Worker: unknown;
  workers: Record<string, Worker>;
  settings: ClusterSettings;
  SCHED_NONE: number;
  SCHED_RR: number;
  schedulingPolicy: number;
  /** How many connections the primary has accepted and not handed to a worker (D33). */
  readonly queuedConnections: number;
  setupPrimary(options?: ClusterSettings): void;
  setupMaster(options?: ClusterSettings): void;
  fork(env?: NodeJS.ProcessEnv): Worker;
  disconnect(callback?: () => void): void;
}

/** Makes this process a primary, and `cluster` its cluster object. */
export function installPrimary(cluster: EventEmitter): void {
  const primary = new Primary(cluster as PrimaryCluster);
  const setupPrimary = (options?: ClusterSettings): void => primary.setup(options);
  Object.assign(cluster, {
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
    fork: (env: NodeJS.ProcessEnv | undefined) => primary.fork(env),
    disconnect: (callback: (() => void) | undefined) => primary.disconnect(callback),
  } satisfies Omit<PrimaryCluster, keyof EventEmitter | 'queuedConnections'>);
  // Not among the keys, where it would be one more than Node's.
  Object.defineProperty(cluster, 'queuedConnections', { get: () => primary.queued, configurable: true });
}

class Primary {
  readonly Worker = workerClass({
    disconnect: (worker) => this.#disconnectWorker(worker),
    destroy: (worker, signal) => void worker.process.kill?.((signal || 'SIGTERM') as never),
    mayIgnore: isCausedByPeer,
  });
  readonly #cluster: PrimaryCluster;
  readonly #peers = new Map<Worker, Peer>();
  readonly #handles = new Map<string, ServerHandle>();
  /** Addresses without a worker that are kept, until their time is over. */
  readonly #kept = new Map<string, NodeJS.Timeout>();
  readonly #inspectPorts = new InspectPorts();
  /** Emits 'empty' whenever a removal leaves `cluster.workers` empty. */
  readonly #table = new EventEmitter();
  #lastId = 0;
  #policy: number | null = null;

  constructor(cluster: PrimaryCluster) {
    this.#cluster = cluster;
  }

  // ── what a program calls ───────────────────────────────────────────────────────────────────────

  setup(options: ClusterSettings | undefined): void {
    const settings = mergeSettings(this.#cluster.settings, options);
    this.#cluster.settings = settings;
    if (this.#policy === null) {
      // Fixed by the first call, even if that one throws because the policy is none.
      this.#policy = this.#cluster.schedulingPolicy;
      checkPolicy(this.#policy);
      process.on('internalMessage' as 'message', (message: unknown) => this.#debugWorkers(message));
    }
    process.nextTick(() => this.#cluster.emit('setup', settings));
  }

  fork(env: NodeJS.ProcessEnv | undefined): Worker {
    this.setup(undefined);
    const { settings, workers } = this.#cluster;
    const { exec, args, cwd, serialization, silent, stdio, uid, gid, windowsHide, dialect } = settings;
    const id = ++this.#lastId;
    const { messageBytes, unreadBytes } = limitsFrom(settings.limits, DEFAULT_LIMITS);
    // Other settings are the program's own; none of them reaches the child.
    const child = fork(exec as string, args, {
      cwd, serialization, silent, stdio, uid, gid, windowsHide, dialect,
      env: { ...process.env, ...env, NODE_UNIQUE_ID: String(id) },
      execArgv: [...this.#inspectPorts.flagsFor(settings)],
      name: `P to W${id}`,
      limits: { messageBytes, unreadBytes },
    });
    const worker = new this.Worker({ id, process: child });
    const peer = new Peer(worker, dialect ?? 'pipelined', settings.weight);
    this.#peers.set(worker, peer);

    worker.on('message', (message: unknown, handle: Closable | undefined) => {
      const heard = this.#cluster.emit('message', worker, message, handle);
      // Nobody but us listens, at any of the three places: whose socket this is would wait for good (D37).
      if (handle !== undefined && !heard && worker.listenerCount('message') === 1 && child.listenerCount('message') === 1) release(handle);
    });
    child.once('exit', (code, signal) => this.#exited(peer, code, signal));
    child.once('disconnect', () => this.#disconnected(peer));
    child.on('internalMessage', (value: unknown, handle: NativeHandle | undefined) => this.#receive(peer, value, handle));
    process.nextTick(() => this.#cluster.emit('fork', worker));
    workers[id] = worker;
    return worker;
  }

  disconnect(callback: (() => void) | undefined): void {
    for (const key of [...this.#kept.keys()]) this.#keptInVain(key);
    const workers = Object.values(this.#cluster.workers);
    if (workers.length === 0) process.nextTick(() => this.#table.emit('empty'));
    for (const worker of workers) {
      if (worker.isConnected()) worker.disconnect();
    }
    if (typeof callback === 'function') this.#table.once('empty', () => callback());
  }

  get queued(): number {
    let count = 0;
    for (const handle of this.#handles.values()) count += handle.queued;
    return count;
  }

  // ── messages of workers ────────────────────────────────────────────────────────────────────────

  #receive(peer: Peer, value: unknown, handle: NativeHandle | undefined): void {
    const message = readWorkerMessage(value);
    if (isClusterMessage(value)) release(handle); // No cluster message of a worker has one.
    if (message === null) return;
    traceMessage('received', peer.name, 'P', message);
    if ('ack' in message) return peer.acknowledge(message.ack, message.accepted ? [] : [message.ack]);
    this.#act(peer, message);
  }

  #act(peer: Peer, message: Exclude<WorkerMessage, { ack: number }>): void {
    const { worker } = peer;
    switch (message.act) {
      case 'online':
        this.#setState(worker, 'online');
        worker.emit('online');
        this.#cluster.emit('online', worker);
        return;
      case 'queryServer':
        return this.#queryServer(peer, message);
      case 'listening': {
        const { addressType, address, port, fd } = message;
        const info = { addressType, address, port, fd };
        this.#setState(worker, 'listening');
        worker.emit('listening', info);
        this.#cluster.emit('listening', worker, info);
        return;
      }
      case 'accepted':
        for (const [key, open] of Object.entries(message.open ?? {})) this.#handles.get(key)?.report?.(peer, open);
        return peer.acknowledge(message.upTo, message.rejected ?? []);
      case 'close':
        return this.#leaveHandle(peer, message.key);
      case 'exitedAfterDisconnect':
        worker.exitedAfterDisconnect = true;
        peer.send({ ack: message.seq });
        return;
      default:
        return message satisfies never;
    }
  }

  /** A worker wants to listen: it joins those who listen at the same key, or is the first there. */
  #queryServer(peer: Peer, query: QueryServer): void {
    if (peer.worker.exitedAfterDisconnect) return; // On its way out; Node leaves it without a reply too.
    const key = keyOf(query);
    let handle = this.#handles.get(key);
    if (handle?.has(peer)) {
      // A second server of this worker on an address that is no port 0: what the kernel would say (D6).
      peer.send({ errno: UV_EADDRINUSE, key, ack: query.seq, data: handle.data });
      return;
    }
    if (handle === undefined) this.#handles.set(key, handle = this.#openHandle(key, query));
    const asked = handle;
    this.#stopKeeping(key);
    asked.data ||= query.data;
    asked.add(peer, (errno, fields, native) => {
      // A failed bind is forgotten, so that the next query tries again.
      if (errno && this.#handles.get(key) === asked) this.#handles.delete(key);
      peer.send({ errno, key, ack: query.seq, data: asked.data, ...fields }, native);
    });
  }

  #openHandle(key: string, query: QueryServer): ServerHandle {
    const { scheduling, limits } = this.#cluster.settings;
    const shared = this.#policy !== SCHED_RR || query.addressType === 'udp4' || query.addressType === 'udp6';
    return shared ? new SharedHandle(key, query) : new RoundRobinHandle(key, query, { scheduling, limits: limitsFrom(limits, DEFAULT_LIMITS) });
  }

  // ── the end of workers ─────────────────────────────────────────────────────────────────────────

  /** The primary wants the worker to leave: from now on it gets nothing new. */
  #disconnectWorker(worker: Worker): void {
    worker.exitedAfterDisconnect = true;
    const peer = this.#peers.get(worker);
    if (peer !== undefined) {
      // In this order: whoever learns from the worker that it leaves finds the address closed.
      this.#leaveHandles(peer);
      peer.send({ act: 'disconnect' });
    }
    this.#removeWorker(worker);
  }

  #exited(peer: Peer, code: number | null, signal: NodeJS.Signals | null): void {
    const { worker } = peer;
    if (!worker.isConnected()) {
      this.#leaveHandles(peer, worker.exitedAfterDisconnect ? null : this.#keeping);
      this.#removeWorker(worker);
    }
    worker.exitedAfterDisconnect = Boolean(worker.exitedAfterDisconnect);
    this.#setState(worker, 'dead');
    worker.emit('exit', code, signal);
    this.#cluster.emit('exit', worker, code, signal);
  }

  #disconnected(peer: Peer): void {
    const { worker } = peer;
    peer.lose(channelOf(worker.process)?.endedHere ? 'untold' : 'lost');
    this.#leaveHandles(peer, worker.exitedAfterDisconnect ? null : this.#keeping);
    this.#peers.delete(worker);
    if (worker.isDead()) this.#removeWorker(worker);
    worker.exitedAfterDisconnect = Boolean(worker.exitedAfterDisconnect);
    this.#setState(worker, 'disconnected');
    worker.emit('disconnect');
    this.#cluster.emit('disconnect', worker);
  }

  /** `keep`: it has died, and the address may wait for another. */
  #leaveHandle(peer: Peer, key: string, keep: KeepListening | null = null): void {
    const handle = this.#handles.get(key);
    if (!handle?.remove(peer, keep)) return;
    if (keep === null || !handle.listening) this.#handles.delete(key);
    else this.#kept.set(key, setTimeout(() => this.#keptInVain(key), keep.deadlineMs).unref());
  }

  #leaveHandles(peer: Peer, keep: KeepListening | null = null): void {
    for (const key of [...this.#handles.keys()]) this.#leaveHandle(peer, key, keep);
  }

  /** No worker has asked for this address in time. */
  #keptInVain(key: string): void {
    this.#stopKeeping(key);
    this.#handles.get(key)?.close();
    this.#handles.delete(key);
  }

  #stopKeeping(key: string): void {
    clearTimeout(this.#kept.get(key));
    this.#kept.delete(key);
  }

  get #keeping(): KeepListening | null {
    return keepListeningFrom(this.#cluster.settings.keepListening);
  }

  #removeWorker(worker: Worker): void {
    const { workers } = this.#cluster;
    delete workers[worker.id];
    if (Object.keys(workers).length === 0) this.#table.emit('empty');
  }

  #setState(worker: Worker, state: string): void {
    traceState(`W${worker.id}`, worker.state, state);
    worker.state = state;
  }

  /** SIGUSR1 in a debugged primary: Node asks, and every worker starts its inspector. */
  #debugWorkers(message: unknown): void {
    if ((message as { cmd?: unknown } | null)?.cmd !== 'NODE_DEBUG_ENABLED') return;
    const debug = (worker: Worker): void => (process as unknown as { _debugProcess(pid?: number): void })._debugProcess(worker.process.pid);
    for (const worker of Object.values(this.#cluster.workers)) {
      if (worker.state === 'online' || worker.state === 'listening') debug(worker);
      else worker.once('online', () => debug(worker));
    }
  }
}

interface Closable {
  close?(): void;
  destroy?(): void;
}

/** Closes what nobody asked for: a native handle, a server or a socket. */
function release(handle: Closable | undefined): void {
  if (typeof handle?.destroy === 'function') handle.destroy();
  else handle?.close?.();
}

/**
 * The identity of an address. Node 20 counts the servers of one worker in it; later only for port 0,
 * where each server gets a port of its own, and here also for UDP, whose sockets can share a port (D20).
 */
function keyOf({ address, port, addressType, fd, index }: QueryServer): string {
  const key = `${address}:${port}:${addressType}:${fd}`;
  const counted = nodeMajor < 22 || port === 0 || (index > 0 && typeof addressType === 'string');
  return counted ? `${key}:${index}` : key;
}
