/**
 * How a child learns of the channel that it inherited: one environment variable, and the flag that
 * loads our preload. Written by spawn.ts, taken away by child/preload.ts before the app or a
 * grandchild can see them.
 *
 * A preload in NODE_OPTIONS runs before one on the command line, and may use `process.send` like any
 * other code. So where there are NODE_OPTIONS, ours stands at their head.
 *
 * Node     NODE_CHANNEL_FD and NODE_CHANNEL_SERIALIZATION_MODE, which would wake Node's own channel
 */
import type { Serialization } from './framing';

/** Which fd the channel is, and how its messages are framed. */
export interface InheritedChannel {
  readonly fd: number;
  readonly serialization: Serialization;
}

const VARIABLE = 'CLUSTER_INTERNALS_CHANNEL';

/** Writes the channel into the environment of a child. */
export function announceChannel(env: NodeJS.ProcessEnv, { fd, serialization }: InheritedChannel): void {
  env[VARIABLE] = `${fd},${serialization}`;
}

/** The flags that load `preload` in a child with this environment: on its command line, or else in its NODE_OPTIONS. */
export function announcePreload(env: NodeJS.ProcessEnv, preload: string): string[] {
  const options = env['NODE_OPTIONS'];
  if (!options) return ['--require', preload];
  env['NODE_OPTIONS'] = inNodeOptions(preload) + options;
  return [];
}

/** Takes the flags away again, wherever they stood. */
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
