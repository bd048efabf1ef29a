/**
 * The class Worker: what a primary knows of one of its workers, and what a worker knows of itself.
 * Both roles share everything but how to disconnect and how to destroy, which they pass in.
 *
 * Owns     nothing; the process is owned by Node, the channel by `channel/`
 * Never    decides anything about the cluster; it forwards
 * Node     lib/internal/cluster/worker.js. `Worker` can be called without `new` there, so it is a
 *          function here too. `isDead()` in a worker reads its own `process.exitCode`, which is
 *          true as soon as an app sets it (C-62): matched, because it is public.
 */
import { EventEmitter } from 'node:events';
import { NativeObject } from './builtins';

/** A ChildProcess in a primary, `process` in a worker. */
export interface WorkerProcess extends EventEmitter {
  connected?: boolean;
  readonly pid?: number | undefined;
  readonly exitCode?: number | string | null | undefined;
  readonly signalCode?: NodeJS.Signals | null;
  send?(message: unknown, ...rest: unknown[]): boolean;
  disconnect?(): void;
  kill?(...args: never[]): boolean;
}

/** One worker: https://nodejs.org/api/cluster.html#class-worker */
export interface Worker extends EventEmitter {
  /** undefined while it lives; true if it left of its own or the primary's will, else false. */
  exitedAfterDisconnect: boolean | undefined;
  /** Node's names: none, online, listening, disconnected, dead; in the worker also disconnecting, destroying. */
  state: string;
  id: number;
  process: WorkerProcess;
  kill(signal?: string | number): void;
  send(message: unknown, ...rest: unknown[]): boolean;
  isDead(): boolean;
  isConnected(): boolean;
  disconnect(): Worker;
  destroy(signal?: string | number): void;
}

/** What `new Worker` takes; all of it may be left out. */
export interface WorkerOptions {
  id?: number | string;
  state?: string;
  process?: WorkerProcess;
}

/** The class, which can also be called without `new`. */
export interface WorkerClass {
  new (options?: WorkerOptions): Worker;
  (options?: WorkerOptions): Worker;
  prototype: Worker;
}

/** What the two roles do differently. */
export interface Role {
  disconnect(worker: Worker): void;
  destroy(worker: Worker, signal: string | number | undefined): void;
  /** May this error of the process stay without a listener? Otherwise it is uncaught, as in any EventEmitter. */
  mayIgnore(error: unknown): boolean;
}

/** Makes the class for one role. */
export function workerClass(role: Role): WorkerClass {
  function Worker(this: Worker | undefined, options?: WorkerOptions): Worker | void {
    if (!(this instanceof Worker)) return new (Worker as unknown as WorkerClass)(options);
    EventEmitter.call(this as unknown as EventEmitter);
    const given: WorkerOptions = options !== null && typeof options === 'object' ? options : {};
    const self = this as unknown as Worker;
    self.exitedAfterDisconnect = undefined;
    self.state = given.state || 'none';
    self.id = (given.id as number) | 0;
    if (given.process) {
      self.process = given.process;
      self.process.on('error', (...args: unknown[]) => {
        if (self.listenerCount('error') > 0 || !role.mayIgnore(args[0])) self.emit('error', ...args);
      });
      self.process.on('message', (...args: unknown[]) => self.emit('message', ...args));
    }
  }
  NativeObject.setPrototypeOf(Worker, EventEmitter);
  NativeObject.setPrototypeOf(Worker.prototype, EventEmitter.prototype);

  const methods = {
    kill(this: Worker, ...args: [signal?: string | number]): void {
      this.destroy(...args);
    },
    send(this: Worker, ...args: [message: unknown, ...rest: unknown[]]): boolean {
      return this.process.send?.(...args) ?? false;
    },
    isDead(this: Worker): boolean {
      return this.process.exitCode != null || this.process.signalCode != null;
    },
    isConnected(this: Worker): boolean {
      return this.process.connected as boolean;
    },
    disconnect(this: Worker): Worker {
      role.disconnect(this);
      return this;
    },
    destroy(this: Worker, signal?: string | number): void {
      role.destroy(this, signal);
    },
  };
  NativeObject.assign(Worker.prototype, methods);
  return Worker as unknown as WorkerClass;
}
