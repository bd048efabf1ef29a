/**
 * Starts a Node program with one pipe more, and speaks over it. This is `child_process.fork` with
 * our channel in the place of Node's.
 *
 * Node's own `fork` and `spawn` do what they always do: look at the arguments, complete them, publish,
 * and throw. All of them start the child in one method, and there, after everything was checked and
 * before anything is started, the channel is exchanged. So no argument has to be checked here, none
 * is read twice, and nothing is started that was not asked for.
 *
 * Owns     the parent's end of the pipe until the channel has it
 * Used by  startup/role.ts for lib/child_process.ts and lib/register_fork.ts, master/index.ts
 * Never    uses Node's own IPC: no stdio 'ipc', no NODE_CHANNEL_FD, unless the child is a stock one;
 *          starts a process beside the one that was asked for; keeps an object of the caller's
 * Wire     pipelined: `--require preload.js` and CLUSTER_INTERNALS_CHANNEL=<fd>,<serialization> in the
 *          child's environment; the preload takes both away before the app runs (bootstrap_env.ts)
 *          node:      NODE_CHANNEL_FD and NODE_CHANNEL_SERIALIZATION_MODE, as Node sets them
 * Node     https://nodejs.org/api/child_process.html#child_processforkmodulepath-args-options
 */
import childProcess, { type ChildProcess, type ForkOptions } from 'node:child_process';
import { Array, NativeObject } from '../builtins';
import { builtFile } from '../dist_files';
import { NO_LIMITS, limitsFrom, type ChannelLimits } from '../limits';
import { canOpenChannels } from '../native/bindings';
import { newPipe } from '../native/pipes';
import { delayClose, interceptSpawn, startWithPipe, type PreparedSpawn } from '../native/spawning';
import type { Dialect } from './channel_types';
import { announce, announceToNode, preloadReaches } from './bootstrap_env';
import { forkOnNodesChannel } from './node_channel';
import { mayPreload } from './other_user';
import { equip } from './attach_channel';
import { isThisNode } from './same_node';

/** Node's options, each of which may be undefined as in Node, and three of our own. */
export type ChannelForkOptions = { [Name in keyof ForkOptions]: ForkOptions[Name] | undefined } & {
  /** What the child speaks: 'node' for a child that runs without our preload. */
  dialect?: Dialect | undefined;
  windowsHide?: boolean | undefined;
  /** What this side bears of the child; no limits by default (limits.ts). */
  limits?: Partial<ChannelLimits> | undefined;
  /** How the parent's end is named in the trace. */
  name?: string | undefined;
};

/** What a child runs first. */
const preloadPath = builtFile('internal/startup/entry.bundle.js');

/** What a caller asks of the channel, on its way through Node's `fork`: options are copied there, and known by this. */
const asked = Symbol('cluster-internals.channel');

interface Asked {
  readonly dialect?: Dialect | undefined;
  readonly name: string;
  readonly limits: ChannelLimits;
}

/** Node's own, also when somebody has put another in its place since. */
const { fork: nodeFork } = childProcess as { fork(...args: unknown[]): ChildProcess };

/**
 * Starts `modulePath` in a new Node process that is connected with this one.
 * Arguments, defaults and errors are those of `child_process.fork`. The caller owns the child.
 */
export function fork(modulePath: string | URL, args?: readonly string[] | ChannelForkOptions | null, options?: ChannelForkOptions): ChildProcess {
  if (!canOpenChannels) return forkOnNodesChannel(modulePath, args, options);
  const end = interceptSpawn(exchangeIfAsked);
  try {
    // Arguments that are no arguments get Node's error.
    if (isObject(args)) return nodeFork(modulePath, ask(args));
    if (options !== undefined && options !== null && !isObject(options)) return nodeFork(modulePath, args, options);
    return nodeFork(modulePath, args, ask(options));
  } finally {
    end();
  }
}

/** From now on every child of this process that gets an 'ipc' gets our channel, in whatever way it is started. */
export function exchangeAll(): void {
  if (exchangesAll || !canOpenChannels) return;
  exchangesAll = true;
  interceptSpawn((child, options, start) => {
    // What Node's own cluster starts speaks with Node's own cluster.
    const ofCluster = options.envPairs?.some((pair) => pair.startsWith('NODE_UNIQUE_ID='));
    return ofCluster ? exchangeIfAsked(child, options, start) : exchange(child, options, start, { name: 'P', limits: NO_LIMITS });
  });
}

/** Has `exchangeAll` been called? */
let exchangesAll = false;

const isObject = (value: unknown): value is ChannelForkOptions => typeof value === 'object' && value !== null && !Array.isArray(value);

/** Node's options with ours. A copy as Node makes it, own properties only. */
function ask(options: ChannelForkOptions | null | undefined): object {
  const given: ChannelForkOptions = { __proto__: null, ...options } as ChannelForkOptions;
  const { name = 'P', dialect } = given;
  return NativeObject.assign(given, { [asked]: { name, dialect, limits: limitsFrom(given.limits, NO_LIMITS) } satisfies Asked });
}

type Prepared = PreparedSpawn & { [asked]?: Asked };

function exchangeIfAsked(child: ChildProcess, options: Prepared, start: () => number): number {
  const own = NativeObject.hasOwn(options, asked) ? options[asked] : undefined;
  // A getter of the app's may have started another child meanwhile.
  if (own === undefined) return start();
  delete options[asked];
  return exchange(child, options, start, own);
}

/** Starts a child on our channel, if it gets one at all. */
function exchange(child: ChildProcess, options: Prepared, start: () => number, own: Asked): number {
  if (!Array.isArray(options.stdio)) return start();
  // Read once, as Node does.
  const stdio: unknown[] = options.stdio = options.stdio.slice();
  const entry = stdio.indexOf('ipc');
  // Two of them are Node's to refuse.
  if (entry === -1 || stdio.includes('ipc', entry + 1)) return start();
  stdio[entry] = 'ignore';
  // Node skips what a sparse array has not.
  const fd = stdio.slice(0, entry).filter(() => true).length;

  const { serialization = 'json' } = options;
  const given = { args: options.args ?? [], envPairs: options.envPairs ?? [] };
  // Another program than this Node may be no Node at all: it gets what Node's documentation promises it.
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
  equip(child, pipe, { serialization, dialect, name: own.name, limits: own.limits }, 'parent', delayClose(child));
  return errno;
}
