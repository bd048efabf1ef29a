/**
 * A small HTTP server in the primary for probes and scrapers. It trusts nobody: whoever connects can hold neither the
 * server nor the primary.
 *
 * Owns     the listening socket and its connections, from `open` to `close`, and one timer for each connection
 * Used by  endpoints.ts, which knows what is answered, and when the server is open
 * Never    keeps the process alive: socket, connections and timers are unref'ed. Never reads a request body. Never is seen
 *          by a worker: the socket is an ordinary one of this process, which no worker asks for
 * Keeps    1. a connection carries one request, and lives for LIFE_MS at most, however slowly its client sends or reads
 *          2. there are at most MOST_CONNECTIONS. One more ends the oldest, so that clients that hold connections open
 *             cannot keep a probe out
 *          3. after `close` nothing is left: no socket, connection or timer
 *          4. no error of a client, an answer or the socket is thrown. `failed` gets the one that ends `open`
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { timers } from '../../builtins';
import type { NativeHandle } from '../../native/bindings';
import { handleOf, listenOnHandle } from '../../native/handles';
import { LONGEST_DELAY } from '../../clock';

/** How long a connection may live, in milliseconds: as long as Prometheus waits for an answer by default. */
const LIFE_MS = 10_000;
/** A probe takes milliseconds, so even a few probes and scrapers at once have no more than a handful. */
const MOST_CONNECTIONS = 64;
/** The most that the head of a request may have, in bytes. Probes send about 100, Prometheus about 500. */
const MOST_HEAD = 8_192;

/** An answer to a request. */
export interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}

/** A text for people. */
export const plain = (status: number, text: string): Answer => ({ status, type: 'text/plain; charset=utf-8', body: `${text}\n` });

/** The paths that are answered, and how. */
export type Routes = ReadonlyMap<string, () => Answer>;

/** One server. It can be opened again after it was closed. */
export class HealthServer {
  readonly #host: string;
  readonly #port: number;
  readonly #routes: Routes;
  readonly #failed: (error: NodeJS.ErrnoException) => void;
  readonly #connections = new Map<Socket, NodeJS.Timeout>();
  #server: Server | null = null;

  /** `failed` is called if the server cannot listen. */
  constructor(host: string, port: number, routes: Routes, failed: (error: NodeJS.ErrnoException) => void) {
    this.#host = host;
    this.#port = port;
    this.#routes = routes;
    this.#failed = failed;
  }

  get isOpen(): boolean {
    return this.#server !== null;
  }

  /** The listening handle (borrowed); null while there is none. */
  get native(): NativeHandle | null {
    return this.#server === null ? null : handleOf(this.#server);
  }

  /** Begins to listen, on `inherited` (transferred) if it is given: the socket of the primary before this one. */
  open(inherited: NativeHandle | null = null): void {
    if (this.#server !== null) return void inherited?.close();
    // The timer of each connection does what the server's timeouts would do. For those Node wakes the process up now and then.
    const server = createServer({ maxHeaderSize: MOST_HEAD, headersTimeout: 0, requestTimeout: 0, connectionsCheckingInterval: LONGEST_DELAY }, (request, response) => this.#answer(request, response));
    this.#server = server;
    server.on('connection', (socket) => this.#connected(socket));
    // After 'listening' it is an accept that failed, for want of fds: the next one may work.
    server.on('error', (error: NodeJS.ErrnoException) => {
      if (server.listening || this.#server !== server) return;
      this.#server = null;
      this.#failed(error);
    });
    // Exclusive: if this process itself is a worker of some other cluster, that cluster is not asked.
    if (inherited !== null) return void listenOnHandle(server.unref(), inherited);
    server.unref().listen({ host: this.#host, port: this.#port, exclusive: true });
  }

  /** Closes the socket, which another primary has as well. Connections get their answers. */
  leave(): void {
    this.#server?.close();
    this.#server = null;
  }

  /** Closes the socket and cuts all connections off. */
  close(): void {
    this.#server?.close();
    this.#server = null;
    for (const socket of [...this.#connections.keys()]) socket.destroy();
  }

  #connected(socket: Socket): void {
    const [oldest] = this.#connections.keys();
    if (oldest !== undefined && this.#connections.size >= MOST_CONNECTIONS) this.#cutOff(oldest);
    this.#connections.set(socket.unref(), timers.setTimeout(() => socket.destroy(), LIFE_MS).unref());
    socket.once('close', () => this.#forget(socket));
  }

  /** Forgets it at once: its 'close' comes in a later turn, and until then it must not be cut off again in place of another. */
  #cutOff(socket: Socket): void {
    this.#forget(socket);
    socket.destroy();
  }

  #forget(socket: Socket): void {
    timers.clearTimeout(this.#connections.get(socket));
    this.#connections.delete(socket);
  }

  #answer({ method, url = '' }: IncomingMessage, response: ServerResponse): void {
    const { status, type, body } = this.#answerTo(method, url);
    response.writeHead(status, {
      'Content-Type': type, 'Content-Length': Buffer.byteLength(body), 'Cache-Control': 'no-store', Connection: 'close', ...(status === 405 ? { Allow: 'GET, HEAD' } : {}),
    });
    response.end(body); // Node sends no body in reply to HEAD.
  }

  #answerTo(method: string | undefined, url: string): Answer {
    const route = this.#routes.get(url.split('?', 1)[0] ?? '');
    if (route === undefined) return plain(404, `not found; there are: ${[...this.#routes.keys()].join(' ')}`);
    if (method !== 'GET' && method !== 'HEAD') return plain(405, 'only GET and HEAD are answered');
    try {
      return route();
    } catch (error) {
      return plain(500, `no answer: ${textOf(error)}`); // The program can replace what is read here.
    }
  }
}

/** The text of a value that was thrown. Code of the program may have thrown it, so to ask for its text can throw as well. */
function textOf(thrown: unknown): string {
  try {
    return String(thrown);
  } catch {
    return 'an error that has no text';
  }
}
