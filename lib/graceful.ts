/**
 * The app's side of a graceful end: on an uncaught exception, on SIGTERM or SIGINT, and when its
 * supervisor says so (reload, stop, …), what is in progress is finished before the process exits.
 *
 *   import { graceful } from 'cluster-internals/graceful';
 *   graceful(server, { timeoutMs: 10_000 });
 *
 * For servers of http, https, http2 and net; in a worker of `supervise`, in any other process as well.
 *
 * What happens, in order:
 *   1. a supervised worker asks for a successor (the suicide signal). It accepts until that one is
 *      ready, so that capacity does not dip, but no longer than half of `timeoutMs`. Every other
 *      process goes on accepting for `drainDelayMs`; with `acceptUntilReplaced: false`, and after an
 *      exception, none does
 *   2. answers carry `Connection: close`; idle connections may ask once more within `idleGraceMs`. From
 *      here on `isLeaving()` is true: a health check should fail
 *   3. when no connection is left, or at the deadline, when the others are cut off, `onDrained` runs, for
 *      `cleanUpMs` at most. Then the process exits: with 1 after an exception, or when somebody had to be
 *      cut off; else with 0
 * A signal that is repeated within a second is the same one; a later one cuts everybody off at once.
 * Several calls in one process have one end together, which is over when the servers of all are.
 */
import type { Server } from 'node:net';
import { supervised } from '../internal/supervisor/worker/supervised';
import { StopRequests } from '../internal/supervisor/stop_requests';
import { attach } from '../internal/supervisor/app_calls';
import { Drain } from '../internal/supervisor/worker/drain';
import { Ending, type End } from '../internal/supervisor/worker/ending';
import { invalidArgType, nodeError } from '../internal/errors';
import { performance } from '../internal/builtins';
import { ownOptions } from '../internal/own_options';

/** What `onDrained` gets. */
export type { End } from '../internal/supervisor/worker/ending';

/** The options of `graceful`. */
export interface GracefulOptions {
  /** How long the end may take until `onDrained` runs, in milliseconds: 10 s. The deadline of a reload and a stop, too. */
  timeoutMs?: number;
  /** How long `onDrained` may take, in milliseconds: 5 s. Then the process exits, with 1. */
  cleanUpMs?: number;
  /** How long idle connections may ask once more, in milliseconds: 1 s. Under a supervisor its own grace holds. */
  idleGraceMs?: number;
  /**
   * How long it goes on accepting after a signal, while load balancers learn that it leaves, in milliseconds:
   * 0. `timeoutMs` begins afterwards. Under a supervisor its own delay holds.
   */
  drainDelayMs?: number;
  /** Does a supervised worker accept until its successor is ready? True by default. */
  acceptUntilReplaced?: boolean;
  /** Gets the uncaught exception; prints it by default. */
  onFatal?: (error: unknown) => void;
  /** Called when it accepts no more: the moment to tell long-lived connections. */
  onLeave?: () => void;
  /**
   * Called once in every end, when no connection is left: all have ended, or the last ones were cut off. The
   * exit waits for it, for `cleanUpMs` at most: the place to close a database, and to flush logs.
   */
  onDrained?: (end: End) => void | Promise<void>;
}

const names = ['timeoutMs', 'cleanUpMs', 'idleGraceMs', 'drainDelayMs', 'acceptUntilReplaced', 'onFatal', 'onLeave', 'onDrained'] as const;

/** The end of this process; the first call of `graceful` makes it. */
let ending: Ending | undefined;
let drain: Drain | undefined;

/**
 * Lets this process end gracefully when it has to.
 *
 * @param server   the server, or several; before or after they listen
 * @returns        begins the end by hand; its argument is the exit code, 0 by default
 * @throws         ERR_INVALID_ARG_TYPE, ERR_OUT_OF_RANGE
 */
export function graceful(server: Server | readonly Server[], options: GracefulOptions = {}): (code?: number) => void {
  const servers = Array.isArray(server) ? server as Server[] : [server as Server];
  const { timeoutMs = 10_000, cleanUpMs = 5_000, idleGraceMs = 1_000, drainDelayMs = 0, acceptUntilReplaced = true, onFatal = print, onLeave, onDrained } = ownOptions(options, names);
  for (const one of servers) if (typeof one?.getConnections !== 'function') throw invalidArgType('server', 'a server of node:net, http, https or http2', one);
  for (const [name, value] of Object.entries({ timeoutMs, cleanUpMs, idleGraceMs, drainDelayMs })) checkTime(`options.${name}`, value);
  for (const [name, value] of Object.entries({ onFatal, onLeave, onDrained })) {
    if (value !== undefined && typeof value !== 'function') throw invalidArgType(`options.${name}`, 'of type function', value);
  }
  if (typeof acceptUntilReplaced !== 'boolean') throw invalidArgType('options.acceptUntilReplaced', 'of type boolean', acceptUntilReplaced);

  const part = supervised();
  drain ??= part?.drain ?? new Drain({ all: false });
  for (const one of servers) drain.add(one);
  if (ending === undefined) {
    ending = new Ending(drain, part);
    listen(ending, part !== undefined, drain);
  }
  ending.join({ timeoutMs, cleanUpMs, idleGraceMs, drainDelayMs, acceptUntilReplaced, onFatal, onLeave, onDrained });
  const own = ending;
  return (code = 0) => own.leave(code, 'asked by the app');
}

/**
 * Does this process leave? From then on a health check should fail, so that load balancers send nothing
 * more: at a stop with `drainDelayMs` it still accepts for a while. For a process with `graceful`, and for
 * each worker of `supervise`, without `graceful` as well; always false in any other.
 */
export function isLeaving(): boolean {
  const phase = (supervised()?.drain ?? drain)?.phase ?? 'serving';
  return phase !== 'serving';
}

/** What makes this process end, besides its supervisor. */
function listen(end: Ending, inWorker: boolean, servers: Drain): void {
  attach(process, 'uncaughtException', (error: unknown) => {
    end.fatal(error);
    // Before it serves there is nothing to finish. A server that the app has closed may still have connections.
    if (!end.isLeaving && !servers.isListening && servers.left === 0) process.exit(1);
    end.leave(1, `uncaught exception: ${messageOf(error)}`, 0);
  });
  const requests = new StopRequests();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    attach(process, signal, () => {
      // In a worker it is the primary that decides, as long as it is there.
      if (inWorker && !process.connected) return end.now();
      // Whoever asks again does not want to wait.
      if (requests.next(performance.now()) === 'now' && !inWorker) return end.now();
      end.leave(0, signal);
    });
  }
}

/** Of whatever was thrown: its message, or its text. Both may be the app's code, which may throw. */
function messageOf(error: unknown): string {
  try {
    return String(error instanceof Error ? error.message : error);
  } catch {
    return 'an error that has no text';
  }
}

function print(error: unknown): void {
  console.error(error);
}

function checkTime(name: string, value: unknown): void {
  if (typeof value !== 'number') throw invalidArgType(name, 'of type number', value);
  if (!(value >= 0 && value < 2 ** 31)) throw nodeError(RangeError, 'ERR_OUT_OF_RANGE', `The value of "${name}" is out of range. It must be >= 0 && < 2147483648. Received ${value}`);
}
