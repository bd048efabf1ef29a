/**
 * The server of a control socket: an app's primary or the daemon answers its clients here, one Connection for each.
 *
 * Owns     the listening socket, its file and lock (socket_file.ts), the watch on that file, and the connections. `close` gives all back
 * Used by  app_control.ts, daemon/, app/
 * Uses     connection.ts, socket_file.ts, socket_watch.ts, turns.ts
 * Never    keeps the process alive: neither the server nor a connection does. Never ends the process: errors of accepting
 *          (no more fds, for example) are ignored, and the next client is accepted as before
 * Keeps    1. at most MOST_CONNECTIONS connections
 *          2. a socket whose file is deleted, with or without its directory, is made anew. Connections stay
 */
import { createServer, type Server, type Socket } from 'node:net';
import { timers } from '../../builtins';
import { Connection, type Call, type Method } from './connection';
import { refusal } from './errors';
import { MOST_CONNECTIONS, type Hello } from './protocol';
import { bindSocket, type SocketFile } from './socket_file';
import { SocketWatch } from './socket_watch';
import { Turns } from './turns';

/** The type of a method, and of its second argument. */
export type { Call, Method };

/** How long `close` waits for clients to read their last replies, and for commands in progress, in milliseconds. */
const CLOSE_MS = 1_000;

/** Answers the clients of one control socket. */
export class ControlServer {
  readonly #hello: Hello;
  readonly #methods: ReadonlyMap<string, Method>;
  /** Another one each time the file was lost. */
  #server: Server;
  #watch: SocketWatch | null = null;
  #file: SocketFile | null = null;
  readonly #connections = new Set<Connection>();
  readonly #turns = new Turns();
  /** Wake the calls of `close` that wait until no connection is left. */
  #drained: (() => void)[] = [];
  /** Settled when `listen` is; null before. */
  #binding: Promise<SocketFile> | null = null;
  #state: 'new' | 'binding' | 'listening' | 'closed' = 'new';
  /** The process for which `leave` was called; null: it was not. */
  #successor: number | null = null;

  /**
   * @param hello    what each client is told first
   * @param methods  the methods by their names. Only own properties count. The table is read now and never again
   */
  constructor(hello: Hello, methods: Readonly<Record<string, Method>>) {
    this.#hello = hello;
    this.#methods = new Map(Object.entries(methods));
    this.#server = this.#make();
  }

  /**
   * Listens at a path, and owns it until `close` or the end of this process. A server listens once.
   *
   * @param path   an absolute path, as `controlPath` returns it
   * @param locks  the directory of the locks. Default: as `takeLock` finds it
   * @param replaces  the process that has the path now, and has called `leave`
   * @returns      a promise that resolves when clients can connect. It rejects with ERR_ALREADY_RUNNING if a live process
   *               is there, with ERR_CONTROL_PATH if the path is too long or something else than a socket is there, and
   *               with an error of the system, for example EACCES. Nothing is left behind then
   */
  async listen(path: string, locks?: string, replaces: number | null = null): Promise<void> {
    if (this.#state !== 'new') throw new Error('A control server listens once');
    this.#state = 'binding';
    this.#binding = bindSocket(this.#server, path, locks, replaces);
    try {
      const file = await this.#binding;
      this.#server.unref();
      if (this.#state !== 'binding') return;
      this.#state = 'listening';
      this.#file = file;
      if (this.#successor !== null) return file.leave(this.#successor);
      this.#watch = new SocketWatch(path, { isThere: () => file.isThere(), restore: () => this.#restore(file) });
    } catch (error) {
      this.#state = 'closed';
      this.#server.close();
      throw error;
    }
  }

  /**
   * The process `successor` is about to take the path: this one passes it the lock, and answers the clients that it has until
   * `close`. A server that is not listening yet does so as soon as it is.
   */
  leave(successor: number): void {
    this.#successor = successor;
    void this.#watch?.close();
    this.#file?.leave(successor);
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
    await this.#watch?.close();
    file?.remove();
    this.#server.close();
    for (const connection of this.#connections) connection.end();
    if (this.#connections.size === 0) return;
    const late = timers.setTimeout(() => this.#connections.forEach((connection) => connection.destroy()), CLOSE_MS).unref();
    await new Promise<void>((resolve) => this.#drained.push(resolve));
    timers.clearTimeout(late);
  }

  #make(): Server {
    // A client may end its side after its requests, as `echo … | nc -U PATH` does, and still gets the replies.
    const server = createServer({ allowHalfOpen: true }, (socket) => this.#accept(socket));
    return server.on('error', () => undefined); // An accept failed. While it begins to listen, it has a listener of its own.
  }

  /** The file is lost: listens at a new one. */
  async #restore(file: SocketFile): Promise<void> {
    const next = this.#make().unref();
    try {
      await file.restore(next);
    } catch (error) {
      next.close();
      throw error;
    }
    this.#server.close(); // Its connections stay.
    this.#server = next;
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
