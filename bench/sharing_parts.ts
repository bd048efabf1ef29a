/**
 * What bench/sharing.ts measures, part by part. In each part all rules run beside each other, and are loaded in turn.
 *
 * Used by  bench/sharing.ts
 * Uses     bench/samples.ts, test/soak/storm.ts
 */
import { storm, type Storm } from '../test/soak/storm';
import type { Bench } from './bench';
import type { Kind, Peer } from './peer';
import { clusterPeer, reusePortPeer, type ProgramPeer } from './peers';
import { closedCost, closedSample, type Cost } from './samples';
import { median } from './statistics';

/** Stock's own cluster under SCHED_NONE is the base of every comparison. */
export const BASE = 'SCHED_NONE';
/** The parts of the base's capacity at which connections arrive. */
export const LOADS = [0.05, 0.5, 1] as const;

/** One run of one rule under one load. */
export interface Run {
  readonly rule: string;
  readonly load: number;
  /** For each second, what each worker served in it, or how many connections it had open at its end. */
  readonly seconds: readonly (readonly number[])[];
  readonly rate: number;
  readonly p50: number;
  readonly p99: number;
  /** Connections that waited longer than 100 ms. */
  readonly slow: number;
}

export type Peers = Readonly<Record<string, ProgramPeer>>;

/** A cluster under each rule, and processes with reusePort where this Node has it. */
export async function startPeers(bench: Bench, workers: number, kind: Kind | 'mixed' = 'tcp'): Promise<Peers> {
  const peers: Record<string, ProgramPeer> = {
    [BASE]: await clusterPeer(bench, { implementation: 'stock', policy: 'none', workers, kind }),
    'round robin': await clusterPeer(bench, { implementation: 'ours', workers, kind }),
    'shared': await clusterPeer(bench, { implementation: 'ours', scheduling: 'shared', workers, kind }),
  };
  const reusePort = await reusePortPeer(bench, kind, workers);
  if (reusePort !== null) peers['reusePort'] = reusePort;
  return peers;
}

/** A second of full load for each, twice. Returns the capacity of the base. */
async function warm(bench: Bench, peers: Peers): Promise<number> {
  const rates: number[] = [];
  for (const [rule, peer] of Object.entries(peers)) {
    for (let times = 0; times < 2; times++) {
      const { rate } = await closedSample(bench, peer, 'tcp', 1);
      if (rule === BASE) rates.push(rate);
    }
  }
  return median(rates);
}

/** Full load, in turn. In shorter windows the quotas, which grow meanwhile, would bound nobody. */
export async function rates(bench: Bench, workers: number, kind: Kind, rounds: number): Promise<Record<string, Cost[]>> {
  const peers = await startPeers(bench, workers, kind);
  for (const peer of Object.values(peers)) await closedCost(bench, peer, kind, 2);
  return bench.inTurn(Object.keys(peers), (rule) => closedCost(bench, peers[rule] as Peer, kind, 1.5), rounds);
}

/** Each load of LOADS for each rule, `seconds` long. */
export async function loads(bench: Bench, workers: number, seconds: number, rounds: number): Promise<Run[]> {
  const peers = await startPeers(bench, workers);
  const capacity = await warm(bench, peers);
  const runs: Run[] = [];
  for (const load of LOADS) {
    await bench.inTurn(Object.keys(peers), async (rule) => {
      const peer = peers[rule] as Peer;
      const loading = load === 1
        ? bench.closed({ port: peer.port, seconds })
        : bench.open({ port: peer.port, seconds, rate: Math.round(capacity * load) });
      const perSecond = differences(await everySecond(seconds + 1, () => peer.served()));
      const window = await loading;
      runs.push({ ...window, rule, load, seconds: perSecond, rate: window.connections / window.seconds });
    }, rounds);
  }
  return runs;
}

/** Connections at a fixed rate, of which one in ten stays open for ten seconds: how many does each worker have open? */
export async function open(bench: Bench, workers: number, rate: number): Promise<Run[]> {
  const peers = await startPeers(bench, workers, 'mixed');
  const runs: Run[] = [];
  for (const [rule, { port, program }] of Object.entries(peers)) {
    const loading = bench.open({ port, seconds: 14, rate });
    const seconds = (await everySecond(14, () => program.ask<number[]>('open'))).slice(4);
    const window = await loading;
    runs.push({ ...window, rule, load: 0, seconds, rate: window.connections / window.seconds });
  }
  return runs;
}

/** Half load, and one of four workers sleeps for two seconds. */
export async function blocked(bench: Bench, rounds: number): Promise<Run[]> {
  const peers = await startPeers(bench, 4);
  const capacity = await warm(bench, peers);
  const runs: Run[] = [];
  await bench.inTurn(Object.keys(peers), async (rule) => {
    const { port, program } = peers[rule] as Peers[string];
    const loading = bench.open({ port, seconds: 3, rate: Math.round(capacity / 2) });
    await new Promise((resolve) => setTimeout(resolve, 600));
    await program.ask('block', { how: 'sleep', milliseconds: 2000 });
    const window = await loading;
    runs.push({ ...window, rule, load: 0.5, seconds: [], rate: window.connections / window.seconds });
  }, rounds);
  return runs;
}

/** Kills workers at random under load, while another one listens, and counts what became of each client. */
export function killStorm(kills: number): Promise<Storm> {
  return storm({ policy: 'rr', scheduling: 'shared', workers: 4, clients: 32, kills, every: 100, least: 2 });
}

/** Asks now and at the end of each of `count - 1` seconds. */
async function everySecond(count: number, ask: () => Promise<readonly number[]>): Promise<(readonly number[])[]> {
  const begin = performance.now();
  const answers = [await ask()];
  for (let second = 1; second < count; second++) {
    await new Promise((resolve) => setTimeout(resolve, begin + second * 1000 - performance.now()));
    answers.push(await ask());
  }
  return answers;
}

function differences(totals: readonly (readonly number[])[]): number[][] {
  return totals.slice(1).map((now, at) => now.map((count, worker) => count - (totals[at]?.[worker] ?? 0)));
}
