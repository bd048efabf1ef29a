/**
 * The app's side of a graceful end: on an uncaught exception, on SIGTERM or SIGINT, and when its
 * supervisor says so, what is in progress is finished before the process exits.
 *
 *   import { graceful } from 'cluster-internals/graceful';
 *   graceful(server, { timeoutMs: 10_000 });
 *
 * For servers of http, https, http2 and net; in a worker of `supervise`, in any other process as well.
 *
 * What happens, in order:
 *   1. a supervised worker asks for a successor (the suicide signal). It accepts until that one is
 *      ready, so that capacity does not dip, but no longer than half of `timeoutMs`. Every other
 *      process, or with `acceptUntilReplaced: false`, stops accepting at once
 *   2. answers carry `Connection: close`; idle connections may ask once more within `idleGraceMs`
 *   3. when no connection is left, `onDrained` runs, and the process exits: with 1 after an exception,
 *      else with 0; with 1 also at the deadline, when somebody had to be cut off
 * A signal that is repeated within a second is the same one; a later one ends the process at once, with 1.
 */
import type { Server } from 'node:net';
import { supervised } from '../internal/supervisor/part';
import { StopRequests } from '../internal/supervisor/stop_requests';
import { Drain } from '../internal/supervisor/drain';
import { invalidArgType, nodeError } from '../internal/errors';

/** The options of `graceful`. */
export interface GracefulOptions {
  /** The deadline of it all, in milliseconds: 10 s. */
  timeoutMs?: number;
  /** How long idle connections may ask once more, in milliseconds: 1 s. Under a supervisor its own grace holds. */
  idleGraceMs?: number;
  /** Does a supervised worker accept until its successor is ready? True by default. */
  acceptUntilReplaced?: boolean;
  /** Gets the uncaught exception; prints it by default. */
  onFatal?: (error: unknown) => void;
  /** Called when it accepts no more: the moment to tell long-lived connections. */
  onLeave?: () => void;
  /** Called when no connection is left, before the exit, which waits for it until the deadline. */
  onDrained?: () => void | Promise<void>;
}

/**
 * Lets this process end gracefully when it has to.
 *
 * @param server   the server, or several; before or after they listen
 * @returns        begins the end by hand; its argument is the exit code, 0 by default
 * @throws         ERR_INVALID_ARG_TYPE, ERR_OUT_OF_RANGE
 */
export function graceful(server: Server | readonly Server[], options: GracefulOptions = {}): (code?: number) => void {
  const servers = Array.isArray(server) ? server as Server[] : [server as Server];
  const { timeoutMs = 10_000, idleGraceMs = 1_000, acceptUntilReplaced = true, onFatal = print, onLeave, onDrained } = options;
  for (const one of servers) if (typeof one?.getConnections !== 'function') throw invalidArgType('server', 'a server of node:net, http, https or http2', one);
  checkTime('options.timeoutMs', timeoutMs);
  checkTime('options.idleGraceMs', idleGraceMs);

  const part = supervised();
  const drain = part?.drain ?? new Drain({ all: false });
  for (const one of servers) drain.add(one);
  let exitCode = 0;
  let leaving = false;

  drain.on((phase) => {
    if (phase === 'out of rotation') onLeave?.();
    if (phase === 'drained') void exit();
  });

  async function exit(): Promise<void> {
    try {
      await onDrained?.();
    } catch (error) {
      exitCode = 1;
      onFatal(error);
    }
    process.exit(exitCode);
  }

  function leave(code: number, reason: string): void {
    exitCode = Math.max(exitCode, code);
    if (leaving) return;
    leaving = true;
    setTimeout(() => process.exit(exitCode || 1), timeoutMs).unref();
    const stopAccepting = (): void => drain.leave(Math.min(idleGraceMs, timeoutMs / 4));
    if (part?.retire(reason) && acceptUntilReplaced) setTimeout(stopAccepting, timeoutMs / 2).unref();
    else stopAccepting();
  }

  process.on('uncaughtException', (error) => {
    try {
      onFatal(error);
    } finally {
      // Before it serves there is nothing to finish. An `onFatal` that throws ends the process here.
      if (!leaving && !servers.some((one) => one.listening)) process.exit(1);
      leave(1, `uncaught exception: ${error instanceof Error ? error.message : String(error)}`);
    }
  });
  const requests = new StopRequests();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      const request = requests.next(performance.now());
      // Whoever asks again does not want to wait. In a worker it is the primary that decides.
      if (request === 'now' && !process.connected) process.exit(1);
      leave(0, signal);
    });
  }
  return (code = 0) => leave(code, 'asked by the app');
}

function print(error: unknown): void {
  console.error(error);
}

function checkTime(name: string, value: unknown): void {
  if (typeof value !== 'number') throw invalidArgType(name, 'of type number', value);
  if (!(value >= 0 && value < 2 ** 31)) throw nodeError(RangeError, 'ERR_OUT_OF_RANGE', `The value of "${name}" is out of range. It must be >= 0 && < 2147483648. Received ${value}`);
}
