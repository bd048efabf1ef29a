/**
 * The HTTP check of a worker that starts: asks its own http servers whether the app is ready, until one
 * of them answers with 2xx. The question does not go over the network: all workers share their ports, and
 * another one would answer. It is given to the server as a connection ('connection', or 'secureConnection'
 * behind TLS), which the documentation of node:http allows for any Duplex.
 *
 * Owns     the timer, and one question at a time
 * Used by  agent.ts
 * Never    fails the worker: what goes wrong is told, and asked again
 * Node     `maxConnections` is looked at before 'connection' is emitted, so a canary on trial is asked too
 */
import { timers } from '../../builtins';
import type { IncomingMessage, Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Duplex } from 'node:stream';
import type { HttpCheck } from '../readiness';

/** Asks until it is answered well. */
export class ReadyCheck {
  readonly #check: HttpCheck;
  readonly #told: (complaint: string | null) => void;
  readonly #servers = new Set<Server>();
  #state: 'idle' | 'asking' | 'over' = 'idle';
  #complaint: string | null = '';

  /** `told` gets each new complaint, and null in the end. */
  constructor(check: HttpCheck, told: (complaint: string | null) => void) {
    this.#check = check;
    this.#told = told;
  }

  /** A server listens. One that does not speak HTTP/1 is none of ours. */
  add(server: object): void {
    if (this.#state === 'over' || typeof (server as Partial<Server>).closeIdleConnections !== 'function') return;
    this.#servers.add(server as Server);
    if (this.#state === 'asking') return;
    this.#state = 'asking';
    // It listens in a tick or two.
    timers.setImmediate(() => void this.#ask());
  }

  async #ask(): Promise<void> {
    const servers = [...this.#servers].filter((server) => this.#isMeant(server));
    let complaint = `no http server listens on port ${this.#check.port}`;
    for (const server of servers) {
      const status = await ask(server, this.#check).catch((error: Error) => error.message);
      if (typeof status === 'number' && status >= 200 && status < 300) {
        this.#state = 'over';
        this.#servers.clear();
        return this.#told(null);
      }
      complaint = `GET ${this.#check.path}: ${status}`;
    }
    if (complaint !== this.#complaint) this.#told(complaint);
    this.#complaint = complaint;
    timers.setTimeout(() => void this.#ask(), this.#check.intervalMs).unref();
  }

  #isMeant(server: Server): boolean {
    const { port } = this.#check;
    if (port === null) return true;
    const address = server.address() as AddressInfo | string | null;
    return address !== null && typeof address === 'object' && address.port === port;
  }
}

/** The status of one answer. */
function ask(server: Server, { path, timeoutMs }: HttpCheck): Promise<number> {
  const { request } = require('node:http') as typeof import('node:http');
  return new Promise((resolve, reject) => {
    const [client, connection] = pair();
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

/** One end of a connection within the process, with what apps use of a socket. */
class End extends Duplex {
  readonly remoteAddress = '127.0.0.1';
  /** A server of HTTP/2 that speaks HTTP/1 as well looks at this. */
  readonly alpnProtocol = 'http/1.1';
  server: Server | null = null;
  other: End | null = null;
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

function pair(): [End, End] {
  const [one, two] = [new End(), new End()];
  one.other = two;
  two.other = one;
  for (const end of [one, two]) end.on('error', () => undefined);
  return [one, two];
}
