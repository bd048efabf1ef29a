/**
 * The measures of peers that serve undisturbed: capacity, keep-alive, latency at half of stock's capacity, fairness,
 * memory. All peers run at the same time and are loaded in turn.
 *
 * Used by  all/run.ts, all/limit.ts
 */
import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { CLIENTS } from '../bench';
import { installed } from '../installed';
import type { TolerantWindow } from '../load/tolerant';
import type { PeerRow } from '../peers_table';
import { cpuOf, ownMemoryOf } from '../processes';
import { jain, median } from '../statistics';
import { inRotation, type Context } from './context';
import type { Started } from './start';

/** Seconds. */
const WARM_UP = 2;
const WINDOW = 1.5;
/**
 * `fresh` has many short windows in place of few long ones: what disturbs this machine lasts for seconds, and meets the
 * neighbours in the rotation then, too.
 */
const SHORT_WINDOW = 0.3;
const SHORT_WINDOWS = 5;
const OPEN_WINDOW = 2;
/** Connections that `held` keeps open for each worker. */
const HELD = 50;
/** A primary with less CPU per connection than this hands none off: it only wakes up now and then. */
const IDLE_MICROSECONDS = 3;

/** Does a primary that needs so many µs per connection hand connections off? */
export const isHandingOff = (microseconds: number): boolean => microseconds >= IDLE_MICROSECONDS;

export const peerOf = ({ started }: Context, { id, title }: PeerRow): Started => {
  const peer = started.get(id);
  if (peer === undefined) throw new Error(`${title} did not start`);
  return peer;
};

/** Microseconds of CPU time that a window cost: of the proxy, the primary and the workers. */
export async function costing<Result>(peer: Started, load: () => Promise<Result>): Promise<{ readonly result: Result; readonly front: number; readonly primary: number; readonly workers: number }> {
  const workers = peer.workers();
  const now = (pids: readonly number[]): number => pids.reduce((sum, pid) => sum + cpuOf(pid), 0);
  const primaries = peer.primary === null ? [] : [peer.primary];
  const before = [now(peer.front), now(primaries), now(workers)] as const;
  const result = await load();
  return { result, front: now(peer.front) - before[0], primary: now(primaries) - before[1], workers: now(workers) - before[2] };
}

export const failures = ({ failed, hung }: TolerantWindow): number => Object.values(failed).reduce((sum, one) => sum + one, hung);

/** Jain's index over the workers, of one second or of a sum of them. A worker that answered nothing counts. */
function fairness(seconds: readonly Readonly<Record<string, number>>[], workers: number): number {
  const counts = new Map<string, number>();
  for (const second of seconds) for (const [pid, count] of Object.entries(second)) counts.set(pid, (counts.get(pid) ?? 0) + count);
  return jain([...counts.values(), ...Array.from({ length: Math.max(0, workers - counts.size) }, () => 0)]);
}

/** A closed load of new connections: what a peer can do. */
export function closed(context: Context, port: number, seconds: number): Promise<TolerantWindow> {
  return context.bench.generator().then((generator) => generator.ask<TolerantWindow>('tolerantClosed', { port, seconds, clients: CLIENTS }));
}

export function open(context: Context, port: number, rate: number, seconds: number, patience?: number): Promise<TolerantWindow> {
  return context.bench.generator().then((generator) => generator.ask<TolerantWindow>('tolerantOpen', { port, seconds, rate, patience }));
}

export async function fresh(context: Context): Promise<void> {
  const { bench, samples } = context;
  for (const peer of context.started.values()) await closed(context, peer.port, bench.seconds(WARM_UP));
  await inRotation(context, 'fresh', bench.pairs * SHORT_WINDOWS, async (row) => {
    const peer = peerOf(context, row);
    const { result, front, primary, workers } = await costing(peer, () => closed(context, peer.port, bench.seconds(SHORT_WINDOW)));
    if (result.answered === 0) throw new Error('no connection was answered');
    const each = (cpu: number): number => cpu / result.answered;
    samples.add('fresh-rate', row.id, result.answered / result.seconds);
    samples.add('fresh-cpu', row.id, each(front + primary + workers));
    samples.add('fresh-jain', row.id, fairness(result.perSecond, peer.workers().length));
    samples.add('fresh-failed', row.id, failures(result));
    if (row.front === undefined) samples.dashOne('fresh-front', row.id, 'no proxy');
    else samples.add('fresh-front', row.id, each(front));
    if (peer.primary === null) samples.dashOne('fresh-primary', row.id, 'no primary');
    else samples.add('fresh-primary', row.id, each(primary));
    if (peer.primary === null || !isHandingOff(each(primary))) samples.dashOne('fresh-limit', row.id, 'no process hands connections off');
    else samples.add('fresh-limit', row.id, 1e6 / each(primary));
  });
}

