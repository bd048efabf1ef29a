/**
 * Gives idle connections of this worker back to the primary, which hands them to other workers.
 *
 *   open ── takeIdle ──► offered ── the primary takes it ──► moved: this process closes its copy
 *    ▲                     │   └── the channel has ended: closed here, as the primary may have it
 *    └──── putBack ────────┘ the primary refuses it, or its message was not written
 *
 * While a connection is offered, nobody reads from it: its bytes wait in the kernel. Its socket still exists here, and
 * its server still counts it, so a connection that stays has noticed nothing.
 *
 * Owns     the handles of the connections that are offered; a timer that keeps the process alive while there are some
 * Used by  index.ts
 * Uses     native/idle_connections.ts (which are idle), movable.ts (which the app lets go)
 * Never    looks at a connection while a parser runs: each look is made in an immediate
 * Keeps    1. a connection that the primary has not taken is put back, or closed
 *          2. at most OFFERED connections of one call are offered at a time; the others are read here meanwhile
 *          3. a connection is offered once in a call, also if it comes back, and not before this process has looked once
 *             whether there is a request on it
 * Wire     W → P returned(key, seq) + fd     P → W reply(ack: seq, taken)
 */
import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import { Map, push, timers } from '../builtins';
import { separately } from '../errors';
import type { NativeHandle } from '../native/bindings';
import { idleConnections, idleParsers, isPlainHttp, letGo, putBack, takeIdle, type TakenOut } from '../native/idle_connections';
import { openConnections, serverOf } from '../native/servers';
import { traceHandle } from '../trace';
import { mayMove } from './movable';

/**
 * The most connections of one call that are on their way to the primary at a time. Enough to keep it busy. A request that
 * comes on one of them waits for all that were offered before it; the others are still read here.
 */
const OFFERED = 8;
/** The longest delay of a timer, in milliseconds. */
const LONGEST = 2 ** 31 - 1;

/** Bounds of one call of `returnIdle`. */
export interface ReturnOptions {
  /** The most connections. */
  readonly max: number;
  /** Only those of this address. */
  readonly key?: string | undefined;
  /** Each server keeps at least this many connections. Those that are on their way to the primary do not count as kept. */
  readonly keep?: number | undefined;
}

/**
 * Sends a connection (borrowed) to the primary. `answered` is called once: true: the primary has taken it; false: it has
 * not; null: the channel has ended, so nobody knows. Returns false if the channel has ended before; then it is not called.
 */
export type Offer = (key: string, handle: NativeHandle, answered: (taken: boolean | null) => void) => boolean;

interface Idle {
  readonly key: string;
  readonly server: Server;
  readonly socket: Socket;
}

/** The servers of this worker whose connections can be returned. */
export class Returns {
  readonly #offer: Offer;
  readonly #movable: () => unknown;
  /** Servers that listen under round robin, or did and still have connections, with the key of the address. */
  readonly #servers = new Map<object, string>();
  /** How many connections of each server are offered now. */
  readonly #offered = new Map<object, number>();
  #hold: NodeJS.Timeout | undefined;

  /** `movable` returns the app's function, or whatever the app has put there. */
  constructor(offer: Offer, movable: () => unknown) {
    this.#offer = offer;
    this.#movable = movable;
  }

  /** This server listens under that key. */
  listen(key: string, server: object): void {
    this.#forgetClosed();
    this.#servers.set(server, key);
  }

  #forgetClosed(): void {
    for (const server of [...this.#servers.keys()]) {
      if ((server as { listening?: unknown }).listening === false && openConnections(server) === 0) this.#servers.delete(server);
    }
  }

  /** May this connection move, whenever it is idle? `isBusy`: a response is in progress on it. */
  mayMove(socket: Socket, isBusy = false): boolean {
    const server = serverOf(socket)?.server;
    return server !== undefined && this.#servers.has(server) && isPlainHttp(server) && this.#appLets(socket, isBusy);
  }

