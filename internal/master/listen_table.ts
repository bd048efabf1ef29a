/**
 * The table of the addresses at which workers listen. It answers `queryServer`, and decides how long an
 * address stays open after its last worker.
 *
 * Owns     the server handles by key, each with the workers that listen there; the timers of those
 *          that are kept open without a worker
 * Used by  index.ts, one for each primary
 * Uses     listen_policy.ts (may this worker listen there?), round_robin_handle.ts, shared_handle.ts,
 *          shared_accept_handle.ts, connection_counters.ts (passed on), handover.ts (addresses of the primary before this
 *          one, or after it), inherited_sockets.ts (what systemd has bound)
 * Never    opens anything before the query has passed the policy; changes its tables before the program's
 *          `allowListen` has returned, which may end workers or the whole cluster
 * Keeps    1. a key is in the table as long as a worker listens there. If the last worker dies and
 *             `keepListening` is set, the key stays until its deadline (D36)
 *          2. `#keysOf` holds, for each worker, the keys at which it listens: at most
 *             `limits.listeningHandles`
 * Node     lib/internal/cluster/primary.js, queryServer. It has no policy (D47 to D50)
 */
import { Map, Math, NativeObject, Set } from '../builtins';
import { epochClock } from '../clock';
import { DEFAULT_LIMITS, keepListeningFrom, limitsFrom, type KeepListening, type Limits } from '../limits';
import type { Progress, QueryServer } from '../messages';
import { UV_EADDRINUSE, UV_EMFILE, nodeMajor, type NativeHandle } from '../native/bindings';
import { traceState } from '../trace';
import type { ConnectionCounters } from './connection_counters';
import { Handover } from './handover';
import { InheritedSockets, type InheritedSocket } from './inherited_sockets';
import { isGoodData, refusalOf } from './listen_policy';
import type { Peer } from './peer';
import { RoundRobinHandle, type AddressOptions } from './round_robin_handle';
import type { ServerHandle } from './server_handle';
import { SCHED_RR, type ClusterSettings } from './settings';
import { SharedAcceptHandle } from './shared_accept_handle';
import { SharedHandle } from './shared_handle';

/** The settings of the primary that the table needs; read anew at each query. */
export interface Terms {
  readonly settings: ClusterSettings;
  /** SCHED_NONE or SCHED_RR. */
  readonly policy: number | null;
}

/** All addresses of one primary. */
export class ListenTable {
  readonly #terms: () => Terms;
  readonly #counters: ConnectionCounters;
  readonly #handles = new Map<string, ServerHandle>();
  /** Addresses that are kept open without a worker, each with its deadline, by `epochClock`, and how to call that off. */
  readonly #kept = new Map<string, { readonly cancel: () => void; readonly until: number }>();
  readonly #keysOf = new Map<Peer, Set<string>>();
  readonly #handover: Handover;
  /** The sockets of systemd; null: the program does not use them. */
  #sockets: InheritedSockets | null = null;

