/**
 * How a child learns of the channel that it inherited: one environment variable, and the flag that
 * loads our preload. Written by spawn.ts, taken away by startup/preload.ts before the app or a
 * grandchild can see them.
 *
 * The flag stands on the command line: a Node binary with file capabilities ignores NODE_OPTIONS. Where
 * there are NODE_OPTIONS it stands at their head, too: what they preload runs before what the command
 * line preloads, and may use `process.send` like any other code. Node loads a file once.
 *
 * Node     NODE_CHANNEL_FD and NODE_CHANNEL_SERIALIZATION_MODE, which wake Node's own channel
 */
import { JSON, Number } from '../builtins';
import { isSingleExecutable, type Spawned } from '../native/spawning';
import type { Serialization } from './codec';

/** Which fd the channel is, and how its messages are framed. */
export interface InheritedChannel {
  readonly fd: number;
  readonly serialization: Serialization;
}

const VARIABLE = 'CLUSTER_INTERNALS_CHANNEL';
const OPTIONS = 'NODE_OPTIONS=';

/** The arguments and the environment of a child that runs `preload` first and finds the channel there. */
export function announce({ args, envPairs }: Spawned, { fd, serialization }: InheritedChannel, preload: string): Spawned {
  const [program = '', ...rest] = args;
  return {
    args: [program, '--require', preload, ...rest],
    envPairs: [
      ...envPairs.filter((pair) => !pair.startsWith(`${VARIABLE}=`))
        .map((pair) => (pair.startsWith(OPTIONS) && pair !== OPTIONS ? OPTIONS + inNodeOptions(preload) + pair.slice(OPTIONS.length) : pair)),
      `${VARIABLE}=${fd},${serialization}`,
    ],
  };
}

/** The same for a child that has Node's own channel. */
export function announceToNode({ args, envPairs }: Spawned, { fd, serialization }: InheritedChannel): Spawned {
  return { args, envPairs: [...envPairs, `NODE_CHANNEL_FD=${fd}`, `NODE_CHANNEL_SERIALIZATION_MODE=${serialization}`] };
}

/**
 * Flags under which a child loads no preload of ours, or may not open the channel: the permission model
 * and a policy deny it, a snapshot starts without preloads, and a configuration file may say any of these.
 */
const UNREACHED = /^--(?:(?:experimental-)?permission|experimental-policy|policy-integrity|snapshot-blob|build-snapshot|experimental-(?:default-)?config-file)\b/;

/** Does a preload reach a child of this Node that is started so? One that it does not reach gets Node's own channel (D44). */
export function preloadReaches({ args, envPairs }: Spawned): boolean {
  const options = envPairs.find((pair) => pair.startsWith(OPTIONS))?.slice(OPTIONS.length).split(/[\s"]+/) ?? [];
  // Node reads `_` in the name of a flag as `-`. An argument of the app's that looks like such a flag is taken for one.
  // Node converts an argument that is no string, once; we leave it as it is.
  return !isSingleExecutable() && ![...args, ...options].some((flag: unknown) => typeof flag === 'string' && UNREACHED.test(flag.replaceAll('_', '-')));
}

/** Takes the flags away again, wherever they stand. */
export function removePreload(env: NodeJS.ProcessEnv, execArgv: string[], preload: string): void {
  // A worker thread of the app inherits execArgv, and runs this without a channel of its own.
  const at = execArgv.indexOf(preload);
  if (at > 0) execArgv.splice(at - 1, 2);
  const flag = inNodeOptions(preload);
  const options = env['NODE_OPTIONS'];
  if (options?.startsWith(flag)) env['NODE_OPTIONS'] = options.slice(flag.length);
}

/** NODE_OPTIONS quotes as JSON does. */
function inNodeOptions(preload: string): string {
  return ['--require', JSON.stringify(preload), ''].join(' ');
}

/** Was this process started with a channel of ours that nobody has opened yet? */
export const hasInheritedChannel = (env: NodeJS.ProcessEnv): boolean => env[VARIABLE] !== undefined;

/** Reads and deletes it; null in a process that was not started with a channel of ours. */
export function takeInheritedChannel(env: NodeJS.ProcessEnv): InheritedChannel | null {
  const text = env[VARIABLE];
  if (text === undefined) return null;
  delete env[VARIABLE];
  const [fd, serialization] = text.split(',');
  return { fd: Number(fd), serialization: serialization === 'advanced' ? 'advanced' : 'json' };
}