export async function kept(context: Context): Promise<void> {
  const wrk = installed('wrk');
  if (wrk === null) return void context.rows.forEach(({ id }) => context.samples.dash('kept', id, 'wrk is not installed'));
  const { bench, samples } = context;
  const seconds = Math.max(1, Math.round(bench.seconds(WINDOW)));
  const taskset = installed('taskset');
  await inRotation(context, 'kept', bench.pairs, async (row) => {
    const peer = peerOf(context, row);
    const { result, front, primary, workers } = await costing(peer, async () => {
      const args = [wrk, '-t1', `-c${CLIENTS}`, `-d${seconds}s`, `http://127.0.0.1:${peer.port}/pid`];
      const [program = wrk, ...rest] = taskset === null ? args : [taskset, '--cpu-list', '0', ...args];
      return text(spawn(program, rest, { stdio: ['ignore', 'pipe', 'inherit'] }).stdout);
    });
    const rate = /^Requests\/sec:\s+([\d.]+)/m.exec(result)?.[1];
    const requests = /^\s*(\d+) requests in/m.exec(result)?.[1];
    if (rate === undefined || requests === undefined || Number(requests) === 0 || /Non-2xx/.test(result)) throw new Error(`wrk printed: ${result.trim().split('\n').slice(-3).join(' ')}`);
    samples.add('kept-rate', row.id, Number(rate));
    samples.add('kept-cpu', row.id, (front + primary + workers) / Number(requests));
  });
}

/** Half of what stock RR has done in this run; if that was not measured, it is measured now. */
export async function halfOfStock(context: Context): Promise<number> {
  const cell = context.samples.cells['fresh-rate']?.['stock-rr'];
  if (cell !== undefined && 'samples' in cell) return Math.round(median(cell.samples) / 2);
  const stock = context.started.get('stock-rr');
  if (stock === undefined) throw new Error('the rate is half of what stock RR can do, and stock RR does not run');
  await closed(context, stock.port, context.bench.seconds(WARM_UP));
  const { answered, seconds } = await closed(context, stock.port, context.bench.seconds(WINDOW));
  return Math.round(answered / seconds / 2);
}

export async function latency(context: Context): Promise<void> {
  const rate = await halfOfStock(context);
  const { bench, samples } = context;
  context.notes.push(`Latency is measured at ${rate} connections/s.`);
  await inRotation(context, 'open', bench.pairs, async (row) => {
    const peer = peerOf(context, row);
    const window = await open(context, peer.port, rate, Math.max(1, bench.seconds(OPEN_WINDOW)));
    if (window.answered === 0) throw new Error('no connection was answered');
    samples.add('open-p50', row.id, window.p50);
    samples.add('open-p99', row.id, window.p99);
    samples.add('open-jain', row.id, Math.min(...window.perSecond.map((second) => fairness([second], peer.workers().length))));
    samples.add('open-failed', row.id, failures(window));
  });
}

export async function held(context: Context): Promise<void> {
  const { bench, samples } = context;
  const generator = await bench.generator();
  await inRotation(context, 'held', Math.min(3, bench.pairs), async (row) => {
    const peer = peerOf(context, row);
    const count = peer.workers().length;
    const { atOnce, later } = await generator.ask<{ readonly atOnce: readonly number[]; readonly later: readonly number[] }>('held', { port: peer.port, connections: HELD * count, wait: 2000 });
    const of = (owned: readonly number[]): number => jain([...owned, ...Array.from({ length: Math.max(0, count - owned.length) }, () => 0)]);
    samples.add('held-jain', row.id, of(atOnce));
    samples.add('held-later', row.id, of(later));
  });
}

export async function memory(context: Context): Promise<void> {
  await inRotation(context, 'memory', 1, async (row) => {
    const peer = peerOf(context, row);
    for (const pid of peer.workers()) context.samples.add('memory-worker', row.id, ownMemoryOf(pid));
    if (peer.primary === null) context.samples.dashOne('memory-primary', row.id, 'no primary');
    else context.samples.add('memory-primary', row.id, ownMemoryOf(peer.primary));
  });
}
