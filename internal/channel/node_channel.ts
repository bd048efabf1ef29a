/**
 * Children on Node's own channel: where the permission model denies `process.binding`, no channel of
 * ours can be opened, and the cluster stands on what every program may use: Node's `fork` and `send`.
 * It speaks Node's dialect then, one hand-off at a time, and its workers are started without our preload.
 *
 * Owns     nothing; the channel and the child are Node's
 * Used by  spawn.ts (instead of a channel of ours), master/index.ts and calls.ts (what differs)
 * Never    is used where our channel can be opened
 * Node     the same there; D27 says what a program misses of ours
 */
import childProcess, { type ChildProcess } from 'node:child_process';
import { Array, timers } from '../builtins';
import { isReadingChannel } from '../native/spawning';

/** Node's own, also when somebody has put another in its place since. */
const { fork } = childProcess as { fork(...args: unknown[]): ChildProcess };

/** Channels of Node's that this side has closed. */
const closedHere = new WeakSet<object>();
let warned = false;

/** Node's fork; arguments, defaults and errors are Node's. What of ours the options name is left out. */
export function forkOnNodesChannel(modulePath: unknown, args: unknown, options: unknown): ChildProcess {
  warn();
  const child = Array.isArray(args) || args === null || args === undefined
    ? fork(modulePath, args, withoutOurs(options)) : fork(modulePath, withoutOurs(args), options);
  let told = false;
  child.once('disconnect', () => {
    told = true;
  });
  const tell = (): void => void timers.setImmediate(() => {
    if (!told && !child.connected) child.emit('disconnect');
  });
  // Node never emits 'disconnect' for a child that has died with a handle on its way to it: the end of a
  // channel waits there for an acknowledgement that nobody will send. Here it is always told (D4). At
  // 'exit' the channel may still have something to read; at 'close' it has ended.
  child.once('exit', tell).once('close', tell);

  const disconnect = child.disconnect;
  child.disconnect = function (this: ChildProcess): void {
    // Node calls it as well, when it reads that the child has ended its side. Where this side has ended it
    // before, that is an 'error' in Node.
    const ended = isReadingChannel(this);
    if (ended && !this.connected) return tell();
    if (!ended) closedHere.add(this);
    disconnect.call(this);
  };
  return child;
}

/** Has this side ended Node's channel with that process? */
export const hasClosed = (target: object): boolean => closedHere.has(target);

function withoutOurs(options: unknown): unknown {
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
