/**
 * The control socket of a supervisor: open while there is anything to supervise.
 *
 * Owns     one ControlServer at a time, and the name or path
 * Used by  lib/supervisor.ts, cli/
 * Uses     methods.ts (what clients may ask for), events.ts (when the supervisor has stopped)
 *          upgrade/registry.ts: a primary that replaces another one opens it when it serves, and that one gives it up then
 * States   closed ── made, or workers start again ──► open ── all workers have left after a stop ──► closed
 *          A step begins when the one before is done
 * Never    ends the process or stops the supervisor: if the socket cannot be opened, a process warning says why, and the
 *          workers serve on. Never keeps the process alive
 * Keeps    a primary that takes the socket from another one, or takes it back, gets it in the end: it tries again each
 *          TAKE_AGAIN_MS until it is free
 */
import path from 'node:path';
import { timers } from '../../builtins';
import type { Supervisor } from '../../supervisor/supervisor';
import { inheritanceHere, registerPlace } from '../../upgrade/registry';
import { checkAppName, checkLength, controlPath, nameOfPath } from './directory';
import { codeOf, refusalOf } from './errors';
import { SupervisorFeed } from './events';
import { appMethods, type AppExtras } from './methods';
import type { Hello } from './protocol';
import { ControlServer, type Method } from './server';

/**
 * Checks the option `control` of `supervise`, and looks at no file.
 *
 * @throws  ERR_INVALID_ARG_VALUE for a wrong name; ERR_CONTROL_PATH for a path that is too long for a socket
 */
export function checkControl(nameOrPath: string): void {
  if (nameOrPath.includes('/')) checkLength(path.resolve(nameOrPath));
  else checkAppName('options.control', nameOrPath);
}

/**
 * Opens the control socket of a supervisor. Call it right after the supervisor was made.
 *
 * @param supervisor  what its clients act on
 * @param nameOrPath  a name of an app, or a path
 * @param extras      what the app has besides its supervisor
 */
export function openControl(supervisor: Supervisor, nameOrPath: string, extras: AppExtras = {}): void {
  const name = extras.name ?? (nameOrPath.includes('/') ? nameOfPath(nameOrPath) : nameOrPath);
  const control = new AppControl(nameOrPath, { kind: 'app', name, pid: process.pid, startedBy: extras.startedBy ?? 'program' }, appMethods(supervisor, { ...extras, name }));
  new SupervisorFeed(supervisor).add(({ event }) => {
    if (event === 'stopped') control.close();
    // A command has started workers after a stop.
    else if (!control.isWanted && supervisor.status().desired > 0 && inheritanceHere()?.isServing !== false) control.open();
  });
  registerPlace({ leave: (successor) => control.leave(successor), takeAgain: () => control.takeAgain() });
  const inheritance = inheritanceHere();
  if (inheritance === null) control.open();
  else inheritance.onServing(() => control.keepOpening(inheritance.predecessor));
}

/** When a primary tries again to open a socket that another one had, in milliseconds. */
const TAKE_AGAIN_MS = 1_000;

class AppControl {
  readonly #nameOrPath: string;
  readonly #hello: Hello;
  readonly #methods: Readonly<Record<string, Method>>;
  #server: ControlServer | null = null;
  /** Ends when the last step has. */
  #steps: Promise<void> = Promise.resolve();
  /** left: another primary has it, or is about to. */
  #state: 'closed' | 'wanted' | 'left' = 'closed';
  /** The last warning, which is not repeated. */
  #warned = '';

  constructor(nameOrPath: string, hello: Hello, methods: Readonly<Record<string, Method>>) {
    this.#nameOrPath = nameOrPath;
    this.#hello = hello;
    this.#methods = methods;
  }

  /** Was `open` called, and `close` not since then? */
  get isWanted(): boolean {
    return this.#state !== 'closed';
  }

  open(): void {
    this.#state = 'wanted';
    this.#then(() => this.#open(null));
  }

  /** As `open`, and tries again until it is open. `replaces`: the process that has the socket now, and gives it up; null: it has ended. */
  keepOpening(replaces: number | null): void {
    this.#state = 'wanted';
    const attempt = async (): Promise<void> => {
      if (this.#state !== 'wanted') return;
      try {
        await this.#open(replaces);
      } catch (error) {
        timers.setTimeout(() => this.#then(attempt), TAKE_AGAIN_MS).unref();
        throw error;
      }
    };
    this.#then(attempt);
  }

  async #open(replaces: number | null): Promise<void> {
    const server = this.#server = new ControlServer(this.#hello, this.#methods);
    await server.listen(controlPath(this.#nameOrPath), undefined, replaces);
  }

  /** The process `successor` takes the socket. Clients that are connected are answered on. */
  leave(successor: number): void {
    if (this.#state === 'wanted') this.#state = 'left';
    this.#server?.leave(successor);
  }

  /** The other primary has ended. */
  takeAgain(): void {
    if (this.#state !== 'left') return;
    this.close();
    this.keepOpening(null);
  }

  close(): void {
    this.#state = 'closed';
    this.#then(async () => {
      await this.#server?.close();
      this.#server = null;
    });
  }

  #then(step: () => Promise<void>): void {
    this.#steps = this.#steps.then(step).catch((error: unknown) => {
      const { message } = refusalOf(error);
      if (message === this.#warned) return;
      this.#warned = message;
      process.emitWarning(`The control socket ${this.#nameOrPath} does not work: ${message}`, { type: 'ControlWarning', code: codeOf(error) ?? 'ERR_FAILED' });
    });
  }
}
