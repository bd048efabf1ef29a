/**
 * The HTTP server of a live page, on 127.0.0.1. The page can kill processes, so nobody else may talk to it: each request
 * needs the token that stands in the URL which `watch` has printed, and a `Host` that is this very address (a page of
 * another site whose name resolves to 127.0.0.1 has another one). Nothing is answered to another origin.
 *
 * Owns     the listening socket, and the connections of browsers; `close` gives them back
 * Used by  watch.ts
 * Keeps    1. no request without the token gets more than 403
 *          2. a browser that does not read is cut off, and costs no more than MOST_UNREAD
 *          3. no request ends this process, whatever is in it
 * Wire     GET / the page · GET /events server-sent events: recorded, source, ended · POST /act {action, …} → text
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { nodeError } from '../../errors';
import { isObject } from '../../is_object';

/** The targets of requests are read relative to this. */
const BASE = 'http://127.0.0.1';
const MOST_BROWSERS = 16;
/** Bytes that wait for a browser that does not read. A page that opens late gets all events at once. */
const MOST_UNREAD = 64 << 20;
/** Bytes of a request to act. */
const MOST_BODY = 4096;

const HEADERS = { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff', 'referrer-policy': 'no-referrer', 'x-frame-options': 'DENY', 'cross-origin-resource-policy': 'same-origin' } as const;

/** What a live page shows, and what its buttons do. */
export interface LiveOptions {
  /** On 127.0.0.1. 0: a free one. */
  readonly port: number;
  /** The page, for this token. */
  page(token: string): string;
  /** Does what a button asks for. */
  act(order: Readonly<Record<string, unknown>>): Promise<string>;
}

/** Serves the page of a running program to whoever has the token. */
export class LiveServer {
  readonly #options: LiveOptions;
  readonly #token = randomBytes(24).toString('base64url');
  readonly #server: Server;
  readonly #browsers = new Set<ServerResponse>();
  /** Everything that was sent, for a browser that comes later. */
  readonly #sent: string[] = [];

  constructor(options: LiveOptions) {
    this.#options = options;
    // A browser that goes away while it sends a request ends its own connection, and nothing else.
    this.#server = createServer((request, response) => void this.#answer(request, response).catch(() => response.destroy()));
  }

  /** Listens. Rejects with ERR_PAGE_PORT if the port cannot be had. */
  listen(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', (error) => reject(nodeError(Error, 'ERR_PAGE_PORT', `Cannot listen on 127.0.0.1:${this.#options.port}: ${error.message}. Choose another --port.`)));
      this.#server.listen(this.#options.port, '127.0.0.1', () => resolve());
    });
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** What to open in a browser. */
  get url(): string {
    return `http://127.0.0.1:${this.port}/?token=${this.#token}`;
  }

  /** Sends an event to each page, also to those that come later. */
  send(name: 'recorded' | 'source' | 'ended', value: unknown): void {
    const text = `event: ${name}\ndata: ${JSON.stringify(value)}\n\n`;
    this.#sent.push(text);
    for (const browser of this.#browsers) {
      if (browser.writableLength > MOST_UNREAD) browser.destroy();
      else browser.write(text);
    }
  }

  /** Ends each page's connection after what was sent, and listens no more. */
  close(): void {
    for (const browser of this.#browsers) browser.end();
    this.#server.close();
    this.#server.closeIdleConnections();
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const refuse = (status: number, text: string): void => void response.writeHead(status, { ...HEADERS, 'content-type': 'text/plain; charset=utf-8', connection: 'close' }).end(`${text}\n`);
    // Anybody can send a target that is no URL, `//` for example: it has no token either.
    const target = request.url ?? '/';
    const url = new URL(URL.canParse(target, BASE) ? target : '/', BASE);
    if (!this.#isOwn(request) || !isSame(url.searchParams.get('token') ?? '', this.#token)) return refuse(403, 'Open the address that `cluster-internals watch` has printed, with its token.');
    if (request.method === 'GET' && url.pathname === '/') {
      response.writeHead(200, { ...HEADERS, 'content-type': 'text/html; charset=utf-8' }).end(this.#options.page(this.#token));
    } else if (request.method === 'GET' && url.pathname === '/events') {
      if (this.#browsers.size >= MOST_BROWSERS) return refuse(503, 'Too many pages are open.');
      this.#follow(response);
    } else if (request.method === 'POST' && url.pathname === '/act') {
      await this.#act(request, response, refuse);
    } else {
      refuse(404, 'There is nothing here.');
    }
  }

  /** Does the request come from this page, or from an address bar? */
  #isOwn({ headers }: IncomingMessage): boolean {
    const hosts = [`127.0.0.1:${this.port}`, `localhost:${this.port}`];
    return hosts.includes(headers.host ?? '') && (headers.origin === undefined || hosts.some((host) => headers.origin === `http://${host}`));
  }

  #follow(response: ServerResponse): void {
    response.writeHead(200, { ...HEADERS, 'content-type': 'text/event-stream' });
    response.write(this.#sent.join(''));
    this.#browsers.add(response);
    response.on('error', () => response.destroy());
    response.on('close', () => this.#browsers.delete(response));
  }

  async #act(request: IncomingMessage, response: ServerResponse, refuse: (status: number, text: string) => void): Promise<void> {
    if (request.headers['content-type'] !== 'application/json') return refuse(415, 'JSON, please.');
    let body = '';
    request.setEncoding('utf8');
    for await (const text of request) {
      body += String(text);
      if (body.length > MOST_BODY) return refuse(413, 'Too long.');
    }
    try {
      const order: unknown = JSON.parse(body);
      if (!isObject(order)) throw new Error('an object, please');
      const done = await this.#options.act(order);
      response.writeHead(200, { ...HEADERS, 'content-type': 'text/plain; charset=utf-8' }).end(done);
    } catch (error) {
      refuse(409, error instanceof Error ? error.message : String(error));
    }
  }
}

/** Compares in a time that does not depend on where the texts differ. */
function isSame(given: string, right: string): boolean {
  const hash = (text: string): Buffer => createHash('sha256').update(text).digest();
  return timingSafeEqual(hash(given), hash(right));
}
