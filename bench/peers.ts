/**
 * Starts what is measured: our cluster, stock Node's under both policies, and the other ways to serve one port
 * with several processes. All of them run the app of servers/serve.js.
 *
 * Used by  bench/rows/
 */
import type { Bench } from './bench';
import { nginxPeer } from './nginx';
import type { Kind, Peer } from './peer';
import type { Program } from './program';

/** Options of servers/cluster.js. */
export interface ClusterOptions {
  readonly implementation: 'ours' | 'stock';
  readonly policy?: 'rr' | 'none';
  readonly workers?: number;
  readonly kind?: Kind;
  readonly scheduling?: string;
}

export async function clusterPeer(bench: Bench, options: ClusterOptions): Promise<Peer & { readonly program: Program }> {
  const { implementation, policy = 'rr' } = options;
  const name = `${implementation} ${policy === 'rr' ? 'RR' : 'NONE'}`;
  const program = await bench.start(name, 'servers/cluster.js', options);
  return { ...peerOf(bench, name, program), program };
}

function peerOf(bench: Bench, name: string, program: Program): Peer {
  const { port, pids } = program.facts;
  return { name, port, pids, served: () => program.ask('served'), stop: () => bench.stop(program) };
}

/** The least that any cluster costs: one process accepts and others serve, without cluster code (servers/floor.js). */
async function floorPeer(bench: Bench, kind: Kind): Promise<Peer> {
  return peerOf(bench, 'bare fd passing (floor)', await bench.start('bare fd passing', 'servers/floor.js', { kind }));
}

/** Starts a peer. A text says why it cannot be measured on this machine or this Node. */
type Starter = (bench: Bench, kind: Kind) => Promise<Peer | string>;

/** The peers that are no cluster, by their names in the report. */
export const otherPeers: Readonly<Record<string, Starter>> = {
  'reusePort': async (bench, kind) => {
    if (!hasReusePort()) return `n/a on Node ${process.versions.node}: needs 22.12`;
    return peerOf(bench, 'reusePort', await bench.start('reusePort', 'servers/processes.js', { how: 'reusePort', kind }));
  },
  'server sent to children': async (bench, kind) => (
    peerOf(bench, 'server sent to children', await bench.start('server sent to children', 'servers/processes.js', { how: 'shared', kind }))
  ),
  'bare fd passing (floor)': floorPeer,
  'nginx proxy': async (bench, kind) => (kind === 'http' ? nginxPeer(bench) : 'proxies HTTP only'),
};

function hasReusePort(): boolean {
  const [major, minor] = process.versions.node.split('.').map(Number) as [number, number];
  return major > 23 || (major === 23 && minor >= 1) || (major === 22 && minor >= 12);
}
