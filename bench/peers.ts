/**
 * Starts what is measured: our cluster, stock Node's under both policies, and the other ways to serve one port
 * with several processes. All of them run the app of servers/serve.js.
 *
 * Used by  bench/rows/, bench/sharing.ts, bench/all/start.ts
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
  readonly kind?: Kind | 'mixed';
  readonly scheduling?: string;
}

/** A peer that is a program of ours: it takes commands. */
export type ProgramPeer = Peer & { readonly program: Program };

export async function clusterPeer(bench: Bench, options: ClusterOptions): Promise<ProgramPeer> {
  const { implementation, policy = 'rr' } = options;
  const name = `${implementation} ${policy === 'rr' ? 'RR' : 'NONE'}`;
  return peerOf(bench, name, await bench.start(name, 'servers/cluster.js', options));
}

function peerOf(bench: Bench, name: string, program: Program): ProgramPeer {
  const { port, pids } = program.facts;
  return { name, port, pids, program, served: () => program.ask('served'), stop: () => bench.stop(program) };
}

/** The least that any cluster costs: one process accepts and others serve, without cluster code (servers/floor.js). */
async function floorPeer(bench: Bench, kind: Kind): Promise<Peer> {
  return peerOf(bench, 'bare fd passing (floor)', await bench.start('bare fd passing', 'servers/floor.js', { kind }));
}

/** Starts a peer. A text says why it cannot be measured on this machine or this Node. */
type Starter = (bench: Bench, kind: Kind) => Promise<Peer | string>;

/** The peers that are no cluster, by their names in the report. */
export const otherPeers: Readonly<Record<string, Starter>> = {
  'reusePort': async (bench, kind) => (await reusePortPeer(bench, kind)) ?? `n/a on Node ${process.versions.node}: needs 22.12`,
  'server sent to children': async (bench, kind) => (
    peerOf(bench, 'server sent to children', await bench.start('server sent to children', 'servers/processes.js', { how: 'shared', kind }))
  ),
  'bare fd passing (floor)': floorPeer,
  'nginx proxy': async (bench, kind) => (kind === 'http' ? nginxPeer(bench) : 'proxies HTTP only'),
};

/** Processes that listen on one port with `reusePort`; null where this Node does not have it. */
export async function reusePortPeer(bench: Bench, kind: Kind | 'mixed', workers = 2): Promise<ProgramPeer | null> {
  if (!hasReusePort()) return null;
  return peerOf(bench, 'reusePort', await bench.start('reusePort', 'servers/processes.js', { how: 'reusePort', kind, workers }));
}

/** Does this Node know `listen({ reusePort })`? */
export function hasReusePort(): boolean {
  const [major, minor] = process.versions.node.split('.').map(Number) as [number, number];
  return major > 23 || (major === 23 && minor >= 1) || (major === 22 && minor >= 12);
}
