/**
 * The addresses of a primary, as upgrade/ sees them: what can be given to the primary that replaces this one, and what has
 * come from the one before.
 *
 * Owns     which query opened each handle, and by which number the other primary knows it
 * Used by  listen_table.ts, which owns the handles
 * Uses     upgrade/registry.ts (where this is found), native/listening.ts, fds.ts
 * Keeps    1. a handle that has come from another primary is given to the first worker that asks for its address, in place of
 *             a bind
 *          2. before all of them are here, no query is answered (`isComplete`)
 *          3. a unix socket of another primary is removed when it is closed here, as one that was bound here; after `release` it
 *             is never removed here
 */
import { push, timers } from '../builtins';
import { lastFd } from '../fds';
import type { QueryServer } from '../messages';
import type { NativeHandle } from '../native/bindings';
import { removeWhenClosed } from '../native/listening';
import { inheritanceHere, registerAddresses, registerPart, type Address, type AddressQuery, type Addresses, type GiveConnection } from '../upgrade/registry';
import type { AcceptLimits } from './acceptor';
import type { ConnectionCounters } from './connection_counters';
import type { ServerHandle } from './server_handle';

/** A handle that came from another primary. */
export interface Inherited {
  readonly id: number;
  readonly data: unknown;
  readonly handle: NativeHandle;
  /** It must not accept yet. */
  readonly waits: boolean;
  /** It is a socket of systemd: it stays open when its last worker leaves. */
  readonly isKept: boolean;
}

/** Addresses without a worker (`keepListening`). */
export interface KeptAddresses {
  /** How long this one still stays open, in milliseconds; null: a worker listens there. */
  leftMs(key: string): number | null;
  /** All stay open from now on. */
  stop(): void;
}

interface Origin {
  /** Its number for the primary that replaces this one. */
  readonly id: number;
  readonly query: AddressQuery;
  /** Its number in the primary before; null: it was opened here. */
  readonly inheritedAs: number | null;
}

/** The addresses of one primary, for upgrade/. */
export class Handover implements Addresses {
  readonly #handles: ReadonlyMap<string, ServerHandle>;
  readonly #counters: ConnectionCounters;
  readonly #limits: () => AcceptLimits;
  readonly #kept: KeptAddresses;
  readonly #origins = new WeakMap<ServerHandle, Origin>();
  #opened = 0;

  /** `handles`: all that are open, a table that changes. `limits` returns those of the settings as of now. */
  constructor(handles: ReadonlyMap<string, ServerHandle>, limits: () => AcceptLimits, counters: ConnectionCounters, kept: KeptAddresses) {
    this.#handles = handles;
    this.#limits = limits;
    this.#counters = counters;
    this.#kept = kept;
    registerAddresses(this);
    registerPart('connections', counters);
  }

  /** False while addresses of another primary are on their way: then `callback` is called when they are here. */
  isComplete(callback: () => void): boolean {
    return inheritanceHere()?.isComplete(callback) ?? true;
  }

  /** Does another primary accept for this one? */
  get mustWait(): boolean {
    return inheritanceHere()?.isAlone === false;
  }

  /** The handle of another primary for this query (transferred); null if there is none. */
  take(query: QueryServer): Inherited | null {
    const inheritance = inheritanceHere();
    const found = inheritance?.take(queryOf(query)) ?? null;
    if (inheritance === null || found === null) return null;
    const isKept = found.query.kept === true;
    if (query.addressType === -1 && !isKept) removeWhenClosed(found.handle, query.address ?? '');
    return { id: found.id, data: found.data, handle: found.handle, waits: this.mustWait, isKept };
  }

  /** A handle was opened for this query. `inherited`: null if it was bound here. `isKept`: the socket is one of systemd. */
  opened(handle: ServerHandle, query: QueryServer, inherited: Inherited | null, isKept: boolean): void {
    this.#origins.set(handle, { id: ++this.#opened, query: { ...queryOf(query), ...(isKept ? { kept: true } : {}) }, inheritedAs: inherited?.id ?? null });
  }

