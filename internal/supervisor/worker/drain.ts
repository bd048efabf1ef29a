/**
 * Leaving without a lost request, in the process that serves: which servers there are, which
 * connections they have, and how they come to an end.
 *
 * `server.close()` of an http server destroys idle connections at once, and with them the request
 * that is on its way on one of them. Here only the listening side is closed (`net.Server`'s own
 * close); each connection may ask once more and is told `Connection: close` with the answer.
 *
 *   serving ── leave ──► announcing ── the delay is over ──► out of rotation ── the grace is over ──►
 *   finishing ── no connection ──► drained          (from 'out of rotation' also, as soon as none is left)
 *
 * In 'announcing' it accepts as before, while load balancers learn that it leaves: answers say
 * `Connection: close`, and `phase` is there to be asked by a health check. Without a delay there is none.
 *
 * Owns     the set of open connections of each server, and the timers
 * Used by  agent.ts (all servers of a supervised worker), lib/graceful.ts (those that it is given)
 * Uses     drain_http1.ts, drain_http2.ts
 * Never    closes a connection on which a request has begun, or that was upgraded, before `cut`
 * Keeps    1. idle http connections are closed `graceMs` after the last of them became idle, never
 *             while bytes of a request are there: Node's own parser is asked (`closeIdleConnections`)
 *          2. a request costs a count while it serves, and a look whether its connection pipelines
 *          3. connections of plain net and tls servers, whose protocol we do not know, end by themselves
 *          4. what a listener of the app's does (throw, close, remove listeners) keeps no connection in
 *             the tables that has ended: our listeners come first, and `left` looks for itself
 *          5. from `leave` to 'drained' a timer keeps the process alive
 * Node     `http.server.request.start` and `http.server.response.finish` are documented channels of
 *          node:diagnostics_channel. A connection that never sent a byte is no idle one for Node.
 */
import { performance, timers } from '../../builtins';
import { subscribe } from 'node:diagnostics_channel';
import type { Server as HttpServer, ServerResponse } from 'node:http';
import type { Http2Session } from 'node:http2';
import { Server as NetServer, Socket } from 'node:net';
import { apart, attach } from '../app_calls';
import { LastAnswers } from './drain_http1';
import { Sessions } from './drain_http2';

/** How far it is; see the diagram. */
export type DrainPhase = 'serving' | 'announcing' | 'out of rotation' | 'finishing' | 'drained';

/** How a process leaves. All in milliseconds. */
export interface Leave {
  /** How long it accepts before the listening side is closed. */
  readonly delayMs: number;
  /** How long idle connections may ask once more. */
  readonly graceMs: number;
  /** When it should have ended, counted from the end of the delay; Infinity where nobody has said. */
  readonly endMs: number;
}

/** How a server's connections come to an end. */
type Kind = 'http' | 'http2' | 'net';

interface Served {
  readonly kind: Kind;
  /** Its connections are encrypted: what speaks http is the TLSSocket, which 'secureConnection' brings. */
  readonly secure: boolean;
  readonly sockets: Set<Socket>;
  readonly sessions: Sessions;
}

/** The servers of a process, or some of them. */
export class Drain {
  /** Every server that was ever added: its listeners are attached once. */
  readonly #known = new WeakMap<NetServer, Served>();
  /** Those that listen, or have connections. */
  readonly #servers = new Map<NetServer, Served>();
  /** The connections on which HTTP/1 is spoken; of an encrypted connection its TLSSocket. */
  readonly #faces = new Set<Socket>();
  readonly #answers = new LastAnswers();
  readonly #told: ((phase: DrainPhase) => void)[] = [];
  readonly #all: boolean;
  #phase: DrainPhase = 'serving';
  #leave: Leave = { delayMs: 0, graceMs: 0, endMs: Infinity };
  /** Ends the delay, and the time when it is over. */
  #delay: NodeJS.Timeout | undefined;
  #delayEnds = Infinity;
  /** When the last http connection became idle. */
  #idleSince = 0;
  #requests = 0;

