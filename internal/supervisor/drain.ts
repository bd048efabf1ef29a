/**
 * Leaving without a lost request, in the process that serves: which servers there are, which
 * connections they have, and how they come to an end.
 *
 * `server.close()` of an http server destroys idle connections at once, and with them the request
 * that is on its way on one of them. Here only the listening side is closed (`net.Server`'s own
 * close); each connection may ask once more and is told `Connection: close` with the answer.
 *
 *   serving ── leave ──► out of rotation ── the grace is over ──► finishing ── no connection ──► drained
 *                            └───────────────── no connection ────────────────────────────────────►
 *
 * Owns     the set of open connections of each server
 * Used by  agent.ts (all servers of a supervised worker), lib/graceful.ts (those that it is given)
 * Never    closes a connection on which a request has begun, or that was upgraded
 * Keeps    1. idle http connections are closed `graceMs` after the last of them became idle, never
 *             while bytes of a request are there: Node's own parser is asked (`closeIdleConnections`)
 *          2. a request costs a count while it serves, nothing else
 *          3. connections of plain net and tls servers, whose protocol we do not know, end by themselves
 * Node     `http.server.request.start` and `http.server.response.finish` are documented channels of
 *          node:diagnostics_channel. A connection that never sent a byte is no idle one for Node.
 */
import { subscribe } from 'node:diagnostics_channel';
import type { Server as HttpServer, ServerResponse } from 'node:http';
import type { Http2Session } from 'node:http2';
import { Server as NetServer, type Socket } from 'node:net';

/** How far it is; see the diagram. */
export type DrainPhase = 'serving' | 'out of rotation' | 'finishing' | 'drained';

/** How a server's connections come to an end. */
type Kind = 'http' | 'http2' | 'net';

interface Served {
  readonly kind: Kind;
  /** Its connections are encrypted: what speaks http is the TLSSocket, which 'secureConnection' brings. */
  readonly secure: boolean;
  readonly sockets: Set<Socket>;
  readonly sessions: Set<Http2Session>;
}

/** The highest id of a stream: a GOAWAY with it refuses none, and asks for no new ones. */
const LAST_STREAM = 2 ** 31 - 1;

/** The servers of a process, or some of them. */
export class Drain {
  readonly #servers = new Map<NetServer, Served>();
  /** The connections on which http is spoken; of an https connection its TLSSocket. */
  readonly #faces = new Set<Socket>();
  readonly #told: ((phase: DrainPhase) => void)[] = [];
  readonly #all: boolean;
  #phase: DrainPhase = 'serving';
  #graceMs = 0;
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

  /** How many requests, streams and plain connections were served. */
  get requests(): number {
    return this.#requests;
  }