  /** Is this fd, which a worker names, one of another primary? The number means nothing in this process. */
  isInheritedFd(handle: ServerHandle | undefined, { fd }: QueryServer): boolean {
    if (typeof fd !== 'number') return false;
    const origin = handle === undefined ? undefined : this.#origins.get(handle);
    return origin === undefined ? inheritanceHere()?.hasFd(fd) === true : origin.inheritedAs !== null || origin.query.kept === true;
  }

  // ── this primary is replaced ───────────────────────────────────────────────────────────────────

  listening(): readonly Address[] {
    const addresses: Address[] = [];
    for (const [key, server] of this.#handles) {
      const origin = this.#origins.get(server);
      const { native, data } = server;
      if (native === null || origin === undefined) continue;
      const vacantMs = this.#kept.leftMs(key);
      push(addresses, { id: origin.id, query: vacantMs === null ? origin.query : { ...origin.query, vacantMs }, data, handle: native });
    }
    return addresses;
  }

  handOver(give: GiveConnection): void {
    this.#kept.stop();
    for (const server of this.#handles.values()) {
      const id = this.#origins.get(server)?.id;
      if (id !== undefined) server.handOver((connection, moved) => give(id, connection, moved));
    }
  }

  giveMore(): void {
    for (const server of this.#handles.values()) server.giveMore?.();
  }

  stopAccepting(): void {
    for (const server of this.#handles.values()) server.stopAccepting?.();
  }

  get queued(): number {
    let count = 0;
    for (const server of this.#handles.values()) count += server.queued;
    return count;
  }

  takeBack(id: number, connection: NativeHandle, moved: boolean): boolean {
    return this.#find((origin) => origin.id === id)?.adopt?.(connection, moved) === true;
  }

  resume(lost: number): void {
    this.#counters.gone(lost);
    for (const server of this.#handles.values()) server.serve();
  }

  release(): void {
    for (const server of this.#handles.values()) (server.native as { unref?(): void } | null)?.unref?.();
    for (const server of this.#handles.values()) {
      if (this.#origins.get(server)?.query.addressType === -1) return exitWhenIdle();
    }
  }

  // ── this primary replaces another one ──────────────────────────────────────────────────────────

  adopt(id: number, connection: NativeHandle, moved: boolean, ended: (taken: boolean) => void): boolean {
    return this.#find((origin) => origin.inheritedAs === id)?.adopt?.(connection, moved, ended) === true;
  }

  mayWait(waiting: number, { fd = 0 }: NativeHandle): boolean {
    const { queuedConnections, reservedFds } = this.#limits();
    return waiting < queuedConnections && fd < lastFd(reservedFds);
  }

  serve(): void {
    for (const server of this.#handles.values()) server.serve();
  }

  #find(is: (origin: Origin) => boolean): ServerHandle | undefined {
    for (const server of this.#handles.values()) {
      const origin = this.#origins.get(server);
      if (origin !== undefined && is(origin)) return server;
    }
    return undefined;
  }
}

/**
 * Ends this process by `process.exit` when it would end because it has nothing to do. In that case Node closes all handles,
 * and libuv removes the path of a unix socket that it has bound, though the other primary listens there; `exit` closes none.
 * A listener of 'beforeExit' may have given the process something to do: so it ends only if nothing but the first immediate
 * has run since the event before.
 */
function exitWhenIdle(): void {
  let isIdle = false;
  process.on('beforeExit', () => {
    if (isIdle) process.exit();
    timers.setImmediate(() => {
      isIdle = true;
      timers.setImmediate(() => { isIdle = false; }).unref();
    });
  });
}

const queryOf = ({ address, port, addressType, fd, index }: QueryServer): AddressQuery => ({
  address: address ?? null, port: port ?? null, addressType: addressType ?? null, fd: typeof fd === 'number' ? fd : null, index,
});
