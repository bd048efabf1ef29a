/**
 * npx tsx bench/shared_state.ts: what the shared state costs. Measures `increment` from 4 workers, and one
 * change that 16 workers watch. Each figure is of one run, printed as one line; nothing else should run on the
 * machine meanwhile. The workers run this file too: the environment variable ROLE says which part they play.
 */
import { once } from 'node:events';
import path from 'node:path';
import type { Cluster } from 'node:cluster';
import { announce, duration } from '../test/support/terminal';
import { runTool } from '../test/support/tool';

const dist = (file: string): string => path.resolve(__dirname, '../dist/lib', file);
// What is measured is what is shipped: the compiled code, not the sources.
const cluster = require(process.argv.includes('--stock') ? 'node:cluster' : dist('cluster.js')) as Cluster;
const { sharedState } = require(dist('shared_state.js')) as typeof import('../lib/shared_state');

/** How long each figure is measured. The workers get it from the primary, in their environment. */
let milliseconds = Number(process.env['MILLISECONDS']);
const state = sharedState({ cluster });

if (!cluster.isPrimary) {
  void runWorker();
} else {
  runTool({
    name: 'shared_state',
    usage: 'npx tsx bench/shared_state.ts',
    about: 'Measures the shared state: increments per second, and how fast a change reaches the workers\nthat watch it.',
    takes: '3 × seconds, and a little more: some 15 s by default',
    example: 'npx tsx bench/shared_state.ts --seconds 1',
    options: {
      seconds: { takes: 'number', default: 3, about: 'how long each figure is measured' },
      stock: { takes: 'nothing', about: 'uses Node’s own cluster instead of ours' },
    },
  }, ({ values: { seconds } }) => {
    milliseconds = seconds * 1000;
    announce('shared_state', `about ${duration(3 * milliseconds + 6000)}`);
    process.env['MILLISECONDS'] = String(milliseconds);
    return runPrimary();
  });
}

async function runPrimary(): Promise<void> {
  for (const depth of [1, 64]) {
    const done = await together(4, { ROLE: 'increment', DEPTH: String(depth) });
    console.log(`increment, 4 workers, ${depth} at a time each: ${Math.round((done * 1000) / milliseconds)} operations/s`);
  }
  await fanOut(16);
}

/** Starts `count` workers, lets them all begin at once, and adds up the numbers that they send. */
async function together(count: number, env: Record<string, string>): Promise<number> {
  const workers = Array.from({ length: count }, () => cluster.fork(env));
  await Promise.all(workers.map((worker) => once(worker, 'message')));
  const results = workers.map((worker) => once(worker, 'message'));
  const gone = workers.map((worker) => once(worker, 'exit'));
  for (const worker of workers) worker.send('go');
  const sum = (await Promise.all(results)).reduce((total, [done]) => total + Number(done), 0);
  for (const worker of workers) worker.disconnect();
  await Promise.all(gone);
  return sum;
}

/** Sets values of 64 bytes that `count` workers watch: first each when all workers have the one before (latency), then as fast as they go (throughput). */
async function fanOut(count: number): Promise<void> {
  const workers = Array.from({ length: count }, () => cluster.fork({ ROLE: 'watch' }));
  await Promise.all(workers.map((worker) => once(worker, 'message')));
  let acknowledged = 0;
  cluster.on('message', () => { if (++acknowledged % count === 0) cluster.emit('all'); });
  const value = 'x'.repeat(62);
  const delays: number[] = [];
  for (const end = performance.now() + milliseconds; performance.now() < end;) {
    const begin = performance.now();
    const all = once(cluster, 'all');
    await state.set('told/one', value);
    await all;
    delays.push(performance.now() - begin);
  }
  delays.sort((one, other) => one - other);
  const at = (part: number): string => (delays[Math.floor(delays.length * part)] as number).toFixed(2);
  console.log(`watch, 64 bytes to ${count} workers, until all have answered: p50 ${at(0.5)} ms, p99 ${at(0.99)} ms`);

  // Fewer events than the history keeps, so that each worker gets each of them and not a reset instead.
  const EVENTS = 9_000;
  const begin = performance.now();
  const all = once(cluster, 'all');
  for (let sent = 0; sent < EVENTS; sent += 100) {
    await Promise.all(Array.from({ length: 100 }, (_, n) => state.set(`many/${sent + n}`, value)));
  }
  await state.set('many/end', value);
  await all;
  const seconds = (performance.now() - begin) / 1000;
  console.log(`watch, 64 bytes to ${count} workers: ${Math.round(EVENTS / seconds)} events/s, ${Math.round((EVENTS * count) / seconds)} deliveries/s`);
  const gone = workers.map((worker) => once(worker, 'exit'));
  for (const worker of workers) worker.disconnect();
  await Promise.all(gone);
}

async function runWorker(): Promise<void> {
  if (process.env['ROLE'] === 'watch') {
    const [one, many] = [state.watch('told/'), state.watch('many/')];
    await Promise.all([one.next(), many.next()]);
    process.send?.('ready');
    void (async () => { for await (const event of one) if (event.type === 'set') process.send?.('got it'); })();
    for await (const event of many) {
      // A reset carries all entries: the last key may be among them.
      const last = event.type === 'reset' ? event.entries.some(({ key }) => key === 'many/end') : event.key === 'many/end';
      if (last) process.send?.('got all');
    }
    return;
  }
  await state.get('warm');
  process.send?.('ready');
  await once(process, 'message');
  let done = 0;
  const end = performance.now() + milliseconds;
  const strand = async (): Promise<void> => {
    for (; performance.now() < end; done++) await state.increment('count');
  };
  await Promise.all(Array.from({ length: Number(process.env['DEPTH']) }, strand));
  process.send?.(done);
}
