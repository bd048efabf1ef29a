/**
 * The class Worker. In a primary an object of it stands for one worker (`cluster.workers[id]`); in a worker there
 * is one, for the worker itself (`cluster.worker`). The two roles disconnect and destroy in different ways, so
 * each role makes a class of its own, with `workerClass`.
 *
 * Owns     nothing; the process is owned by Node, the channel by `channel/`
 * Never    decides anything about the cluster; it calls its role
 * Node     lib/internal/cluster/worker.js. `Worker` can be called without `new` there, so it is a function here
 *          too. It has no `Symbol.dispose` (D54). In a worker `isDead()` reads its own `process.exitCode`, so it returns true as soon as the program
 *          sets an exit code, although the worker lives (C-62). Ours does the same, because programs can see it.
 */
import { EventEmitter } from 'node:events';
import { NativeObject, Reflect } from './builtins';

/** The process of a worker: a ChildProcess in a primary, `process` in the worker itself. */
export interface WorkerProcess extends EventEmitter {
  connected?: boolean;
  readonly pid?: number | undefined;
  readonly exitCode?: number | string | null | undefined;
  readonly signalCode?: NodeJS.Signals | null;
  send?(message: unknown, ...rest: unknown[]): boolean;
  disconnect?(): void;
  kill?(...args: never[]): boolean;
  [Symbol.dispose]?(): void;
}

/** One worker: https://nodejs.org/api/cluster.html#class-worker */
export interface Worker extends EventEmitter {
  /** true as soon as the worker or the primary has called `disconnect` or `kill`; false if the worker ends without that; undefined before. */
  exitedAfterDisconnect: boolean | undefined;
  /** One of Node's names: none, online, listening, disconnected, dead; in the worker also disconnecting, destroying. */
  state: string;
  id: number;
  process: WorkerProcess;
  kill(signal?: string | number): void;
  send(message: unknown, ...rest: unknown[]): boolean;
  isDead(): boolean;
  isConnected(): boolean;
  disconnect(): Worker;
  destroy(signal?: string | number): void;
  /** See lib/cluster.ts. */
  returnIdle?(options?: { readonly max?: number | undefined }): Promise<number> | boolean;
  /** In a worker: the app's function that says which connections may move (child/movable.ts). */
  movable?: unknown;
}

/** The argument of `new Worker`. */
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

/** What a role does in its own way. */
export interface Role {
  disconnect(worker: Worker): void;
  destroy(worker: Worker, signal: string | number | undefined): void;
  /** What the end of a `using` block does; null if a Worker of this role has nothing to dispose of. */
  readonly dispose: ((worker: Worker) => void) | null;
  /** May this error of the process be dropped if nobody listens for 'error'? If not, it is an uncaught exception, as in any EventEmitter. */
  mayIgnore(error: unknown): boolean;
}

/** Makes the class Worker of one role. */
export function workerClass(role: Role): WorkerClass {
  function Worker(this: Worker | undefined, options?: WorkerOptions): Worker | void {
    if (!isWorker(this)) return Reflect.construct(Worker, [options]);
    Reflect.apply(EventEmitter, this, []);
    const given: WorkerOptions = options !== null && typeof options === 'object' ? options : {};
    const self = this;
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
  const isWorker = (value: Worker | undefined): value is Worker => value instanceof Worker;
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
  const { dispose } = role;
  if (dispose !== null) {
    NativeObject.defineProperty(Worker.prototype, Symbol.dispose, { value(this: Worker) { dispose(this); }, configurable: true, writable: true });
  }
  // No type of TypeScript fits a function that is declared with `function` and works with and without `new`.
  return Worker as unknown as WorkerClass;
}
