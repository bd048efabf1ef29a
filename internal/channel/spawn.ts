/**
 * Starts a Node program with one more pipe, and a channel over that pipe: `child_process.fork` with our channel in place
 * of Node's.
 *
 * Node's own `fork` and `spawn` still do all their work: check and complete the arguments, publish events, throw errors.
 * All of them start the child by one method of ChildProcess (native/spawning.ts). There, after every check and before
 * the start, `exchange` replaces the channel. So this file checks no argument, reads none twice, and starts nothing that
 * was not asked for.
 *
 * Owns     the parent's end of the pipe, until the channel gets it
 * Used by  startup/role.ts (for the public `fork` and register_fork), master/index.ts, master/settings.ts
 * Never    uses Node's own IPC (stdio 'ipc', NODE_CHANNEL_FD), unless the child is a stock one. Never starts another
 *          process than the one asked for. Never keeps an object of the caller
 * Wire     pipelined: `--require entry.bundle.js`, and CLUSTER_INTERNALS_CHANNEL=<fd>,<serialization> in the child's
 *          environment. The preload removes both before the app runs (bootstrap_env.ts)
 *          node:      NODE_CHANNEL_FD and NODE_CHANNEL_SERIALIZATION_MODE, as Node sets them
 * Node     https://nodejs.org/api/child_process.html#child_processforkmodulepath-args-options
 */
import childProcess, { type ChildProcess, type ForkOptions } from 'node:child_process';
import { Array, NativeObject } from '../builtins';
import { builtFile } from '../dist_files';
import { isObject } from '../is_object';
import { NO_LIMITS, limitsFrom, type ChannelLimits } from '../limits';
import { canOpenChannels } from '../native/bindings';
import { newPipe } from '../native/pipes';
import { delayClose, interceptSpawn, startWithPipe, type PreparedSpawn } from '../native/spawning';
import type { Dialect } from './channel_types';
import { announce, announceToNode, preloadReaches } from './bootstrap_env';
import { forkOnNodesChannel } from './node_channel';
import { mayPreload } from './other_user';
import { attachChannel } from './attach_channel';
import { isThisNode } from './same_node';

/** Node's options, each of which may be undefined as in Node, and three of ours: `dialect`, `limits`, `name`. */
export type ChannelForkOptions = { [Name in keyof ForkOptions]: ForkOptions[Name] | undefined } & {
  /** The dialect of the channel; 'node' starts the child without our preload. By default the child decides (`exchange`). */
  dialect?: Dialect | undefined;
  windowsHide?: boolean | undefined;
  /** Limits for what the child may do to the channel; no limits by default (limits.ts). */
  limits?: Partial<ChannelLimits> | undefined;
  /** The name of the parent's end in the trace. */
  name?: string | undefined;
};

/** The first file that a child runs, by `--require`. */
const preloadPath = builtFile('internal/startup/entry.bundle.js');

/** Under this key our own options travel through Node's `fork`, which copies the options object. */
const asked = Symbol('cluster-internals.channel');

interface OwnOptions {
  readonly dialect?: Dialect | undefined;
  readonly name: string;
  readonly limits: ChannelLimits;
}

/** Node's own `fork`. It is read now, because other code may replace the property later. */
const { fork: nodeFork } = childProcess as { fork(...args: unknown[]): ChildProcess };

/**
 * Starts `modulePath` in a new Node process that is connected with this one.
 * Arguments, defaults and errors are those of `child_process.fork`. The caller owns the child.
 */
export function fork(modulePath: string | URL, args?: readonly string[] | ChannelForkOptions | null, options?: ChannelForkOptions): ChildProcess {
  if (!canOpenChannels) return forkOnNodesChannel(modulePath, args, options);
  const end = interceptSpawn(exchangeIfAsked);
  try {
    // Node throws its own error for `args` or `options` of a wrong type.
    if (isObject(args)) return nodeFork(modulePath, withOwnOptions(args));
    if (options !== undefined && options !== null && !isObject(options)) return nodeFork(modulePath, args, options);
    return nodeFork(modulePath, args, withOwnOptions(options));
  } finally {
    end();
  }
}

/** From now on each child of this process with 'ipc' in its stdio gets our channel, whichever function starts it. */
export function exchangeAll(): void {
  if (exchangesAll || !canOpenChannels) return;
  exchangesAll = true;
  interceptSpawn((child, options, start) => {
    // A worker that Node's own cluster starts needs Node's channel.
    const ofCluster = options.envPairs?.some((pair) => pair.startsWith('NODE_UNIQUE_ID='));
    return ofCluster ? exchangeIfAsked(child, options, start) : exchange(child, options, start, { name: 'P', limits: NO_LIMITS });
  });
}

/** `exchangeAll` was called. */
let exchangesAll = false;

/** A copy of the options, in which ours are under `asked`. Like Node's own copy it has own properties only. */
function withOwnOptions(options: ChannelForkOptions | null | undefined): object {
  const given: ChannelForkOptions = { __proto__: null, ...options } as ChannelForkOptions;
  const { name = 'P', dialect } = given;
  return NativeObject.assign(given, { [asked]: { name, dialect, limits: limitsFrom(given.limits, NO_LIMITS) } satisfies OwnOptions });
}

type Prepared = PreparedSpawn & { [asked]?: OwnOptions };

function exchangeIfAsked(child: ChildProcess, options: Prepared, start: () => number): number {
  const own = NativeObject.hasOwn(options, asked) ? options[asked] : undefined;
  // This child is not ours: while Node read the options, a getter of the app started it.
  if (own === undefined) return start();
  delete options[asked];
  return exchange(child, options, start, own);
}

/** Starts a child. If its stdio has an 'ipc', it gets our channel there. */
function exchange(child: ChildProcess, options: Prepared, start: () => number, own: OwnOptions): number {
  if (!Array.isArray(options.stdio)) return start();
  // A copy, so that the caller's array is read once, as in Node.
  const stdio: unknown[] = options.stdio = options.stdio.slice();
  const entry = stdio.indexOf('ipc');
  // Node throws an error for two of them.
  if (entry === -1 || stdio.includes('ipc', entry + 1)) return start();
  stdio[entry] = 'ignore';
  // The number of the fd: Node skips the holes of a sparse array, and so does `filter`.
  const fd = stdio.slice(0, entry).filter(() => true).length;

  const { serialization = 'json' } = options;
  const given = { args: options.args ?? [], envPairs: options.envPairs ?? [] };
  // Another program than this Node cannot load our preload. It gets Node's own channel, as Node's documentation promises.
  const dialect = own.dialect ?? (isThisNode(options.file, options.cwd, given.envPairs) && preloadReaches(given)
    && mayPreload(preloadPath, options, options.cwd) ? 'pipelined' : 'node');
  const channel = { fd, serialization };
  const pipe = newPipe();
  let errno: number;
  try {
    errno = startWithPipe(child, pipe, fd,
      (spawned) => (dialect === 'node' ? announceToNode(spawned, channel) : announce(spawned, channel, preloadPath)), start);
  } catch (error) {
    pipe.close();
    throw error;
  }
  const name = own.name === 'P' ? `P to ${child.pid}` : own.name;
  attachChannel(child, pipe, { serialization, dialect, name, limits: own.limits }, 'parent', delayClose(child));
  return errno;
}
