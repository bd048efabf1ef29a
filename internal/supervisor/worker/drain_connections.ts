/**
 * The servers of a process, and the connections that are open on each: which there are, and how they are closed.
 *
 * An http server that is closed with `server.close()` destroys its idle connections at once, and with them a request
 * that is on its way on one of them. So here only the listening socket is closed (`net.Server`'s own `close`), and the
 * response to the next request on each connection says `Connection: close`.
 *
 * Owns     the set of open connections of each server
 * Used by  drain.ts, which decides when each step is taken
 * Uses     drain_http1.ts, drain_http2.ts, native/idle_connections.ts
 * Never    closes a connection on which a request has begun, or that was upgraded, before `cut`
 * Keeps    1. a connection of http is closed as idle only when no byte of a request has arrived: Node's own parser is
 *             asked (`closeIdleConnections`). With `spares`, one that can move has had another chance to move before
 *          2. a connection of a plain net or tls server, whose protocol is unknown here, is closed by the app or the client
 *          3. a connection that has ended leaves the tables, whatever listeners of the app do (throw, remove listeners):
 *             our listeners come first, and `open` looks for itself
 * Costs    while the process serves: a counter for each request, and a look whether its connection pipelines
 * Node     `http.server.request.start` and `http.server.response.finish` are documented channels of
 *          node:diagnostics_channel. `closeIdleConnections` does not close a connection that never sent a byte
 */
import { performance } from '../../builtins';
import { subscribe } from 'node:diagnostics_channel';
import type { Server as HttpServer, ServerResponse } from 'node:http';
import type { Http2Session } from 'node:http2';
import { Server as NetServer, Socket } from 'node:net';
import { idleConnections } from '../../native/idle_connections';
import { own } from '../../own_listeners';
import { attach, callApp } from '../app_calls';
import { LastResponses } from './drain_http1';
import { Sessions } from './drain_http2';

/** Decides how the connections of a server come to an end. */
type Protocol = 'http' | 'http2' | 'net';

interface Served {
  readonly protocol: Protocol;
  /** Its connections are encrypted. Then the TLSSocket of the event 'secureConnection' carries HTTP, and not the plain socket. */
  readonly isSecure: boolean;
  readonly sockets: Set<Socket>;
  readonly sessions: Sessions;
  /** The listener for 'close' of each of its sockets. It is one for all, so a connection costs no function. */
  readonly closed: (this: Socket) => void;
}

/** The message of the two channels of node:http. */
interface Exchange {
  readonly server: NetServer;
  readonly socket: Socket;
  readonly response: ServerResponse;
}

/** The connections of all servers of a process, or of some of them. */
export class ServerConnections {
  /** Every server that was ever added: its listeners are attached once. */
  readonly #known = new WeakMap<NetServer, Served>();
  /** The servers that listen, or have connections. */
  readonly #servers = new Map<NetServer, Served>();
  /** The sockets that carry HTTP/1; of an encrypted connection its TLSSocket. */
  readonly #http1Sockets = new Set<Socket>();
  readonly #responses = new LastResponses();
  readonly #addsAll: boolean;
  readonly #ended: () => void;
  /** The listener for 'close' of each socket that carries HTTP/1. */
  readonly #http1Closed: (this: Socket) => void;
  #willMove: (socket: Socket, isBusy: boolean) => boolean = () => false;
  #state: 'serving' | 'announcing' | 'not accepting' = 'serving';
  /** When the last http connection became idle, by `performance.now()`. */
  #idleSince = 0;
  #requests = 0;

