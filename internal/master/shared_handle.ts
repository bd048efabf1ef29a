/**
 * One address that the workers share: the primary binds, each worker gets a copy of the socket and
 * accepts or receives by itself. The kernel decides who gets what. UDP is always shared, since a
 * datagram is nothing that could be handed over.
 *
 * Owns     the bound handle, until the last worker leaves
 * Used by  master/index.ts, one per key
 * Never    listens on the handle, accepts or reads from it
 * States   open ── last remove(), or close() of what was kept ──► closed; failed from the start, if the bind failed
 * Node     lib/internal/cluster/shared_handle.js. That a TCP port is taken Node finds out in the
 *          worker, which then can never listen there again from 22 on; here the bind says it (D51)
 */
import { Set } from '../builtins';
import { DEFAULT_LIMITS, type KeepListening } from '../limits';
import { namesFd, type QueryServer } from '../messages';
import { UV_EMFILE, type NativeHandle } from '../native/bindings';
import { bindDatagram, bindStream } from '../native/listening';
import { traceState } from '../trace';
import { isOneOfTheLast, type AcceptLimits } from './acceptor';
import type { Peer } from './peer';
import { shortPath } from './listen_options';
import type { HandleReply, ServerHandle } from './round_robin_handle';

/** A bound address whose socket every worker gets. */
export class SharedHandle implements ServerHandle {
  data: unknown = null;
  readonly #key: string;
  readonly #peers = new Set<Peer>();
  /** A negative errno if the bind failed. */
  readonly #bound: NativeHandle | number;
  #closed = false;

  constructor(key: string, query: QueryServer, limits: Pick<AcceptLimits, 'reservedFds'> = DEFAULT_LIMITS) {
    this.#key = key;
    let bound = bind(query);
    if (typeof bound !== 'number' && !namesFd(query) && isOneOfTheLast(bound.fd ?? 0, limits)) {
      bound.close();
      bound = UV_EMFILE;
    }
    this.#bound = bound;
    traceState(key, 'binding', typeof this.#bound === 'number' ? 'failed' : 'open');
  }

  has(peer: Peer): boolean {
    return this.#peers.has(peer);
  }

  /** The worker gets a copy of the handle; ours stays open for those who come later. */
  add(peer: Peer, reply: HandleReply): void {
    if (typeof this.#bound === 'number') return reply(this.#bound, {}, null);
    this.#peers.add(peer);
    reply(0, {}, this.#bound);
  }

  remove(peer: Peer, keep: KeepListening | null = null): boolean {
    if (!this.#peers.delete(peer) || this.#peers.size > 0) return false;
    if (keep === null) this.close();
    return true;
  }

  close(): void {
    if (typeof this.#bound !== 'number') this.#bound.close();
    this.#closed = true;
    traceState(this.#key, 'open', 'closed');
  }

  get listening(): boolean {
    return typeof this.#bound !== 'number' && !this.#closed;
  }

  /** None: what nobody has accepted waits in the kernel, also while the handle is kept. */
  get queued(): number {
    return 0;
  }
}

function bind({ address, port, addressType, fd, flags }: QueryServer): NativeHandle | number {
  switch (addressType) {
    case 'udp4':
    case 'udp6':
      return bindDatagram(address, port, addressType, fd, flags);
    case -1:
      return bindStream(shortPath(address ?? ''), -1, -1, fd, flags ?? undefined);
    default:
      return bindStream(address, port ?? 0, addressType, fd, flags ?? undefined);
  }
}