  constructor(terms: () => Terms, counters: ConnectionCounters) {
    this.#terms = terms;
    this.#counters = counters;
    this.#handover = new Handover(this.#handles, () => limitsFrom(terms().settings.limits, DEFAULT_LIMITS), counters, {
      leftMs: (key) => {
        const kept = this.#kept.get(key);
        return kept === undefined ? null : Math.max(1, Math.ceil(kept.until - epochClock.now()));
      },
      stop: () => {
        for (const key of this.#kept.keys()) this.#stopKeeping(key);
      },
    });
  }

  /** How many connections wait in the primary for a worker. */
  get queued(): number {
    return this.#handover.queued;
  }

  /** From now on a worker gets the socket that systemd has passed for the address at which it listens (D62). */
  useInheritedSockets(): void {
    this.#sockets ??= new InheritedSockets();
  }

  /** The sockets that systemd has passed, if the program uses them. */
  get inheritedSockets(): InheritedSocket[] {
    return this.#sockets?.list() ?? [];
  }

  /** A worker wants to listen: it joins the workers that listen at the same key, or is the first there. */
  query(peer: Peer, query: QueryServer): void {
    const { worker } = peer;
    if (worker.exitedAfterDisconnect) return; // The worker is leaving. Node does not reply either.
    if (!this.#handover.isComplete(() => { if (worker.process.connected) this.query(peer, query); })) return;
    this.#sockets?.adoptUnused();
    const key = keyOf(query);
    const { settings, policy } = this.#terms();
    const refusal = refusalOf(query, worker, settings.allowListen, this.#isInheritedFd(this.#handles.get(key), query));
    // `allowListen` may have made the worker leave, or closed its channel.
    if (worker.exitedAfterDisconnect || !worker.process.connected) return;
    if (refusal !== 0) return this.#refuse(peer, query, key, refusal);
    let handle = this.#handles.get(key);
    if (handle?.has(peer)) {
      // A second server of this worker on the same address: the kernel would refuse it as well (D6).
      peer.send({ errno: UV_EADDRINUSE, key, ack: query.seq, data: handle.data });
      return;
    }
    const limits = limitsFrom(settings.limits, DEFAULT_LIMITS);
    const keys = this.#keysOf.get(peer) ?? new Set();
    if (keys.size >= limits.listeningHandles) return this.#refuse(peer, query, key, UV_EMFILE);
    this.#keysOf.set(peer, keys.add(key));
    handle ??= this.#open(key, query, policy, settings, limits);
    const asked = handle;
    this.#stopKeeping(key);
    asked.data ||= query.data;
    asked.add(peer, (errno, fields, native) => {
      if (errno) {
        this.#forget(peer, key);
        // The next query tries to bind again.
        if (this.#handles.get(key) === asked) this.#handles.delete(key);
      }
      peer.send({ errno, key, ack: query.seq, data: asked.data, ...fields }, native);
    });
  }

  /** Does this query name an fd of another primary, or of systemd? */
  #isInheritedFd(handle: ServerHandle | undefined, query: QueryServer): boolean {
    if (this.#handover.isInheritedFd(handle, query)) return true;
    return handle === undefined && typeof query.fd === 'number' && this.#sockets?.hasUnused(query.fd) === true;
  }

  #open(key: string, query: QueryServer, policy: number | null, settings: ClusterSettings, limits: Limits): ServerHandle {
    const inherited = this.#handover.take(query);
    if (inherited?.isKept === true) (this.#sockets ??= new InheritedSockets()).adopt(query, inherited.handle);
    const taken = inherited === null ? this.#sockets?.take(query) ?? null : null;
    const bound = inherited ?? (taken === null ? undefined : { handle: taken.handle, waits: this.#handover.mustWait });
    const handle = openHandle(key, taken?.query ?? query, policy, settings, limits, this.#counters, bound);
    this.#handover.opened(handle, query, inherited, inherited?.isKept ?? taken !== null);
    if (inherited !== null && isGoodData(inherited.data)) handle.data = inherited.data ?? null;
    this.#handles.set(key, handle);
    return handle;
  }

  /** Refuses the query. The reply returns the `data` of this query: the worker gives it to its server even if there is an errno. */
  #refuse(peer: Peer, { seq, data }: QueryServer, key: string, errno: number): void {
    traceState(`${peer.name} at ${key}`, 'asked', 'refused');
    peer.send({ errno, key, ack: seq, data: isGoodData(data) ? data : null });
  }

  /** The worker has reported how many connections it has open, by key. */
  report(peer: Peer, open: Readonly<Record<string, number>>): void {
    for (const [key, count] of NativeObject.entries(open)) this.#handles.get(key)?.report?.(peer, count);
  }

  /** The worker has reported what it has accepted by itself. Ignored where it does not listen, or has no quota. */
  progress(peer: Peer, progress: Progress): void {
    this.#handles.get(progress.key)?.progress?.(peer, progress);
  }

  /** The worker gives an idle connection back. True: it is transferred. False: the worker has to keep it. */
  takeBack(giver: Peer, key: string, connection: NativeHandle): boolean {
    return this.#handles.get(key)?.takeBack?.(giver, connection) === true;
  }

  /** The worker wants no more connections of that address. `done` is called when it has been sent all that it gets. */
  withdraw(peer: Peer, key: string, done: () => void): void {
    const given = (): void => {
      this.leave(peer, key);
      done();
    };
    const handle = this.#handles.get(key);
    if (handle?.giveRest === undefined) given();
    else handle.giveRest(peer, given);
  }

  /** The worker listens there no more. `keep`: it has died, and the address stays open for another worker. */
  leave(peer: Peer, key: string, keep: KeepListening | null = null): void {
    this.#forget(peer, key);
    const handle = this.#handles.get(key);
    if (!handle?.remove(peer, keep)) return;
    if (keep === null || !handle.listening) this.#handles.delete(key);
    else this.#kept.set(key, { cancel: epochClock.after(keep.deadlineMs, () => this.#closeKept(key), false), until: epochClock.now() + keep.deadlineMs });
  }

  /** The worker listens nowhere any more. `died`: nobody asked it to leave, so `keepListening` applies. */
  leaveAll(peer: Peer, died: boolean): void {
    const keep = died ? keepListeningFrom(this.#terms().settings.keepListening) : null;
    // Every handle, also those the worker has left: connections that were in flight to it may have been requeued there.
    for (const key of [...this.#handles.keys()]) this.leave(peer, key, keep);
    this.#keysOf.delete(peer);
  }

  /** No more workers are expected: closes the addresses that are kept open. */
  closeKept(): void {
    for (const key of [...this.#kept.keys()]) this.#closeKept(key);
  }

  #forget(peer: Peer, key: string): void {
    const keys = this.#keysOf.get(peer);
    if (keys?.delete(key) && keys.size === 0) this.#keysOf.delete(peer);
  }

  /** No worker has asked for this address before its deadline. */
  #closeKept(key: string): void {
    this.#stopKeeping(key);
    this.#handles.get(key)?.close();
    this.#handles.delete(key);
  }

  #stopKeeping(key: string): void {
    this.#kept.get(key)?.cancel();
    this.#kept.delete(key);
  }
}

function openHandle(key: string, query: QueryServer, policy: number | null, { scheduling }: ClusterSettings, limits: Limits, counters: ConnectionCounters,
  inherited: AddressOptions['inherited']): ServerHandle {
  const shared = policy !== SCHED_RR || query.addressType === 'udp4' || query.addressType === 'udp6';
  if (shared) return new SharedHandle(key, query, limits, inherited?.handle);
  const options = { limits, counters, inherited };
  if (scheduling === 'shared') return new SharedAcceptHandle(key, query, options);
  return new RoundRobinHandle(key, query, { scheduling, ...options });
}

/**
 * The key of an address. The index of the worker's server is part of it: on Node 20 always; later only for
 * port 0, where each server gets a port of its own, and here also for UDP, whose sockets can share a port (D20).
 */
function keyOf({ address, port, addressType, fd, index }: QueryServer): string {
  const key = `${address}:${port}:${addressType}:${fd}`;
  const counted = nodeMajor < 22 || port === 0 || (index > 0 && typeof addressType === 'string');
  return counted ? `${key}:${index}` : key;
}
