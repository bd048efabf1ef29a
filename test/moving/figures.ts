/** Measures what issue 21 asks for, on the Node that runs it: `npx tsx test/moving/figures.ts --help`. */
import { once } from 'node:events';
import net from 'node:net';
import { cpuOf } from '../../bench/processes';
import { jain, median, medianWithin, quantile, ratios } from '../../bench/statistics';
import { WrongArgument, positive, runTool } from '../support/tool';
import { Clients, MIX } from './clients';
import { Kept, Supervised } from './supervised';
import { traffic } from './traffic';

const node = `Node ${process.versions.node}`;
const after = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Of each figure: its number, if none is given, and how it is measured. */
const figures: Readonly<Record<string, readonly [count: number, measure: (count: number) => Promise<void>]>> = {
  reload: [1000, reload], reloads: [100, reloads], jain: [2, evenness], cost: [20, cost], idle: [100, idle], p99: [20, p99],
};

runTool({
  name: 'figures',
  usage: 'npx tsx test/moving/figures.ts',
  about: [
    'Measures connections that move. With a number N:',
    'reload N: a reload of 4 workers with N idle connections (1000).',
    'reloads N: N reloads under load of all kinds; what failed, what was closed (100).',
    'jain N: how even the requests are N seconds after scale 2 to 4, with rebalance and without (2).',
    'cost N: processor time of a move, and of a new connection, in N rounds of 1000 and of 500 (20).',
    'idle N: requests/s and processor time of a request, rebalance on and off, in N pairs of 0.5 s (100).',
    'p99 N: how long requests take that cross a move, and without moves, in N seconds (20).',
  ].join('\n'),
  takes: 'reload 10 s, reloads 2.5 s each, jain 15 s, cost 30 s, idle 1.1 s each, p99 as long as you say',
  example: 'npx tsx test/moving/figures.ts p99 20',
  options: {},
  positionals: { name: 'FIGURE [N]', about: Object.keys(figures).join(', ') },
}, async ({ positionals: [what = '', given, ...more] }) => {
  const [count, measure] = figures[what] ?? [];
  if (count === undefined || measure === undefined) throw new WrongArgument(`there is no figure '${what}', but ${Object.keys(figures).join(', ')}`);
  if (more.length > 0) throw new WrongArgument(`${what} takes one number`);
  await measure(given === undefined ? count : positive(what, given));
});

async function reload(count: number): Promise<void> {
  const app = new Supervised(4);
  const kept = await Kept.open(await app.port(), count);
  const { ms, lines } = await app.command('reload');
  const at = (what: string): number => Math.max(...lines.filter((line) => what in line).map((line) => line['at'] as number));
  const replies = await kept.ask();
  console.log(`${node}: reload of 4 workers with ${replies.length} idle connections took ${ms.toFixed(0)} ms; the last old worker was gone ` +
    `${(at('gone') - at('ready')).toFixed(0)} ms after the last new one was ready; ${kept.closed} closed, ${replies.filter((reply) => reply !== null).length} answered`);
  kept.end();
  await app.end();
}

async function reloads(count: number): Promise<void> {
  const app = new Supervised(2);
  const clients = new Clients(await app.port(), MIX);
  for (let at = 0; at < count; at++) await app.command('reload');
  const { requests, failed, closed, wrong } = await clients.stop();
  console.log(`${node}: ${count} reloads, ${requests} requests: ${failed.length} failed, ${closed.length} closed, ${wrong.length} wrong; ${(await app.counters())['moved']} moves`);
  for (const what of [...failed, ...closed, ...wrong].slice(0, 20)) console.log(what);
  await app.end();
}

async function evenness(seconds: number): Promise<void> {
  for (const rebalance of [true, false]) {
    const app = new Supervised(2, { rebalance });
    const clients = new Clients(await app.port(), { get: 100 }, () => 0.5);
    await after(1000);
    await app.command('scale 4');
    await after(seconds * 1000);
    for (const worker of Object.keys(clients.byWorker)) clients.byWorker[worker] = 0;
    await after(2000);
    const counts = [1, 2, 3, 4].map((worker) => clients.byWorker[worker] ?? 0);
    const connections = [1, 2, 3, 4].map((worker) => clients.connections[worker] ?? 0);
    const { failed, closed, wrong } = await clients.stop();
    console.log(`${node}: rebalance ${rebalance}: requests ${counts.join(', ')} on ${connections.join(', ')} connections; Jain ${jain(counts).toFixed(3)}; ${failed.length + closed.length + wrong.length} failed, closed or wrong`);
    await app.end();
  }
}

