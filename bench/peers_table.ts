/**
 * The peers of `npm run bench -- peers`: everything that shares one port between processes and can be had here, as data.
 * All of them run servers/plain.js. To add a peer add a row: a runtime of your own is the path of its program, as in
 *
 *   { id: 'mine', title: 'my runtime', form: 'app', runtime: '/opt/mine/bin/mine', lacks: { reload: NO_RELOAD } }
 *
 * all/start.ts reads the rows. It runs `/opt/mine/bin/mine bench/servers/plain.js` then; `args` go before the file.
 *
 * Used by  all/
 */

/** What a peer needs of this machine and this Node. all/start.ts says how each is looked for. */
export type Need = 'node with reusePort' | 'bun' | 'deno' | 'nginx' | 'haproxy' | 'pm2';

export interface PeerRow {
  /** Its name in commands and in JSON. */
  readonly id: string;
  readonly title: string;
  /**
   * Who starts the workers. `app`: the program itself, by node:cluster. `processes`: nobody, the bench starts so many
   * processes without a cluster. `run`: `cluster-internals run`. `pm2`: PM2's daemon.
   */
  readonly form: 'app' | 'processes' | 'run' | 'pm2';
  /** Node is the one that runs the bench. */
  readonly runtime: 'node' | 'bun' | 'deno' | `/${string}`;
  /** Arguments of such a program, before the file. */
  readonly args?: readonly string[];
  readonly needs?: readonly Need[];
  /** Files that Node loads before the program, below the root of this project. */
  readonly preload?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** A proxy in front, which has the public port. Each process has a port of its own then. */
  readonly front?: 'nginx' | 'haproxy';
  /** The number of workers, if it is not that of the run. */
  readonly workers?: number;
  /** This peer is the other one once more: as far as the two differ, a run shows nothing. */
  readonly controlOf?: string;
  /** Measures that this peer cannot have, each with the reason. They get a dash. */
  readonly lacks?: Readonly<Partial<Record<MeasureId, string>>>;
}

/** The measures, in the order in which they are made and reported. */
export const MEASURES = {
  fresh: 'new connections, closed load: rate, CPU of each process, fairness',
  limit: 'the primary gets a part of a CPU: is it full where the formula says?',
  kept: 'keep-alive requests, by wrk',
  open: 'new connections at half of stock\'s capacity: latency from the intended start, fairness in each second',
  held: 'fairness of connections that stay open',
  memory: 'memory of a worker, shared pages divided (PSS)',
  handoff: 'from accept to the worker\'s acknowledgement, as a distribution',
  blocked: '1 of 4 workers blocked for 2 s: connections that wait > 100 ms',
  killed: 'kill -9 of a worker every 100 ms: hung, reset, served twice',
  reload: 'a reload under load: requests that fail, connections that are closed',
} as const;
export type MeasureId = keyof typeof MEASURES;

const OURS = 'dist/lib/register.js';
const OURS_FORK = 'dist/lib/register_fork.js';

const NO_COUNTERS = 'it counts no hand-offs';
const NO_HANDOFF = 'no hand-off: the kernel gives connections to the workers';
const NO_RELOAD = 'node:cluster has no reload';
const NO_REFORK = 'nothing replaces a process that died';
const NO_CLUSTER = { handoff: 'no hand-off: no cluster', killed: NO_REFORK, reload: 'nothing replaces processes' } as const;

export const peerRows: readonly PeerRow[] = [
  { id: 'stock-rr', title: 'stock RR', form: 'app', runtime: 'node', lacks: { handoff: NO_COUNTERS, reload: NO_RELOAD } },
  { id: 'control', title: 'stock RR, once more', form: 'app', runtime: 'node', controlOf: 'stock-rr', lacks: { handoff: NO_COUNTERS, reload: NO_RELOAD } },
  { id: 'stock-none', title: 'stock NONE', form: 'app', runtime: 'node', env: { NODE_CLUSTER_SCHED_POLICY: 'none' }, lacks: { handoff: NO_HANDOFF, reload: NO_RELOAD } },
  { id: 'ours-rr', title: 'ours RR', form: 'app', runtime: 'node', preload: [OURS], lacks: { reload: 'without the supervisor there is no reload' } },
  { id: 'ours-moving', title: 'ours, supervised, connections move', form: 'run', runtime: 'node' },
  {
    id: 'ours-shared', title: 'ours shared', form: 'app', runtime: 'node', preload: [OURS, 'bench/servers/setup_shared.js'],
    lacks: { handoff: NO_HANDOFF, reload: 'without the supervisor there is no reload' },
  },
  { id: 'reuse-port', title: 'reusePort', form: 'processes', runtime: 'node', env: { REUSE_PORT: '1' }, needs: ['node with reusePort'], lacks: NO_CLUSTER },
  { id: 'bun', title: 'Bun cluster', form: 'app', runtime: 'bun', needs: ['bun'], lacks: { handoff: NO_COUNTERS, reload: NO_RELOAD } },
  {
    id: 'bun-one', title: 'Bun, one process', form: 'processes', runtime: 'bun', needs: ['bun'], workers: 1,
    lacks: { ...NO_CLUSTER, held: 'it is one process', blocked: 'it is one process' },
  },
  { id: 'deno', title: 'Deno cluster', form: 'app', runtime: 'deno', needs: ['deno'], lacks: { handoff: NO_COUNTERS, reload: NO_RELOAD } },
  { id: 'nginx', title: 'ports behind nginx', form: 'processes', runtime: 'node', front: 'nginx', needs: ['nginx'], lacks: NO_CLUSTER },
  { id: 'haproxy', title: 'ports behind HAProxy', form: 'processes', runtime: 'node', front: 'haproxy', needs: ['haproxy'], lacks: NO_CLUSTER },
  { id: 'pm2-stock', title: 'PM2 on stock', form: 'pm2', runtime: 'node', needs: ['pm2'], lacks: { handoff: NO_COUNTERS } },
  {
    id: 'pm2-ours', title: 'PM2 on ours', form: 'pm2', runtime: 'node', needs: ['pm2'], preload: [OURS, OURS_FORK],
    lacks: { handoff: 'the counters are in PM2\'s daemon, which prints nothing' },
  },
];
