/**
 * Starts one worker with settings of the supervisor's, and leaves the program's settings as they are.
 *
 * Used by  supervisor.ts
 * Never    calls setupPrimary: each call emits 'setup', and what it is given stays for good
 * Node     on our cluster `forkWith` does it, without an event (D55). Node's cluster forks with
 *          `cluster.settings` only, so they are put there for the moment of the fork, and the program's own
 *          object afterwards. What cannot be avoided there is the one 'setup' that each `cluster.fork()`
 *          emits by itself, with the settings of that fork.
 */
import type { Cluster, ClusterSettings, Worker } from 'node:cluster';

/** What our own cluster has besides Node's members. */
interface ForksWith {
  forkWith(settings: ClusterSettings, env: NodeJS.ProcessEnv): Worker;
}

/** What a supervisor sets for each worker. */
export interface Start {
  readonly exec: string;
  readonly cwd: string;
  readonly args: readonly string[];
  readonly execArgv: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  /** 'pipe': the supervisor reads it. 'inherit': as the program's own settings say. */
  readonly stderr: 'inherit' | 'pipe';
}

/** Throws what `cluster.fork` throws. */
export function startWorker(cluster: Cluster, { exec, cwd, args, execArgv, env, stderr }: Start): Worker {
  const theirs = cluster.settings;
  const settings: ClusterSettings = { exec, cwd, args: [...args], execArgv: [...execArgv] };
  if (stderr === 'pipe') settings.stdio = withPipe(theirs);
  if (forksWith(cluster)) return cluster.forkWith(settings, env);
  const writable: { settings: ClusterSettings } = cluster;
  writable.settings = { ...theirs, ...settings };
  try {
    return cluster.fork(env);
  } finally {
    writable.settings = theirs;
  }
}

const forksWith = (cluster: Cluster): cluster is Cluster & ForksWith =>
  typeof (cluster as Partial<ForksWith>).forkWith === 'function';

/** The program's stdio, but with a pipe for stderr. */
function withPipe({ stdio, silent }: ClusterSettings): NonNullable<ClusterSettings['stdio']> {
  const given = Array.isArray(stdio) ? stdio : Array(3).fill(typeof stdio === 'string' ? stdio : silent ? 'pipe' : 'inherit');
  const rest = given.slice(3);
  return [given[0] ?? 'inherit', given[1] ?? 'inherit', 'pipe', ...(rest.length > 0 ? rest : ['ipc'])];
}
