/**
 * How a child learns of the channel that it inherited: one environment variable, written by
 * spawn.ts and taken away by child/preload.ts before the app or a grandchild can see it.
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
