/**
 * Starts one worker with the settings of the supervisor, and leaves the program's own settings (`cluster.settings`)
 * as they are.
 *
 * Used by  worker_starts.ts
 * Never    calls `setupPrimary`: each call emits 'setup', and its settings would stay for the program's own forks
 * Node     our cluster has `forkWith` for this, which emits no event (D55). Node's cluster forks with
 *          `cluster.settings` only, so they are replaced for the moment of the fork, and the program's object is put
 *          back afterwards. Each `cluster.fork()` of Node emits one 'setup' by itself, which cannot be avoided; it
 *          carries the settings of that fork.
 */
import type { Cluster, ClusterSettings, Worker } from 'node:cluster';

/** A member of our cluster that Node's does not have. */
interface ForksWith {
  forkWith(settings: ClusterSettings & { rebalance: Rebalance; inheritedSockets: boolean }, env: NodeJS.ProcessEnv): Worker;
}

/** The settings of a supervisor for one worker. */
export interface StartSettings {
  readonly exec: string;
  readonly cwd: string;
  readonly args: readonly string[];
  readonly execArgv: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  /** 'pipe': the supervisor reads the worker's stderr. 'inherit': the program's own settings decide. */
  readonly stderr: 'inherit' | 'pipe';
  /** Our cluster only: see `rebalance` in lib/cluster.ts. undefined: the program's own settings decide; if they say nothing, it is on. */
  readonly rebalance: Rebalance;
  /** Our cluster only: may workers get the sockets that systemd has passed? The program's own settings may say no. */
  readonly inheritedSockets: boolean;
}

/** The option `rebalance` of the supervisor. */
export type Rebalance = boolean | { readonly perSecond?: number } | undefined;

/** Returns the worker. Throws what `cluster.fork` throws. */
export function startWorker(cluster: Cluster, { exec, cwd, args, execArgv, env, stderr, rebalance, inheritedSockets }: StartSettings): Worker {
  const programs = cluster.settings;
  const settings: ClusterSettings = { exec, cwd, args: [...args], execArgv: [...execArgv] };
  if (stderr === 'pipe') settings.stdio = withPipe(programs);
  if (forksWith(cluster)) {
    const { rebalance: own = true, inheritedSockets: mayUse = true } = programs as { rebalance?: Rebalance; inheritedSockets?: boolean };
    return cluster.forkWith({ ...settings, rebalance: rebalance ?? own, inheritedSockets: inheritedSockets && mayUse }, env);
  }
  const writable: { settings: ClusterSettings } = cluster;
  writable.settings = { ...programs, ...settings };
  try {
    return cluster.fork(env);
  } finally {
    writable.settings = programs;
  }
}

const forksWith = (cluster: Cluster): cluster is Cluster & ForksWith =>
  typeof (cluster as Partial<ForksWith>).forkWith === 'function';

/** The stdio setting of the program, with a pipe for stderr. */
function withPipe({ stdio, silent }: ClusterSettings): NonNullable<ClusterSettings['stdio']> {
  const given = Array.isArray(stdio) ? stdio : Array(3).fill(typeof stdio === 'string' ? stdio : silent ? 'pipe' : 'inherit');
  const rest = given.slice(3);
  return [given[0] ?? 'inherit', given[1] ?? 'inherit', 'pipe', ...(rest.length > 0 ? rest : ['ipc'])];
}