  /** How many connections are open. */
  get left(): number {
    let left = 0;
    for (const { sockets } of this.#servers.values()) left += sockets.size;
    return left;
  }

  /** Tells each phase from now on. */
  on(told: (phase: DrainPhase) => void): void {
    this.#told.push(told);
  }

  /** Takes in a server, before or after it listens. One that is no net.Server (a UDP socket) is none of ours. */
  add(server: unknown): void {
    if (!(server instanceof NetServer) || this.#servers.has(server)) return;
    const served: Served = { kind: kindOf(server), secure: isSecure(server), sockets: new Set(), sessions: new Set() };
    this.#servers.set(server, served);
    server.on('connection', (socket: Socket) => this.#connected(served, socket));
    if (served.kind === 'http' && served.secure) server.on('secureConnection', (socket: Socket) => this.#face(socket));
    if (served.kind === 'http2') server.on('session', (session: Http2Session) => this.#session(served, session));
    // It began to listen when everybody else had stopped.
    if (this.#phase !== 'serving') server.once('listening', () => stopListening(server));
  }

  /** Begins to leave. Calls after the first do nothing. */
  leave(graceMs: number): void {
    if (this.#phase !== 'serving') return;
    for (const server of this.#servers.keys()) stopListening(server);
    this.#graceMs = graceMs;
    this.#idleSince = performance.now();
    subscribe('http.server.response.finish', (message) => this.#finished(message as Exchange));
    for (const socket of this.#faces) lastOnItsConnection((socket as Answering)._httpMessage);
    for (const { sessions } of this.#servers.values()) for (const session of sessions) askForNoMore(session);
    this.#transition('out of rotation');
    if (!this.#isOver()) this.#closeIdleAfter(graceMs);
  }

  // ── connections ────────────────────────────────────────────────────────────────────────────────

  #connected(served: Served, socket: Socket): void {
    served.sockets.add(socket);
    if (served.kind === 'net') this.#requests++;
    else if (served.kind === 'http' && !served.secure) this.#face(socket);
    socket.once('close', () => {
      served.sockets.delete(socket);
      this.#isOver();
    });
  }

  /** Notes a connection on which http is spoken. */
  #face(socket: Socket): void {
    if (this.#faces.has(socket)) return;
    this.#faces.add(socket);
    socket.once('close', () => this.#faces.delete(socket));
  }

  #began({ server, socket, response }: Exchange): void {
    if (!this.#servers.has(server)) {
      if (!this.#all) return;
      // Not one that shares its port: it listens for this worker alone, or gets its connections by hand.
      this.add(server);
      const served = this.#servers.get(server);
      if (served !== undefined && !served.secure) this.#connected(served, socket);
      if (this.#phase !== 'serving') stopListening(server);
    }
    this.#requests++;
    if (this.#phase === 'serving') return;
    this.#face(socket);
    lastOnItsConnection(response);
  }

  /** While it leaves. */
  #finished({ server }: Exchange): void {
    if (this.#servers.has(server)) this.#idleSince = performance.now();
  }

  #session(served: Served, session: Http2Session): void {
    served.sessions.add(session);
    session.on('stream', () => { this.#requests++; });
    session.once('close', () => served.sessions.delete(session));
    if (this.#phase !== 'serving') askForNoMore(session);
  }

  // ── the end ────────────────────────────────────────────────────────────────────────────────────

  /** Closes what is idle when the last that became idle has been so for the grace, again and again. */
  #closeIdleAfter(ms: number): void {
    setTimeout(() => {
      if (this.#phase === 'drained') return;
      const since = performance.now() - this.#idleSince;
      if (since < this.#graceMs) return this.#closeIdleAfter(this.#graceMs - since);
      // After the poll phase: what the kernel has by now is read first.
      setImmediate(() => this.#closeIdle());
    }, Math.max(1, Math.ceil(ms))).unref();
  }

  #closeIdle(): void {
    if (performance.now() - this.#idleSince < this.#graceMs) return this.#closeIdleAfter(this.#graceMs);
    for (const [server, { kind, sockets, sessions }] of this.#servers) {
      (server as Partial<HttpServer>).closeIdleConnections?.();
      for (const session of sessions) if (!session.closed) session.close();
      if (kind !== 'net') closeSilent(sockets);
    }
    closeSilent(this.#faces);
    if (this.#phase === 'out of rotation') this.#transition('finishing');
    if (!this.#isOver()) this.#closeIdleAfter(Math.max(this.#graceMs, 50));
  }

  /** Ends it if no connection is left. */
  #isOver(): boolean {
    if (this.#phase === 'serving' || this.#phase === 'drained' || this.left > 0) return this.#phase === 'drained';
    this.#transition('drained');
    return true;
  }

  #transition(phase: DrainPhase): void {
    this.#phase = phase;
    for (const told of this.#told) told(phase);
  }
}

/**
 * What node:http keeps on a connection while it answers. Not documented, and as old as node:http; to
 * follow each answer by the channels instead costs 2 % of the requests per second, all the time.
 */
interface Answering extends Socket {
  readonly _httpMessage?: ServerResponse | null;
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
  for (const socket of [...sockets]) if (socket.bytesRead === 0) socket.destroy();
}

/** Closes the listening side alone. The primary is told, and hands the worker no connection any more. */
function stopListening(server: NetServer): void {
  if (server.listening) NetServer.prototype.close.call(server);
}

/** The client is told to come back on another connection; Node closes this one after the answer. */
function lastOnItsConnection(response: ServerResponse | null | undefined): void {
  if (response && !response.headersSent) response.setHeader('Connection', 'close');
}

function askForNoMore(session: Http2Session): void {
  if (!session.closed && !session.destroyed) session.goaway(0, LAST_STREAM);
}