async function cost(rounds: number): Promise<void> {
  const app = new Supervised(2, { rebalance: false, signals: false });
  const port = await app.port();
  const cpu = await meter(app);
  const CONNECTIONS = 500;
  await Kept.open(port, 200).then((kept) => kept.end()); // Warm.
  let began = cpu();
  for (let round = 0; round < rounds; round++) {
    const sockets = Array.from({ length: CONNECTIONS }, () => net.connect(port, '127.0.0.1').on('error', () => undefined));
    await Promise.all(sockets.map((socket) => once(socket, 'connect')));
    await settled(app);
    for (const socket of sockets) socket.destroy();
  }
  const connection = (cpu() - began) / (CONNECTIONS * rounds);
  const kept = await Kept.open(port, CONNECTIONS);
  const moved = async (): Promise<number> => (await app.counters())['moved'] as number;
  const before = await moved();
  began = cpu();
  for (let round = 0; round < rounds; round++) {
    for (const worker of [1, 2]) {
      await app.command(`give ${worker}`);
      await settled(app);
    }
  }
  const moves = await moved() - before;
  const move = (cpu() - began) / moves;
  console.log(`${node}: ${moves} moves, ${move.toFixed(0)} µs each; ${CONNECTIONS * rounds} new connections that end again, ${connection.toFixed(0)} µs each (all processes of the app): ${(move / connection).toFixed(2)} times`);
  kept.end();
  await app.end();
}

/** Two apps run all the time with their connections, and one of them has load. */
async function idle(pairs: number): Promise<void> {
  const sides = await Promise.all([true, false].map(async (rebalance) => {
    const app = new Supervised(2, { rebalance });
    const clients = new Clients(await app.port(), { get: 50 }, () => 0.5);
    await after(1000); // Warm.
    await clients.rest();
    return { app, clients, cpu: await meter(app), rates: [] as number[], costs: [] as number[] };
  }));
  for (let pair = 0; pair < pairs; pair++) {
    for (const { clients, cpu, rates, costs } of pair % 2 === 0 ? sides : [...sides].reverse()) {
      clients.goOn();
      await after(30);
      const [began, requests, used] = [performance.now(), clients.tally.requests, cpu()];
      await after(500);
      const done = clients.tally.requests - requests;
      costs.push((cpu() - used) / done);
      rates.push((done * 1000) / (performance.now() - began));
      await clients.rest();
    }
  }
  const [on, off] = sides as [typeof sides[0], typeof sides[0]];
  const said = (what: string, ours: readonly number[], base: readonly number[]): string => {
    const [low, high] = medianWithin(ratios(ours, base));
    return `${what} ${median(ours).toFixed(0)}, without ${median(base).toFixed(0)}: ${median(ratios(ours, base)).toFixed(3)} times (95 %: ${low.toFixed(3)} to ${high.toFixed(3)})`;
  };
  const { moved } = await on.app.counters();
  console.log(`${node}, ${pairs} pairs of windows of 0.5 s: ${said('requests/s with rebalance', on.rates, off.rates)}; ${said('µs of processor time of a request with it', on.costs, off.costs)}; ${moved} moves`);
  for (const { app, clients } of sides) {
    clients.goOn();
    await clients.stop();
    await app.end();
  }
}

async function p99(seconds: number): Promise<void> {
  // Ten clients that pause after each request leave the CPUs half idle; those that seldom do keep them busy.
  for (const [load, thinks] of [['which pause', 1], ['which seldom pause', 0.2]] as const) {
    const options = { mix: { get: 10 }, thinks, deadlineMs: (seconds * 1000) / 4 };
    const without = await traffic(Infinity, { ...options, everyMs: 1e6 });
    const { crossed, moves, failed, closed, wrong } = await traffic(Infinity, { ...options, everyMs: 10 });
    const [less, more] = [quantile(without.latencies, 0.99), quantile(crossed, 0.99)];
    console.log(`${node}: 10 clients ${load}: ${moves} moves, ${crossed.length} requests crossed one: median ${quantile(crossed, 0.5).toFixed(2)} ms, p99 ${more.toFixed(2)} ms; ` +
      `without moves ${without.latencies.length} requests: median ${quantile(without.latencies, 0.5).toFixed(2)} ms, p99 ${less.toFixed(2)} ms; difference of p99 ${(more - less).toFixed(2)} ms; ` +
      `${failed.length + closed.length + wrong.length} failed, closed or wrong`);
  }
}

/** Returns a function that says how many µs of processor time the app's processes have used so far. */
async function meter(app: Supervised): Promise<() => number> {
  const { lines } = await app.command('pids');
  const pids = [app.pid, ...(lines.find((line) => 'pids' in line)?.['pids'] as number[])];
  return () => pids.reduce((sum, pid) => sum + cpuOf(pid), 0);
}

/** Waits until no connection is in the primary. Asks seldom: to answer costs processor time, too. */
async function settled(app: Supervised): Promise<void> {
  for (;;) {
    const { queued = 0, inFlight = 0 } = await app.counters();
    if (queued + inFlight === 0) return;
    await after(20);
  }
}
