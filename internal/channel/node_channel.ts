/**
 * Children on Node's own channel, for a process in which Node's permission model denies access to native modules: there no
 * channel of ours can be opened. The cluster then uses what every program may use, Node's `fork` and `send`, in Node's
 * dialect, with one hand-off at a time. Its workers are started without our preload.
 *
 * Owns     nothing; the channel and the child are Node's
 * Used by  spawn.ts (in place of a channel of ours), master/index.ts
 * Never    is used where our own channel can be opened
 * Node     D27 lists what a program misses of ours
 */
import childProcess, { type ChildProcess } from 'node:child_process';
import { Array, timers } from '../builtins';
import { isReadingChannel } from '../native/spawning';

/** Node's own `fork`. It is read now, because other code may replace the property later. */
const { fork } = childProcess as { fork(...args: unknown[]): ChildProcess };

/** The children whose channel this side has closed. */
const closedHere = new WeakSet<object>();
/** The warning was emitted. */
let warned = false;

/** Node's `fork`: arguments, defaults and errors are Node's. Our own options are left out. */
export function forkOnNodesChannel(modulePath: unknown, args: unknown, options: unknown): ChildProcess {
  warn();
  const child = Array.isArray(args) || args === null || args === undefined
    ? fork(modulePath, args, withoutOwnOptions(options)) : fork(modulePath, withoutOwnOptions(args), options);
  let emitted = false;
  child.once('disconnect', () => {
    emitted = true;
  });
  const emitIfMissing = (): void => void timers.setImmediate(() => {
    if (!emitted && !child.connected) child.emit('disconnect');
  });
  // If a child dies while a handle is in flight to it, Node never emits 'disconnect': it waits for an acknowledgement that
  // will not come. Here 'disconnect' is always emitted (D4). Both events are needed: at 'exit' the channel may still have
  // bytes to read, and then it ends before 'close'.
  child.once('exit', emitIfMissing).once('close', emitIfMissing);

  const disconnect = child.disconnect;
  child.disconnect = function (this: ChildProcess): void {
    // Node itself calls this method, too, when it reads that the child has closed its end. If this side has closed the
    // channel before, Node's own method would then emit an 'error'.
    const closedByChild = isReadingChannel(this);
    if (closedByChild && !this.connected) return emitIfMissing();
    if (!closedByChild) closedHere.add(this);
    disconnect.call(this);
  };
  return child;
}

/** Has this side closed Node's channel to that process? */
export const hasClosed = (target: object): boolean => closedHere.has(target);

function withoutOwnOptions(options: unknown): unknown {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) return options;
  const { dialect: _dialect, limits: _limits, name: _name, ...nodes } = options as Record<string, unknown>;
  return nodes;
}

function warn(): void {
  if (warned) return;
  warned = true;
  process.emitWarning("cluster-internals: the permission model denies this process a channel of its own, so its children are connected by Node's", {
    type: 'ClusterWarning',
    code: 'CLUSTER_INTERNALS_NODES_CHANNEL',
    detail: 'Not available: several connections on their way to a worker at a time, limits.messageBytes and limits.unreadBytes, '
      + "the event 'drain' of a channel, and what a scheduling rule learns of open connections.",
  });
}
