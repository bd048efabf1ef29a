/**
 * The server of a control socket: an app's primary or the daemon answers its clients here, one Connection for each.
 *
 * Owns     the listening socket, its file and lock (socket_file.ts), and the connections. `close` gives all back
 * Used by  app_control.ts, daemon/, app/
 * Uses     connection.ts, socket_file.ts, turns.ts
 * Never    keeps the process alive: neither the server nor a connection does. Never ends the process: errors of accepting
 *          (no more fds, for example) are ignored, and the next client is accepted as before
 * Keeps    at most MOST_CONNECTIONS connections
 */
import { createServer, type Server, type Socket } from 'node:net';
import { Connection, type Call, type Method } from './connection';
import { refusal } from './errors';
import { MOST_CONNECTIONS, type Hello } from './protocol';
import { bindSocket, type SocketFile } from './socket_file';
import { Turns } from './turns';

/** What a method gets, and what it is. */
export type { Call, Method };

/** How long `close` waits for clients to read their last replies, and for commands in progress, in milliseconds. */
const CLOSE_MS = 1_000;

/** Answers the clients of one control socket. */
export class ControlServer {
  readonly #hello: Hello;
  readonly #methods: ReadonlyMap<string, Method>;
  readonly #server: Server;
  readonly #connections = new Set<Connection>();
  readonly #turns = new Turns();
  /** Those that wait until no connection is left. */
  #drained: (() => void)[] = [];
  /** Settled when `listen` is; null before. */
  #binding: Promise<SocketFile> | null = null;
  #state: 'new' | 'binding' | 'listening' | 'closed' = 'new';

  /**
   * @param hello    what each client is told first
   * @param methods  the methods by their names. Only own properties count. The table is read now and never again
   */
  constructor(hello: Hello, methods: Readonly<Record<string, Method>>) {
    this.#hello = hello;
    this.#methods = new Map(Object.entries(methods));
    // A client may end its side after its requests, as `echo … | nc -U PATH` does, and still gets the replies.
    this.#server = createServer({ allowHalfOpen: true }, (socket) => this.#accept(socket));
    this.#server.on('error', () => undefined); // An accept failed. While `listen` runs, it has a listener of its own.
  }

  /**
   * Listens at a path, and owns it until `close` or the end of this process. A server listens once.
   *
   * @param path  an absolute path, as `controlPath` returns it
   * @returns     a promise that resolves when clients can connect. It rejects with ERR_ALREADY_RUNNING if a live process
   *              is there, with ERR_CONTROL_PATH if the path is too long or something else than a socket is there, and
   *              with an error of the system, for example EACCES. Nothing is left behind then
   */
  async listen(path: string): Promise<void> {
    if (this.#state !== 'new') throw new Error('A control server listens once');
    this.#state = 'binding';
    this.#binding = bindSocket(this.#server, path);
    try {
      await this.#binding;
      this.#server.unref();
      if (this.#state === 'binding') this.#state = 'listening';
    } catch (error) {
      this.#state = 'closed';
      this.#server.close();
      throw error;
    }
  }

  /**
   * Removes the socket's file, and ends what clients follow. Commands in progress, and clients that have not read their
   * last reply, get a second; then their connections are closed.
   *
   * @returns  a promise that resolves when nothing of this server is left
   */
  async close(): Promise<void> {
    this.#state = 'closed';
    const file = await this.#binding?.catch(() => null); // `listen` reports why it failed.
    file?.remove();
    this.#server.close();
    for (const connection of this.#connections) connection.end();
    if (this.#connections.size === 0) return;
    const late = setTimeout(() => this.#connections.forEach((connection) => connection.destroy()), CLOSE_MS).unref();
    await new Promise<void>((resolve) => this.#drained.push(resolve));
    clearTimeout(late);
  }

  #accept(socket: Socket): void {
    if (this.#state === 'closed') return void socket.destroy();
    const connection = new Connection(socket, this.#hello, this.#methods, this.#turns, () => {
      this.#connections.delete(connection);
      if (this.#connections.size > 0) return;
      for (const resolve of this.#drained) resolve();
      this.#drained = [];
    });
    this.#connections.add(connection);
    if (this.#connections.size > MOST_CONNECTIONS) connection.cut(refusal('ERR_TOO_MANY_CONNECTIONS', `${MOST_CONNECTIONS} clients are connected`));
  }
}
