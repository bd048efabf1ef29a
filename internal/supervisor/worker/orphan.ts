/**
 * What a supervised worker does when its primary is killed: it accepts no more, finishes the requests in progress, and
 * ends. An idle connection is closed. Without open connections it ends at once, as a worker of a bare cluster does.
 *
 *   connected ── the channel ends, and connections are open ──► finishing ── none is left, or leaveMs later ──► exit 0
 *
 * Used by  agent.ts
 * Uses     drain.ts
 * Keeps    a connection that was offered to the primary is closed by then (child/returns.ts): another process may have it
 * Node     ends such a worker in the turn in which it learns of it, unless `exitedAfterDisconnect` is true. So that is set here,
 *          and the app sees it: nobody is left for whom it makes a difference
 */
import { EventEmitter } from 'node:events';
import { timers } from '../../builtins';
import type { Drain } from './drain';

/** `worker`: `cluster.worker`. `leaveMs`: the longest time that the requests in progress may take, in milliseconds. */
export function outliveThePrimary(worker: object | undefined, drain: Drain, leaveMs: number): void {
  if (!(worker instanceof EventEmitter)) return;
  const own: EventEmitter & { exitedAfterDisconnect?: boolean } = worker;
  const end = (): never => process.exit(0);
  own.prependListener('disconnect', () => {
    if (own.exitedAfterDisconnect === true || drain.left === 0) return;
    own.exitedAfterDisconnect = true;
    drain.on((phase) => { if (phase === 'drained') end(); });
    timers.setTimeout(end, leaveMs);
    drain.leave({ delayMs: 0, graceMs: 0, endMs: leaveMs });
  });
}
