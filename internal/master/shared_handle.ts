/**
 * One address whose socket the workers share: the primary binds it, and each worker gets a copy of the
 * socket and accepts or receives by itself. The kernel decides who gets what. UDP is always shared, since
 * a datagram cannot be handed to another process.
 *
 * Owns     the bound handle, until the last worker leaves
 * Used by  listen_table.ts, which makes one for each address
 * Never    listens on the handle, accepts or reads from it
 * States   open ── last remove(), or close() of what was kept ──► closed
 *          failed: from the start, if the bind failed
 * Node     lib/internal/cluster/shared_handle.js. There the worker finds out that a TCP port is in use, and
 *          from Node 22 on it can never listen there again; here the bind fails in the primary (D51)
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
import type { HandleReply, LastWorker, ServerHandle } from './server_handle';

type SharedState =
  | { readonly is: 'open'; readonly handle: NativeHandle }
  | { readonly is: 'failed'; readonly errno: number }
  | { readonly is: 'closed' };

/** A bound address whose socket every worker gets. */
export class SharedHandle implements ServerHandle {
  data: unknown = null;
  readonly #key: string;
  readonly #peers = new Set<Peer>();
  #state: SharedState;
  #lastWorker: LastWorker = 'closes';

  /** `inherited`: a handle (transferred) that is bound there already; it is used in place of a bind. */
  constructor(key: string, query: QueryServer, limits: Pick<AcceptLimits, 'reservedFds'> = DEFAULT_LIMITS, inherited: NativeHandle | null = null) {
    this.#key = key;
    let bound = inherited ?? bind(query);
    if (inherited === null && typeof bound !== 'number' && !namesFd(query) && isOneOfTheLast(bound.fd ?? 0, limits)) {
      bound.close();
      bound = UV_EMFILE;
    }
    this.#state = typeof bound === 'number' ? { is: 'failed', errno: bound } : { is: 'open', handle: bound };
    traceState(key, 'binding', this.#state.is);
  }

  has(peer: Peer): boolean {
    return this.#peers.has(peer);
  }

  /** The worker gets a copy of the handle; the primary's stays open for the workers that come later. */
  add(peer: Peer, reply: HandleReply): void {
    const state = this.#state;
    switch (state.is) {
      case 'open':
        this.#peers.add(peer);
        if (this.#lastWorker === 'resumed') this.#lastWorker = 'closes';
        return reply(0, {}, state.handle);
      case 'failed':
        return reply(state.errno, {}, null);
      case 'closed':
        // The key of this handle is free by now, so a worker that asks gets a new handle.
        throw new Error(`a worker was added to the closed handle ${this.#key}`);
    }
  }

  remove(peer: Peer, keep: KeepListening | null = null): boolean {
    if (!this.#peers.delete(peer) || this.#peers.size > 0 || this.#lastWorker !== 'closes') return false;
    if (keep === null) this.close();
    return true;
  }

  close(): void {
    if (this.#state.is !== 'open') return;
    this.#state.handle.close();
    this.#state = { is: 'closed' };
    traceState(this.#key, 'open', 'closed');
  }

  get native(): NativeHandle | null {
    return this.#state.is === 'open' ? this.#state.handle : null;
  }

  /** The workers accept by themselves, those of both primaries. */
  handOver(): void {
    this.#lastWorker = 'handed over';
  }

  serve(): void {
    if (this.#lastWorker === 'handed over') this.#lastWorker = 'resumed';
  }

  get listening(): boolean {
    return this.#state.is === 'open';
  }

  /** Always 0: connections wait in the kernel until a worker accepts them. */
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
