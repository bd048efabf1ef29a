/**
 * The supervisor's part in a worker. `supervise` has each worker load it (`--require`), before the app,
 * so that an app that does nothing special leaves without a lost request.
 *
 * Owns     the Drain over all servers of this worker
 * Used by  worker_process.ts, by its path
 * Never    is seen by the app: no 'message' listener, nothing left in `process.execArgv`
 * Wire     see wire.ts
 * Signals  SIGTERM and SIGINT come to every process of a group (Ctrl-C, a service manager). Where the
 *          app does not listen to them, a worker that is connected with its primary does not die of
 *          them: it asks for a successor, and leaves when told. If its primary does not answer (it is
 *          stopped, or busy), the worker leaves by itself, see successor_requests.ts, and then dies of the signal: at
 *          once if it comes again, and at `leaveMs` in any case. Without a primary it dies as always.
 *          SIGHUP, SIGTTIN and SIGTTOU are commands for the primary, and ignored here
 * Node     `net` calls `cluster._getServer` on the exports of node:cluster whenever a server listens
 *         : standing before it is how we learn of each server, on Node's cluster too
 */
import { performance, timers } from '../../builtins';
import { isMainThread } from 'node:worker_threads';
import { ignoreCommands } from './group_signals';
import { SAME_MS } from '../stop_requests';
import { Drain } from './drain';
import { isInspected } from '../debugger';
import { tellLastError } from './last_error';
import { supervised, takePart } from './supervised';
import { Trial } from './trial';
import { epochClock } from '../../clock';
import { apart } from '../app_calls';
import { Addresses } from './listen_addresses';
import { Asking } from './successor_requests';
import { ReadyCheck } from './ready_check';
import { MOST_ADDRESSES, SETUP, SUPERVISOR, readOrder, readSetup, type Setup, type Word } from '../wire';

/** What the cluster object has besides the documented members. */
interface Seat {
  readonly isWorker: boolean;
  _getServer(asker: object, query: unknown, answer: (errno: number, handle: object | null, ...rest: unknown[]) => void): void;
}

/** How long the primary has to say what a signal to all of its group means, in milliseconds. */
const PRIMARY_FIRST = 200;
/** How much longer than its supervisor a worker waits before it ends itself, in milliseconds. */
const LONGER = 2_000;

function install(seat: Seat, { trial: onTrial, graceMs, leaveMs, patienceMs, check }: Setup): void {
  const drain = new Drain({ all: true });
  const trial = new Trial(onTrial);
  const say = (word: Word): boolean => {
    if (!process.connected) return false;
    // The primary may be gone before it reads this; there is nothing to be done about it.
    process.send?.({ cmd: SUPERVISOR, ...word }, undefined, undefined, () => undefined);
    return true;
  };
  const addresses = new Addresses((all) => say({ act: 'listens', at: all.slice(0, MOST_ADDRESSES) }));
  const ready = check === null ? null : new ReadyCheck(check, (complaint) => say({ act: 'checked', complaint: complaint ?? '' }));
  const asking = new Asking(patienceMs, { clock: epochClock, send: (reason) => say({ act: 'suicide', reason }) });
  takePart({ drain, retire: (reason) => asking.ask(reason) });
  tellLastError((text) => say({ act: 'last words', text }));

  const getServer = seat._getServer;
  seat._getServer = function (this: unknown, asker, query, answer) {
    apart(() => drain.add(asker));
    getServer.call(this as Seat, asker, query, (errno, handle, ...rest) => {
      if (!errno) apart(() => {
        trial.listens(asker, handle);
        addresses.add(asker, query);
        ready?.add(asker);
      });
      answer(errno, handle, ...rest);
    });
  };

  drain.on((phase) => {
    if (phase === 'announcing' || phase === 'out of rotation') asking.over();
    if (phase === 'out of rotation') say({ act: 'out' });
    if (phase === 'finishing') say({ act: 'finishing', left: drain.left });
    if (phase === 'drained') say({ act: 'drained' });
  });

  process.on('internalMessage' as 'message', (value: unknown) => {
    const order = readOrder(value);
    switch (order?.act) {
      case 'ping':
        say({ act: 'pong', seq: order.seq, rss: process.memoryUsage.rss(), requests: drain.requests, inspected: isInspected() });
        return;
      case 'serve':
        trial.end();
        return;
      case 'noted':
        asking.noted();
        return;
      case 'leave':
        drain.leave(order);
        timers.setTimeout(() => process.exit(1), order.delayMs + order.timeoutMs + LONGER).unref();
        return;
      case undefined:
        return;
      default:
        return order satisfies never;
    }
  });

  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    let aloneSince = Infinity;
    const dieOfIt = (): void => {
      process.removeListener(signal, on);
      if (process.listenerCount(signal) > 0) process.exit(1); // Its listener came later: it would not die.
      process.kill(process.pid, signal);
    };
    const alone = (): void => {
      aloneSince = performance.now();
      drain.on((phase) => phase === 'drained' && dieOfIt());
      timers.setTimeout(dieOfIt, leaveMs);
      drain.leave({ delayMs: 0, graceMs: Math.min(graceMs, leaveMs / 2), endMs: leaveMs });
    };
    const on = (): void => {
      if (process.listenerCount(signal) > 1) return; // The app's own business.
      if (!process.connected || performance.now() - aloneSince > SAME_MS) return dieOfIt();
      // If the primary got it too, it says what follows.
      timers.setTimeout(() => {
        if (drain.phase === 'serving' && aloneSince === Infinity && !asking.ask(signal, alone)) dieOfIt();
      }, PRIMARY_FIRST);
    };
    process.on(signal, on);
  }
}

/** Takes `--require <this file>` away, so that neither the app nor its threads and children see it. */
function removeFromFlags(): void {
  const at = process.execArgv.indexOf(__filename);
  if (at > 0) process.execArgv.splice(at - 1, 2);
}

if (isMainThread && supervised() === undefined) {
  const seat = require('node:cluster') as Seat;
  const setup = readSetup(process.env[SETUP]);
  if (seat.isWorker && process.connected && setup !== null && process.execArgv.includes(__filename)) {
    ignoreCommands();
    removeFromFlags();
    delete process.env[SETUP];
    install(seat, setup);
  }
}
