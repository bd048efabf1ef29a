/**
 * The HTTP check of a worker that starts: sends GET requests to the worker's own http servers until one of them answers
 * with 2xx. The requests do not go over the network, because all workers share their ports and another worker might
 * answer. Instead an in-process connection is given to the server: its event 'connection' is emitted (behind TLS:
 * 'secureConnection'), which the documentation of node:http allows with any Duplex.
 *
 * Owns     the timer, and at most one request at a time
 * Used by  agent.ts
 * Never    ends the worker: a failure is reported, and the request is sent again
 * Node     checks `maxConnections` before it emits 'connection', so the check works in a canary on trial too
 */
import { timers } from '../../builtins';
import type { IncomingMessage, Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Duplex } from 'node:stream';
import type { HttpCheck } from '../readiness';

/** Sends requests until one is answered with 2xx. */
export class ReadyCheck {
  readonly #check: HttpCheck;
  readonly #report: (complaint: string | null) => void;
  readonly #servers = new Set<Server>();
  #state: 'idle' | 'asking' | 'over' = 'idle';
  #complaint: string | null = '';

  /** `report` is called with each new complaint, and with null in the end. */
  constructor(check: HttpCheck, report: (complaint: string | null) => void) {
    this.#check = check;
    this.#report = report;
  }

  /** A server begins to listen. A server that does not speak HTTP/1 is ignored. */
  add(server: object): void {
    if (this.#state === 'over' || typeof (server as Partial<Server>).closeIdleConnections !== 'function') return;
    this.#servers.add(server as Server);
    if (this.#state === 'asking') return;
    this.#state = 'asking';
    // The server emits 'listening' within the next ticks; its address is known then.
    timers.setImmediate(() => void this.#ask());
  }

  async #ask(): Promise<void> {
    const servers = [...this.#servers].filter((server) => this.#isSelected(server));
    let complaint = `no http server listens on port ${this.#check.port}`;
    for (const server of servers) {
      const status = await ask(server, this.#check).catch((error: Error) => error.message);
      if (typeof status === 'number' && status >= 200 && status < 300) {
        this.#state = 'over';
        this.#servers.clear();
        return this.#report(null);
      }
      complaint = `GET ${this.#check.path}: ${status}`;
    }
    if (complaint !== this.#complaint) this.#report(complaint);
    this.#complaint = complaint;
    timers.setTimeout(() => void this.#ask(), this.#check.intervalMs).unref();
  }

  #isSelected(server: Server): boolean {
    const { port } = this.#check;
    if (port === null) return true;
    const address = server.address() as AddressInfo | string | null;
    return address !== null && typeof address === 'object' && address.port === port;
  }
}

/** Sends one request to a server. Resolves to the status of the answer. */
function ask(server: Server, { path, timeoutMs }: HttpCheck): Promise<number> {
  const { request } = require('node:http') as typeof import('node:http');
  return new Promise((resolve, reject) => {
    const [client, connection] = connectedPair();
    connection.server = server;
    const sent = request({
      path, createConnection: () => client as never, headers: { host: 'localhost', connection: 'close', 'user-agent': 'cluster-internals' },
    });
    const timer = timers.setTimeout(() => sent.destroy(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs);
    const end = (): void => {
      timers.clearTimeout(timer);
      client.destroy();
      connection.destroy();
    };
    sent.on('response', (response: IncomingMessage) => {
      resolve(response.statusCode ?? 0);
      end();
    });
    sent.on('error', (error) => {
      reject(error);
      end();
    });
    const isSecure = typeof (server as { setSecureContext?: unknown }).setSecureContext === 'function';
    try {
      server.emit(isSecure ? 'secureConnection' : 'connection', connection);
      sent.end();
    } catch (error) {
      sent.destroy(error as Error);
    }
  });
}

/** One end of an in-process connection, with those members of a socket that apps use. */
class ConnectionEnd extends Duplex {
  readonly remoteAddress = '127.0.0.1';
  /** An HTTP/2 server with `allowHTTP1` reads this. */
  readonly alpnProtocol = 'http/1.1';
  server: Server | null = null;
  other: ConnectionEnd | null = null;
  /** Completes the other end's write, when this end is read. */
  #resume: (() => void) | null = null;

  override _read(): void {
    const resume = this.#resume;
    this.#resume = null;
    resume?.();
  }

  override _write(data: Buffer, _encoding: BufferEncoding, done: () => void): void {
    if (this.other === null || this.other.push(data)) done();
    else this.other.#resume = done;
  }

  override _final(done: () => void): void {
    this.#endOther();
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#endOther();
    done(error);
  }

  #endOther(): void {
    const { other } = this;
    this.other = null;
    if (other !== null && !other.destroyed) other.push(null);
  }

  setTimeout(): this { return this; }
  setNoDelay(): this { return this; }
  setKeepAlive(): this { return this; }
  ref(): this { return this; }
  unref(): this { return this; }
}

function connectedPair(): [ConnectionEnd, ConnectionEnd] {
  const [one, two] = [new ConnectionEnd(), new ConnectionEnd()];
  one.other = two;
  two.other = one;
  for (const end of [one, two]) end.on('error', () => undefined);
  return [one, two];
}
