/**
 * The shared state in a primary that is about to replace another one. There is one server at each moment: that of the old
 * primary, until it has no workers any more. The calls of the processes of this primary go there, over the link between
 * the two. Then that server's whole state comes over, and the server is here.
 *
 *   unknown ── the old primary has a state ──► there ── its snapshot comes ──► here
 *      └── it has none ──► here (a new one)      └── it dies ──► here (a new one; the connections of all clients are lost once)
 *
 * Owns     the number of each process for the other primary; the messages that the other one may not have handled yet
 * Used by  primary.ts, in place of a StateServer
 * Uses     server.ts, snapshot.ts, upgrade/registry.ts (the link)
 * Keeps    1. each message of a client is handled once, in order: those that the snapshot does not cover are handled here, after it
 *          2. until the other primary has said whether it has a state, messages wait
 */
import { inheritanceHere, type StateLink } from '../../upgrade/registry';
import type { ClientMessage, ServerMessage } from '../protocol';
import type { Send, Session } from './session';
import type { StateServer } from './server';
import { isSnapshot, type StateSnapshot } from './snapshot';

/** A process of this primary. */
export interface Proxied {
  readonly key: number;
  readonly id: number;
  readonly send: Send;
  /** Its session, once the server is here. */
  session: Session | null;
  ended: boolean;
}

interface Forwarded { readonly seq: number; readonly of: Proxied; readonly message: ClientMessage | null }

/** What primary.ts needs of a server, or of what stands for one. */
export interface StateService {
  connect(id: number, send: Send): object;
  announce(process: object): void;
  receive(process: object, message: ClientMessage): void;
  end(process: object): void;
  close(): void;
  /** The whole state; null if it is not here. `keyOf`: the number of a process that goes on, undefined for others. Nothing is done here afterwards. */
  snapshot(keyOf: (process: object) => number | undefined): StateSnapshot | null;
}

/** Stands for the server of the old primary, and later passes everything on to one of this process. */
export class StateProxy implements StateService {
  readonly #open: (snapshot: StateSnapshot | null) => StateServer;
  readonly #proxied = new Map<number, Proxied>();
  /** What was forwarded, or is to be; null once the server is here. */
  #forwarded: Forwarded[] | null = [];
  readonly #proxiedOf = new WeakMap<Session, Proxied>();
  #link: StateLink | null = null;
  #server: StateServer | null = null;
  #seq = 0;
  #keys = 0;

  /** `open` makes the server of this process, with the state of the other one or with a new one. */
  constructor(open: (snapshot: StateSnapshot | null) => StateServer) {
    this.#open = open;
    inheritanceHere()?.openState({
      began: (link) => this.#began(link),
      received: (key, message) => this.#received(key, message),
      switched: (handled, snapshot) => this.#switch(handled, isSnapshot(snapshot) ? snapshot : null),
      lost: () => this.#lost(),
    });
  }

  connect(id: number, send: Send): Proxied {
    const key = ++this.#keys;
    const proxied: Proxied = { key, id, send, session: null, ended: false };
    if (this.#server !== null) this.#connectHere(this.#server, proxied);
    else this.#proxied.set(key, proxied);
    return proxied;
  }

  announce(proxied: Proxied): void {
    if (this.#server !== null && proxied.session !== null) this.#server.announce(proxied.session);
    else proxied.send({ act: 'announce' }, () => undefined);
  }

  receive(proxied: Proxied, message: ClientMessage): void {
    if (proxied.ended) return;
    if (this.#server !== null && proxied.session !== null) this.#server.receive(proxied.session, message);
    else this.#forward(proxied, message);
  }

  end(proxied: Proxied): void {
    if (proxied.ended) return;
    proxied.ended = true;
    if (this.#server !== null && proxied.session !== null) this.#server.end(proxied.session);
    else this.#forward(proxied, null);
  }

  snapshot(keyOf: (process: object) => number | undefined): StateSnapshot | null {
    return this.#server?.snapshot((session) => {
      const proxied = this.#proxiedOf.get(session);
      return proxied === undefined ? undefined : keyOf(proxied);
    }) ?? null;
  }

  close(): void {
    for (const { key, id, send, ended } of this.#proxied.values()) {
      if (ended) continue;
      send({ act: 'closed' }, () => undefined);
      this.#link?.send(key, id, null);
    }
    this.#switch(this.#seq, null);
    this.#server?.close();
  }

  #connectHere(server: StateServer, proxied: Proxied): void {
    proxied.session = server.connect(proxied.id, proxied.send);
    this.#proxiedOf.set(proxied.session, proxied);
  }

  /** `message`: null for the end of the process. */
  #forward(of: Proxied, message: ClientMessage | null): void {
    const forwarded: Forwarded = { seq: ++this.#seq, of, message };
    this.#forwarded?.push(forwarded);
    if (this.#link !== null) this.#link.send(of.key, of.id, message);
  }

  /** The other primary has a state (`link` leads there), or none. */
  #began(link: StateLink | null): void {
    this.#link = link;
    if (link === null) return this.#switch(0, null);
    for (const { of, message } of this.#forwarded ?? []) link.send(of.key, of.id, message);
  }

  #received(key: number, message: unknown): void {
    const proxied = this.#proxied.get(key);
    // It comes from the server of the other primary, and the client checks it with its own guard.
    if (proxied !== undefined && !proxied.ended && this.#server === null) proxied.send(message as ServerMessage, () => undefined);
  }

  /** The state is here. The other server has handled so many of our messages. */
  #switch(handled: number, snapshot: StateSnapshot | null): void {
    if (this.#forwarded === null) return;
    const server = this.#server = this.#open(snapshot);
    const all = [...this.#proxied.values()];
    for (const proxied of all) this.#connectHere(server, proxied);
    if (snapshot !== null) server.restore(snapshot, (key) => this.#proxied.get(key)?.session ?? null);
    const left = this.#forwarded.filter(({ seq }) => seq > handled);
    this.#forwarded = null;
    this.#proxied.clear();
    for (const { of, message } of left) {
      if (of.session === null) continue;
      if (message === null) server.end(of.session);
      else server.receive(of.session, message);
    }
    // The other server has handled the end of these.
    for (const { ended, session } of all) if (ended && session !== null) server.end(session);
  }

  /** The other primary has died with its state: all connections are lost, and begin anew here. */
  #lost(): void {
    if (this.#forwarded === null) return;
    const proxied = [...this.#proxied.values()].filter(({ ended }) => !ended);
    for (const { send } of proxied) send({ act: 'closed' }, () => undefined);
    this.#switch(this.#seq, null);
    for (const one of proxied) this.announce(one);
  }
}
