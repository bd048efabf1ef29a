/**
 * How a child learns which channel it inherits: by one environment variable, and by a flag that loads our preload. The
 * parent adds both (`announce`); the preload removes both before the app, or a process that the app starts, can see them.
 *
 * The flag is on the command line, because a Node binary with file capabilities ignores NODE_OPTIONS. If the child has
 * NODE_OPTIONS, the flag is also at their beginning: Node runs the preloads of NODE_OPTIONS before those of the command
 * line, and such code may use `process.send`, too. Node loads a file once, so the preload runs once.
 *
 * Used by  spawn.ts, startup/preload.ts, startup/role.ts
 * Node     uses NODE_CHANNEL_FD and NODE_CHANNEL_SERIALIZATION_MODE; they make its bootstrap open Node's own channel
 */
import { JSON, Number } from '../builtins';
import { isSingleExecutable, type Spawned } from '../native/spawning';
import type { Serialization } from './codec';

/** The fd of the channel, and the framing of its messages. */
export interface InheritedChannel {
  readonly fd: number;
  readonly serialization: Serialization;
}

const VARIABLE = 'CLUSTER_INTERNALS_CHANNEL';
const OPTIONS = 'NODE_OPTIONS=';

/** Adds the flag and the variable to the arguments and the environment of a child, so that it runs `preload` first. */
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

/** Adds Node's own variables, for a child that has Node's own channel. */
export function announceToNode({ args, envPairs }: Spawned, { fd, serialization }: InheritedChannel): Spawned {
  return { args, envPairs: [...envPairs, `NODE_CHANNEL_FD=${fd}`, `NODE_CHANNEL_SERIALIZATION_MODE=${serialization}`] };
}

/**
 * Flags under which a child cannot use our preload. The permission model and a policy forbid it to open the channel, a
 * snapshot starts without preloads, and a configuration file may contain any of these flags.
 */
const UNREACHED = /^--(?:(?:experimental-)?permission|experimental-policy|policy-integrity|snapshot-blob|build-snapshot|experimental-(?:default-)?config-file)\b/;

/** Will a child of this Node, started with these arguments, run our preload? If not, it gets Node's own channel (D44). */
export function preloadReaches({ args, envPairs }: Spawned): boolean {
  const options = envPairs.find((pair) => pair.startsWith(OPTIONS))?.slice(OPTIONS.length).split(/[\s"]+/) ?? [];
  // In the name of a flag Node reads `_` as `-`. An argument for the app that looks like such a flag counts as one, too.
  // An argument that is no string is ignored: Node converts it, once, and here it must not be converted a second time.
  return !isSingleExecutable() && ![...args, ...options].some((flag: unknown) => typeof flag === 'string' && UNREACHED.test(flag.replaceAll('_', '-')));
}

/** Removes the flag from `execArgv` and from NODE_OPTIONS. */
export function removePreload(env: NodeJS.ProcessEnv, execArgv: string[], preload: string): void {
  // A worker thread inherits execArgv and runs the preload, too. It has no channel, and the flag must go there as well.
  const at = execArgv.indexOf(preload);
  if (at > 0) execArgv.splice(at - 1, 2);
  const flag = inNodeOptions(preload);
  const options = env['NODE_OPTIONS'];
  if (options?.startsWith(flag)) env['NODE_OPTIONS'] = options.slice(flag.length);
}

/** The flag as text for NODE_OPTIONS, which quotes a path as JSON does. */
function inNodeOptions(preload: string): string {
  return ['--require', JSON.stringify(preload), ''].join(' ');
}

/** Did this process inherit a channel of ours that is not open yet? */
export const hasInheritedChannel = (env: NodeJS.ProcessEnv): boolean => env[VARIABLE] !== undefined;

/** Reads the variable and deletes it. Null if this process inherited no channel of ours, or has opened it. */
export function takeInheritedChannel(env: NodeJS.ProcessEnv): InheritedChannel | null {
  const text = env[VARIABLE];
  if (text === undefined) return null;
  delete env[VARIABLE];
  const [fd, serialization] = text.split(',');
  return { fd: Number(fd), serialization: serialization === 'advanced' ? 'advanced' : 'json' };
}
