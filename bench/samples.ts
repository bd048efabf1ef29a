/**
 * A sample: one peer is loaded for one window, and its connections and their cost are counted.
 *
 * Used by  bench/rows/
 */
import type { Bench } from './bench';
import type { Window } from './load/modes';
import type { Kind, Peer } from './peer';
import { cpuOf } from './processes';
import { jain } from './statistics';

/** The connections of a window, and what they cost. */
export interface Cost extends Window {
  /** Connections per second. */
  readonly rate: number;
  /** Microseconds of CPU time per connection: of all server processes, of the first one, and of the others. */
  readonly cpu: number;
  readonly primary: number;
  readonly workers: number;
}

/** A cost, and how evenly the workers shared the connections. */
export interface Sample extends Cost {
  /** Jain's index over what each worker served in this window. */
  readonly fairness: number;
}

/** What an HTTP client sends. */
export const REQUEST = 'GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n';

/** Loads a peer with CLIENTS clients for `seconds`. */
export async function closedSample(bench: Bench, peer: Peer, kind: Kind, seconds: number, sources?: number): Promise<Sample> {
  return sampled(peer, () => bench.closed({ port: peer.port, seconds, request: requestOf(kind), sources }));
}

/** The same without fairness, for short windows. To ask the workers what they served would wake each of them. */
export async function closedCost(bench: Bench, peer: Peer, kind: Kind, seconds: number): Promise<Cost> {
  return costOf(peer, () => bench.closed({ port: peer.port, seconds, request: requestOf(kind) }));
}

/** Connections at a fixed rate. */
export async function openSample(bench: Bench, peer: Peer, rate: number, seconds: number): Promise<Sample> {
  return sampled(peer, () => bench.open({ port: peer.port, seconds, rate }));
}

function requestOf(kind: Kind): string | undefined {
  return kind === 'http' ? REQUEST : undefined;
}

async function sampled(peer: Peer, load: () => Promise<Window>): Promise<Sample> {
  const before = await peer.served();
  const cost = await costOf(peer, load);
  const after = await peer.served();
  return { ...cost, fairness: jain(after.map((count, at) => count - (before[at] as number))) };
}

async function costOf(peer: Peer, load: () => Promise<Window>): Promise<Cost> {
  const before = peer.pids.map(cpuOf);
  const window = await load();
  const each = peer.pids.map((pid, at) => (cpuOf(pid) - (before[at] as number)) / window.connections);
  const [primary = 0, ...workers] = each;
  const ofWorkers = workers.reduce((sum, one) => sum + one, 0);
  return { ...window, rate: window.connections / window.seconds, cpu: primary + ofWorkers, primary, workers: ofWorkers };
}

/** A cost as a line of progress. */
export function describe(sample: Cost): string {
  return `${Math.round(sample.rate)}/s, ${sample.cpu.toFixed(1)} µs (${sample.primary.toFixed(1)} + ${sample.workers.toFixed(1)}), p99 ${sample.p99.toFixed(1)} ms`;
}

/** Several windows, taken together as one. */
export type Sum = Pick<Cost, 'rate' | 'cpu' | 'primary'>;

/** Adds up many short windows. In turn, they show small differences although the machine changes from one second to the next. */
export function sum(windows: readonly Cost[]): Sum {
  const total = (of: (window: Cost) => number): number => windows.reduce((before, window) => before + of(window), 0);
  const connections = total((window) => window.connections);
  const mean = (what: 'cpu' | 'primary'): number => total((window) => window[what] * window.connections) / connections;
  return { rate: connections / total((window) => window.seconds), cpu: mean('cpu'), primary: mean('primary') };
}