  /** `addsAll`: a server that nobody has added is added with its first request. `ended` is called when a connection has ended. */
  constructor(addsAll: boolean, ended: () => void) {
    this.#addsAll = addsAll;
    this.#ended = ended;
    const sockets = this.#http1Sockets;
    this.#http1Closed = own(function (this: Socket) { sockets.delete(this); });
    subscribe('http.server.request.start', (message) => this.#requestBegan(message as Exchange));
  }

  /** How many servers listen, or have connections. */
  get servers(): number {
    return this.#servers.size;
  }

  /** Does any of the servers listen? */
  get isListening(): boolean {
    return [...this.#servers.keys()].some((server) => server.listening);
  }

  /** How many http requests, http2 streams and other connections were served. */
  get requests(): number {
    return this.#requests;
  }

  /** How many connections are open. */
  get open(): number {
    let open = 0;
    for (const { sockets } of this.#servers.values()) {
      for (const socket of sockets) if (socket.destroyed && socket.closed) sockets.delete(socket);
      open += sockets.size;
    }
    return open;
  }

  /** Adds a server, before or after it listens. Anything that is no net.Server (a UDP socket) is ignored. */
  add(server: unknown): void {
    if (!(server instanceof NetServer)) return;
    const known = this.#known.get(server);
    if (known !== undefined) return void this.#servers.set(server, known);
    const sockets = new Set<Socket>();
    const ended = (socket: Socket): void => {
      sockets.delete(socket);
      this.#forgetIfDone(server, served);
      this.#ended();
    };
    const served: Served = {
      protocol: protocolOf(server), isSecure: isSecure(server), sockets, sessions: new Sessions(), closed: own(function (this: Socket) { ended(this); }),
    };
    this.#known.set(server, served);
    this.#servers.set(server, served);
    // Node makes an http2 session while it emits 'connection' or 'secureConnection': the session runs on the newest socket.
    let newest: Socket | null = null;
    attach(server, 'connection', (socket: Socket) => {
      newest = socket;
      this.#connected(served, socket);
    }, 'first');
    if (served.isSecure && served.protocol !== 'net') attach(server, 'secureConnection', (socket: Socket & { alpnProtocol?: unknown }) => {
      newest = socket;
      if (served.protocol === 'http' || socket.alpnProtocol !== 'h2') this.#addHttp1Socket(socket);
    }, 'first');
    if (served.protocol === 'http2') attach(server, 'session', (session: Http2Session) => {
      this.#addSession(served, session, newest instanceof Socket ? newest : null);
      newest = null;
    }, 'first');
    attach(server, 'listening', () => {
      this.#servers.set(server, served);
      if (this.#state === 'not accepting') stopListening(server); // It began to listen after all others had stopped.
    });
    attach(server, 'close', () => this.#forgetIfDone(server, served));
  }

  // ── the steps of the end ───────────────────────────────────────────────────────────────────────

  /**
   * From now on each response is the last one of its connection, unless `willMove` says that the connection moves to
   * another worker. `isBusy`: a response is in progress on that connection. Servers still accept connections.
   */
  announce(willMove: (socket: Socket, isBusy: boolean) => boolean): void {
    this.#state = 'announcing';
    this.#willMove = willMove;
    subscribe('http.server.response.finish', (message) => this.#responseFinished(message as Exchange));
    this.#announceOpen();
    for (const { sessions } of this.#servers.values()) sessions.notice();
  }

  /** Connections do not move any more: those that are left come to their end here, beginning now. */
  announceRest(): void {
    this.#idleSince = performance.now();
    this.#announceOpen();
  }

  #announceOpen(): void {
    for (const socket of this.#http1Sockets) if (!this.#willMove(socket, true)) this.#responses.leave(socket);
  }

  /** Closes the listening sockets. */
  stopAccepting(): void {
    this.#state = 'not accepting';
    this.#idleSince = performance.now();
    for (const server of this.#servers.keys()) stopListening(server);
    for (const { sessions } of this.#servers.values()) sessions.refuse('those without notice');
  }

  /** For how many milliseconds no response has finished. */
  get idleForMs(): number {
    return performance.now() - this.#idleSince;
  }

  /** Closes the idle connections of each server. If `spares` spares one connection of a server, all of that server stay open this time. */
  closeIdle(spares: (socket: Socket) => boolean): void {
    const spared = new Set<Socket>();
    for (const [server, { protocol, isSecure, sockets, sessions }] of this.#servers) {
      const waiting = protocol === 'http' && !isSecure ? idleConnections(server as HttpServer).filter(spares) : [];
      for (const socket of waiting) spared.add(socket);
      if (waiting.length === 0) callApp(() => (server as Partial<HttpServer>).closeIdleConnections?.());
      sessions.refuse('all');
      if (protocol !== 'net') closeSilent(sockets, spared);
    }
    closeSilent(this.#http1Sockets, spared);
  }

  /** Closes all connections, whatever happens on them. */
  cut(): void {
    for (const server of this.#servers.keys()) stopListening(server);
    for (const { sockets, sessions } of this.#servers.values()) {
      sessions.destroy();
      for (const socket of [...sockets]) callApp(() => void socket.destroy());
    }
    for (const socket of [...this.#http1Sockets]) callApp(() => void socket.destroy());
  }

  // ── events ─────────────────────────────────────────────────────────────────────────────────────

  #connected(served: Served, socket: Socket): void {
    if (served.sockets.has(socket)) return;
    served.sockets.add(socket);
    if (served.protocol === 'net') this.#requests++;
    else if (served.protocol === 'http' && !served.isSecure) this.#addHttp1Socket(socket);
    socket.prependOnceListener('close', served.closed);
  }

  #addHttp1Socket(socket: Socket): void {
    if (this.#http1Sockets.has(socket)) return;
    this.#http1Sockets.add(socket);
    socket.prependOnceListener('close', this.#http1Closed);
  }

  #addSession(served: Served, session: Http2Session, socket: Socket | null): void {
    session.prependListener('stream', () => { this.#requests++; });
    served.sessions.add(session, socket, !served.isSecure, () => this.#state !== 'serving');
  }

  #requestBegan({ server, socket, response }: Exchange): void {
    if (!this.#servers.has(server)) {
      if (!this.#addsAll) return;
      // The agent sees each server that listens through the cluster. This one listens for its worker alone
      // (`exclusive: true`), or the app gives it connections by hand.
      this.add(server);
      const served = this.#servers.get(server);
      if (served !== undefined && !served.isSecure) this.#connected(served, socket);
      if (this.#state === 'not accepting') stopListening(server);
    }
    this.#requests++;
    if (this.#state === 'serving' || this.#willMove(socket, false)) return this.#responses.requestBegan(socket, response);
    this.#addHttp1Socket(socket);
    this.#responses.lastRequestBegan(socket, response);
  }

  #responseFinished({ server }: Exchange): void {
    if (this.#servers.has(server)) this.#idleSince = performance.now();
  }

  /** Forgets a server that neither listens nor has connections. */
  #forgetIfDone(server: NetServer, { sockets }: Served): void {
    if (sockets.size === 0 && !server.listening) this.#servers.delete(server);
  }
}

/** Closes only the listening socket. The cluster tells the primary, which hands this worker no more connections. */
function stopListening(server: NetServer): void {
  callApp(() => { if (server.listening) NetServer.prototype.close.call(server); });
}

/** Looks at the methods of the server, so that an app without http does not have to load node:http for `instanceof`. */
function protocolOf(server: NetServer): Protocol {
  if (typeof (server as { updateSettings?: unknown }).updateSettings === 'function') return 'http2';
  return typeof (server as Partial<HttpServer>).closeIdleConnections === 'function' ? 'http' : 'net';
}

const isSecure = (server: NetServer): boolean => typeof (server as { setSecureContext?: unknown }).setSecureContext === 'function';

/** Closes the connections that never sent a byte. Node does not count them as idle. */
function closeSilent(sockets: Iterable<Socket>, spared: ReadonlySet<Socket>): void {
  for (const socket of [...sockets]) if (socket.bytesRead === 0 && !spared.has(socket)) callApp(() => void socket.destroy());
}