  /** Does the app let this connection move? `movable` can be a getter of the app. If that throws, the connection stays. */
  #appLets(socket: Socket, whenIdle: boolean): boolean {
    let movable: unknown = () => false;
    separately(() => { movable = this.#movable(); });
    return mayMove(socket, movable, whenIdle);
  }

  /** Returns idle connections to the primary. Calls `done` with the numbers that the primary has taken, and not taken. */
  returnIdle({ max, key, keep }: ReturnOptions, done: (moved: number, refused: number) => void): void {
    // Two immediates, so that the event loop polls in between: a request that is here by now is read first, also one on a
    // connection that has just come. Otherwise busy workers that are asked all the time would pass it to and fro unread.
    // What comes in that poll is not in the list: nobody has looked yet whether there is a request on it.
    timers.setImmediate(() => {
      const idle = this.#idle(key);
      timers.setImmediate(() => this.#returnIdleOf(idle, max, keep, done));
    });
  }

  #returnIdleOf(idle: readonly Idle[], max: number, keep: number | undefined, done: (moved: number, refused: number) => void): void {
    let next = 0;
    let left = max;
    let offered = 0;
    let moved = 0;
    let refused = 0;
    let isDue = false;
    const offerMore = (): void => {
      isDue = false;
      const parsers = new Map<object, ReadonlySet<unknown>>();
      while (next < idle.length && left > 0 && offered < OFFERED && refused === 0) {
        const one = idle[next++] as Idle;
        if (keep !== undefined && openConnections(one.server) - this.offered(one.server) <= keep) continue;
        let idleNow = parsers.get(one.server);
        if (idleNow === undefined) parsers.set(one.server, idleNow = idleParsers(one.server));
        if (!this.#offerOne(one, idleNow, answered)) continue;
        offered++;
        left--;
      }
      if (offered === 0) done(moved, refused);
    };
    const answered = (taken: boolean | null): void => {
      if (taken === true) moved++;
      else refused++;
      offered--;
      if (isDue) return;
      isDue = true;
      timers.setImmediate(offerMore);
    };
    offerMore();
  }

  #idle(key: string | undefined): Idle[] {
    this.#forgetClosed();
    const idle: Idle[] = [];
    for (const [server, at] of this.#servers) {
      if ((key !== undefined && key !== at) || !isPlainHttp(server)) continue;
      for (const socket of idleConnections(server)) push(idle, { key: at, server, socket });
    }
    return idle;
  }

  /** Offers one connection, if it is still idle and may move. */
  #offerOne({ key, server, socket }: Idle, parsers: ReadonlySet<unknown>, answered: (taken: boolean | null) => void): boolean {
    if (socket.destroyed || !this.#appLets(socket, false)) return false;
    let out: TakenOut | null = null;
    separately(() => { out = takeIdle(server, socket, parsers); });
    return out !== null && this.#offerTaken(key, server, out, answered);
  }

  #offerTaken(key: string, server: Server, out: TakenOut, answered: (taken: boolean | null) => void): boolean {
    traceHandle('returned', key, out.handle);
    const sent = this.#offer(key, out.handle, (taken) => {
      this.#count(server, -1);
      // Methods that the app has put on the socket may throw. The call goes on: a worker that leaves waits for it.
      separately(() => (taken === false ? putBack(out) : letGo(out)));
      answered(taken);
    });
    if (sent) this.#count(server, 1);
    else separately(() => putBack(out));
    return sent;
  }

  /** How many connections of this server are on their way to the primary. */
  offered(server: object): number {
    return this.#offered.get(server) ?? 0;
  }

  #count(server: object, change: 1 | -1): void {
    const count = this.offered(server) + change;
    if (count > 0) this.#offered.set(server, count);
    else this.#offered.delete(server);
    if (this.#offered.size > 0) this.#hold ??= timers.setInterval(() => {}, LONGEST);
    else {
      timers.clearInterval(this.#hold);
      this.#hold = undefined;
    }
  }
}
