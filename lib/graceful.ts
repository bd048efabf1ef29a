/**
 * Ends a process gracefully: requests in progress are finished before it exits. What can ask for the end is an uncaught
 * exception, SIGTERM or SIGINT, the supervisor (a reload, a stop, …), or the app itself.
 *
 *   import { graceful } from 'cluster-internals/graceful';
 *   graceful(server, { timeoutMs: 10_000 });
 *
 * It works for servers of http, https, http2 and net, in a worker of `supervise` and in any other process.
 *
 * What happens, in this order:
 *   1. A supervised worker asks its supervisor for a successor. It accepts connections until the successor is ready, but
 *      for at most half of `timeoutMs`; with `acceptUntilReplaced: false` step 2 follows at once. A process without a
 *      supervisor accepts connections for `drainDelayMs`; after an exception step 2 follows at once.
 *   2. The process stops accepting. From a supervised worker, connections that can move go to the other workers, unless all
 *      leave (the option `move` of `supervise`). On the others responses say `Connection: close`, and an idle one may send
 *      one more request within `idleGraceMs`. `isLeaving()` is true from here on, or from the beginning of `drainDelayMs`.
 *   3. When no connection is open, or at the deadline, when the open ones are cut off, `onDrained` runs for at most
 *      `cleanUpMs`. Then the process exits: with 1 after an exception or if a connection was cut off, otherwise with 0.
 *
 * A signal that comes again within a second counts as the same one; a later one cuts off all connections at once.
 * Several calls of `graceful` in one process share one end: it is over when the servers of all calls are drained.
 */
import type { Server } from 'node:net';
import { currentAgent } from '../internal/supervisor/worker/supervised';
import { StopRequests } from '../internal/supervisor/stop_requests';
import { attach } from '../internal/supervisor/app_calls';
import { Drain } from '../internal/supervisor/worker/drain';
import { Ending, type End } from '../internal/supervisor/worker/ending';
import { LONGEST_DELAY } from '../internal/clock';
import { invalidArgType } from '../internal/errors';
import { performance } from '../internal/builtins';
import { ownOptions } from '../internal/own_options';
import { checkBoolean, checkNumber } from '../internal/validate';

/** The argument of `onDrained`. */
export type { End } from '../internal/supervisor/worker/ending';

/** The options of `graceful`. Times are in milliseconds. */
export interface GracefulOptions {
  /** How long the end may take until `onDrained` runs: 10 s by default. It also limits a reload and a stop of the supervisor. */
  timeoutMs?: number;
  /** How long `onDrained` may take: 5 s by default. After that the process exits with 1. */
  cleanUpMs?: number;
  /** How long an idle connection may still send one request: 1 s by default. If the supervisor ends the worker, the supervisor's value holds. */
  idleGraceMs?: number;
  /**
   * How long the process accepts connections after a signal, while load balancers learn that it leaves: 0 by default.
   * `timeoutMs` begins afterwards. Under a supervisor, the supervisor's value holds.
   */
  drainDelayMs?: number;
  /** Does a supervised worker accept connections until its successor is ready? True by default. */
  acceptUntilReplaced?: boolean;
  /** Called with an uncaught exception. By default it is printed to stderr. */
  onFatal?: (error: unknown) => void;
  /** Called when the process stops accepting connections: the moment to close long-lived ones (WebSockets, …). */
  onLeave?: () => void;
  /**
   * Called once, when no connection is open any more: all have ended, or the rest was cut off. The exit waits for its
   * promise for at most `cleanUpMs`. Close databases and flush logs here.
   */
  onDrained?: (end: End) => void | Promise<void>;
}

const names = ['timeoutMs', 'cleanUpMs', 'idleGraceMs', 'drainDelayMs', 'acceptUntilReplaced', 'onFatal', 'onLeave', 'onDrained'] as const;

/** The end of this process, and the connections of its servers. The first call of `graceful` makes them. */
let ending: Ending | undefined;
let drain: Drain | undefined;

/**
 * Makes this process end gracefully when something asks for its end.
 *
 * @param server   one server or an array of servers, before or after they listen
 * @param options  see GracefulOptions; each may be left out
 * @returns        a function that begins the end. Its argument is the exit code, 0 by default; it returns at once
 * @throws         ERR_INVALID_ARG_TYPE or ERR_OUT_OF_RANGE for a wrong argument
 */
export function graceful(server: Server | readonly Server[], options: GracefulOptions = {}): (code?: number) => void {
  const servers = Array.isArray(server) ? server as Server[] : [server as Server];
  const { timeoutMs = 10_000, cleanUpMs = 5_000, idleGraceMs = 1_000, drainDelayMs = 0, acceptUntilReplaced = true, onFatal = print, onLeave, onDrained } = ownOptions(options, names);
  for (const one of servers) if (typeof one?.getConnections !== 'function') throw invalidArgType('server', 'a server of node:net, http, https or http2', one);
  for (const [name, value] of Object.entries({ timeoutMs, cleanUpMs, idleGraceMs, drainDelayMs })) checkNumber(`options.${name}`, value, 0, LONGEST_DELAY);
  for (const [name, value] of Object.entries({ onFatal, onLeave, onDrained })) {
    if (value !== undefined && typeof value !== 'function') throw invalidArgType(`options.${name}`, 'of type function', value);
  }
  checkBoolean('options.acceptUntilReplaced', acceptUntilReplaced);

  const agent = currentAgent();
  drain ??= agent?.drain ?? new Drain({ all: false });
  for (const one of servers) drain.add(one);
  if (ending === undefined) {
    ending = new Ending(drain, agent);
    listenToProcess(ending, agent !== undefined, drain);
  }
  ending.join({ timeoutMs, cleanUpMs, idleGraceMs, drainDelayMs, acceptUntilReplaced, onFatal, onLeave, onDrained });
  const own = ending;
  return (code = 0) => own.leave(code, 'asked by the app');
}

/**
 * Does this process leave? Let a health check fail while it does, so that load balancers send no more requests: with
 * `drainDelayMs` the process still accepts connections for a while.
 *
 * @returns  true while the process leaves. It works in a process with `graceful`, and in each worker of `supervise`, with
 *           or without `graceful`. In any other process it is always false
 */
export function isLeaving(): boolean {
  const phase = (currentAgent()?.drain ?? drain)?.phase ?? 'serving';
  return phase !== 'serving';
}

/** Listens to what can end this process besides its supervisor: exceptions and signals. */
function listenToProcess(end: Ending, isSupervised: boolean, servers: Drain): void {
  attach(process, 'uncaughtException', (error: unknown) => {
    end.fatal(error);
    // If no server listens yet, there is nothing to finish. A server that the app has closed can still have connections.
    if (!end.isLeaving && !servers.isListening && servers.left === 0) process.exit(1);
    end.leave(1, `uncaught exception: ${messageOf(error)}`, 0);
  });
  const requests = new StopRequests();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    attach(process, signal, () => {
      // In a worker the primary decides. Without a primary nobody answers, and the worker ends at once.
      if (isSupervised && !process.connected) return end.now();
      // A second signal: somebody does not want to wait.
      if (requests.next(performance.now()) === 'now' && !isSupervised) return end.now();
      end.leave(0, signal);
    });
  }
}

/** The message of what was thrown, or its text. Both can be getters or methods of the app that throw. */
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