  /** `all`: servers that nobody named are taken in with the first request that they get. */
  constructor({ all }: { all: boolean }) {
    this.#all = all;
    subscribe('http.server.request.start', (message) => this.#began(message as Exchange));
  }

  get phase(): DrainPhase {
    return this.#phase;
  }

  /** How this process was told to leave. */
  get terms(): Leave {
    return this.#leave;
  }

  /** How many servers listen, or have connections. */
  get servers(): number {
    return this.#servers.size;
  }

  /** Does any of the servers listen? */
  get isListening(): boolean {
    return [...this.#servers.keys()].some((server) => server.listening);
  }

  /** How many requests, streams and plain connections were served. */
  get requests(): number {
    return this.#requests;
  }

  /** How many connections are open. */
  get left(): number {
    let left = 0;
    for (const { sockets } of this.#servers.values()) {
      for (const socket of sockets) if (socket.destroyed && socket.closed) sockets.delete(socket);
      left += sockets.size;
    }
    return left;
  }

  /** Tells each phase from now on. */
  on(told: (phase: DrainPhase) => void): void {
    this.#told.push(told);
  }

  /** Takes in a server, before or after it listens. One that is no net.Server (a UDP socket) is none of ours. */
  add(server: unknown): void {
    if (!(server instanceof NetServer)) return;
    const known = this.#known.get(server);
    if (known !== undefined) return void this.#servers.set(server, known);
    const served: Served = { kind: kindOf(server), secure: isSecure(server), sockets: new Set(), sessions: new Sessions() };
    this.#known.set(server, served);
    this.#servers.set(server, served);
    // A session is made while 'connection' or 'secureConnection' is emitted: it runs on the newest one.
    let newest: Socket | null = null;
    attach(server, 'connection', (socket: Socket) => {
      newest = socket;
      this.#connected(server, served, socket);
    }, 'first');
    if (served.secure && served.kind !== 'net') attach(server, 'secureConnection', (socket: Socket & { alpnProtocol?: unknown }) => {
      newest = socket;
      if (served.kind === 'http' || socket.alpnProtocol !== 'h2') this.#face(socket);
    }, 'first');
    if (served.kind === 'http2') attach(server, 'session', (session: Http2Session) => {
      this.#session(served, session, newest instanceof Socket ? newest : null);
      newest = null;
    }, 'first');
    attach(server, 'listening', () => {
      this.#servers.set(server, served);
      if (!this.#accepts) this.#stopListening(server); // It began when everybody else had stopped.
    });
    attach(server, 'close', () => this.#forget(server, served));
  }

  /** Begins to leave. While it announces that, a later call may make the delay shorter; any other does nothing. */
  leave(leave: Leave): void {
    if (!this.#accepts) return;
    const begins = this.#phase === 'serving';
    const ends = performance.now() + leave.delayMs;
    if (!begins && ends >= this.#delayEnds) return;
    this.#leave = leave;
    this.#delayEnds = ends;
    timers.clearTimeout(this.#delay);
    if (begins) this.#announce();
    if (leave.delayMs === 0) return this.#stopAccepting();
    this.#delay = timers.setTimeout(() => this.#stopAccepting(), leave.delayMs);
    if (begins) this.#transition('announcing');
  }

  /** Ends every connection now. Says how many there were. */
  cut(): number {
    const { left } = this;
    for (const server of this.#servers.keys()) this.#stopListening(server);
    for (const { sockets, sessions } of this.#servers.values()) {
      sessions.destroy();
      for (const socket of [...sockets]) apart(() => void socket.destroy());
    }
    for (const socket of [...this.#faces]) apart(() => void socket.destroy());
    return left;
  }

  // ── connections ────────────────────────────────────────────────────────────────────────────────

  /** Do its servers listen? */
  get #accepts(): boolean {
    return this.#phase === 'serving' || this.#phase === 'announcing';
  }

  /** A server that neither listens nor has connections needs nothing more. */
  #forget(server: NetServer, { sockets }: Served): void {
    if (sockets.size === 0 && !server.listening) this.#servers.delete(server);
  }

  #connected(server: NetServer, served: Served, socket: Socket): void {
    if (served.sockets.has(socket)) return;
    served.sockets.add(socket);
    if (served.kind === 'net') this.#requests++;
    else if (served.kind === 'http' && !served.secure) this.#face(socket);
    socket.prependOnceListener('close', () => {
      served.sockets.delete(socket);
      this.#forget(server, served);
      this.#isOver();
    });
  }

  /** Notes a connection on which HTTP/1 is spoken. */
  #face(socket: Socket): void {
    if (this.#faces.has(socket)) return;
    this.#faces.add(socket);
    socket.prependOnceListener('close', () => this.#faces.delete(socket));
  }

  #began({ server, socket, response }: Exchange): void {
    if (!this.#servers.has(server)) {
      if (!this.#all) return;
      // Not one that shares its port: it listens for this worker alone, or gets its connections by hand.
      this.add(server);
      const served = this.#servers.get(server);
      if (served !== undefined && !served.secure) this.#connected(server, served, socket);
      if (!this.#accepts) this.#stopListening(server);
    }
    this.#requests++;
    if (this.#phase === 'serving') return this.#answers.began(socket, response);
    this.#face(socket);
    this.#answers.beganLast(socket, response);
  }

  /** While it leaves. */
  #finished({ server }: Exchange): void {
    if (this.#servers.has(server)) this.#idleSince = performance.now();
  }

  #session(served: Served, session: Http2Session, socket: Socket | null): void {
    session.prependListener('stream', () => { this.#requests++; });
    served.sessions.add(session, socket, !served.secure, () => this.#phase !== 'serving');
  }

  // ── the end ────────────────────────────────────────────────────────────────────────────────────

  #announce(): void {
    subscribe('http.server.response.finish', (message) => this.#finished(message as Exchange));
    for (const socket of this.#faces) this.#answers.leave(socket);
    for (const { sessions } of this.#servers.values()) sessions.notice();
  }

  #stopAccepting(): void {
    this.#idleSince = performance.now();
    for (const server of this.#servers.keys()) this.#stopListening(server);
    for (const { sessions } of this.#servers.values()) sessions.refuse('those without notice');
    this.#transition('out of rotation');
    if (!this.#isOver()) this.#closeIdleAfter(this.#leave.graceMs);
  }

  /** Closes the listening side alone. The primary is told, and hands the worker no connection any more. */
  #stopListening(server: NetServer): void {
    apart(() => { if (server.listening) NetServer.prototype.close.call(server); });
  }

  /** Closes what is idle when the last that became idle has been so for the grace, again and again. */
  #closeIdleAfter(ms: number): void {
    timers.setTimeout(() => {
      if (this.#isOver()) return;
      const since = performance.now() - this.#idleSince;
      if (since < this.#leave.graceMs) return this.#closeIdleAfter(this.#leave.graceMs - since);
      // After the poll phase: what the kernel has by now is read first.
      timers.setImmediate(() => this.#closeIdle());
    }, Math.max(1, Math.ceil(ms)));
  }

  #closeIdle(): void {
    const { graceMs } = this.#leave;
    if (performance.now() - this.#idleSince < graceMs) return this.#closeIdleAfter(graceMs);
    for (const [server, { kind, sockets, sessions }] of this.#servers) {
      apart(() => (server as Partial<HttpServer>).closeIdleConnections?.());
      sessions.refuse('all');
      if (kind !== 'net') closeSilent(sockets);
    }
    closeSilent(this.#faces);
    if (this.#phase === 'out of rotation') this.#transition('finishing');
    if (!this.#isOver()) this.#closeIdleAfter(Math.max(graceMs, 50));
  }

  /** Ends it if no connection is left. */
  #isOver(): boolean {
    if (this.#accepts || this.#phase === 'drained' || this.left > 0) return this.#phase === 'drained';
    this.#transition('drained');
    return true;
  }

  #transition(phase: DrainPhase): void {
    this.#phase = phase;
    for (const told of this.#told) apart(() => told(phase));
  }
}

/** What the two channels of node:http publish. */
interface Exchange {
  readonly server: NetServer;
  readonly socket: Socket;
  readonly response: ServerResponse;
}

/** By what it can do, so that nobody loads http who does not use it. */
function kindOf(server: NetServer): Kind {
  if (typeof (server as { updateSettings?: unknown }).updateSettings === 'function') return 'http2';
  return typeof (server as Partial<HttpServer>).closeIdleConnections === 'function' ? 'http' : 'net';
}

const isSecure = (server: NetServer): boolean => typeof (server as { setSecureContext?: unknown }).setSecureContext === 'function';

/** Those that never sent a byte, which Node does not take for idle. */
function closeSilent(sockets: Iterable<Socket>): void {
  for (const socket of [...sockets]) if (socket.bytesRead === 0) apart(() => void socket.destroy());
}
