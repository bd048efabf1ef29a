/**
 * Measures what issue 21 asks for, on the Node that runs it:
 *
 *   npx tsx test/moving/figures.ts reload [connections = 1000]   a reload of 4 workers with idle connections
 *   npx tsx test/moving/figures.ts reloads [count = 100]         as many reloads under load: failed, closed
 *   npx tsx test/moving/figures.ts jain                          how even the requests are, 2 s after scale 2 → 4, on and off
 *   npx tsx test/moving/figures.ts cost                          processor time of a move, and of a new connection
 *   npx tsx test/moving/figures.ts idle [pairs = 50]             requests/s of 2 workers with rebalance on and off, in turn
 *   npx tsx test/moving/figures.ts p99 [seconds = 20]            how long requests take that cross a move, and without moves
 */
import { readFileSync } from 'node:fs';
import net from 'node:net';
import { once } from 'node:events';
import { Clients, MIX } from './clients';
import { Kept, Supervised } from './supervised';
import { traffic } from './traffic';

const node = `Node ${process.versions.node}`;
const after = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

const figures: Record<string, (count: number) => Promise<void>> = {
  async reload(count) {
    const app = new Supervised(4);
    const kept = await Kept.open(await app.port(), count || 1000);
    const { ms, lines } = await app.command('reload');
    const at = (what: string): number => Math.max(...lines.filter((line) => what in line).map((line) => line['at'] as number));
    const replies = await kept.ask();
    console.log(`${node}: reload of 4 workers with ${replies.length} idle connections took ${ms.toFixed(0)} ms; the last old worker was gone ` +
      `${(at('gone') - at('ready')).toFixed(0)} ms after the last new one was ready; ${kept.closed} closed, ${replies.filter((reply) => reply !== null).length} answered`);
    kept.end();
    await app.end();
  },

  async reloads(count) {
    const app = new Supervised(2);
    const clients = new Clients(await app.port(), MIX);
    for (let at = 0; at < (count || 100); at++) await app.command('reload');
    const { requests, failed, closed, wrong } = await clients.stop();
    console.log(`${node}: ${count || 100} reloads, ${requests} requests: ${failed.length} failed, ${closed.length} closed, ${wrong.length} wrong; ${(await app.counters())['moved']} moves`);
    for (const what of [...failed, ...closed, ...wrong].slice(0, 20)) console.log(what);
    await app.end();
  },

  async jain() {
    for (const rebalance of [true, false]) {
      const app = new Supervised(2, { rebalance });
      const clients = new Clients(await app.port(), { get: 100 }, () => 0.5);
      await after(1000);
      await app.command('scale 4');
      await after(2000);
      for (const worker of Object.keys(clients.byWorker)) clients.byWorker[worker] = 0;
      await after(2000);
      const counts = [1, 2, 3, 4].map((worker) => clients.byWorker[worker] ?? 0);
      const connections = [1, 2, 3, 4].map((worker) => clients.connections[worker] ?? 0);
      const sum = counts.reduce((all, each) => all + each, 0);
      const jain = sum ** 2 / (4 * counts.reduce((all, each) => all + each ** 2, 0));
      const { failed, closed, wrong } = await clients.stop();
      console.log(`${node}: rebalance ${rebalance}: requests ${counts.join(', ')} on ${connections.join(', ')} connections; Jain ${jain.toFixed(3)}; ${failed.length + closed.length + wrong.length} failed, closed or wrong`);
      await app.end();
    }
  },

  async cost() {
    const app = new Supervised(2, { rebalance: false, signals: false });
    const port = await app.port();
    const { lines } = await app.command('pids');
    const pids = [app.pid, ...(lines.find((line) => 'pids' in line)?.['pids'] as number[])];
    const cpu = (): number => pids.reduce((sum, pid) => sum + ticksOf(pid), 0);
    const CONNECTIONS = 500;
    const ROUNDS = 20;
    await Kept.open(port, 200).then((kept) => kept.end()); // Warm.
    let began = cpu();
    for (let round = 0; round < ROUNDS; round++) {
      const sockets = Array.from({ length: CONNECTIONS }, () => net.connect(port, '127.0.0.1').on('error', () => undefined));
      await Promise.all(sockets.map((socket) => once(socket, 'connect')));
      await settled(app);
      for (const socket of sockets) socket.destroy();
    }
    const connection = ((cpu() - began) * 1e4) / (CONNECTIONS * ROUNDS);
    const kept = await Kept.open(port, CONNECTIONS);
    const moved = async (): Promise<number> => (await app.counters())['moved'] as number;
    const before = await moved();
    began = cpu();
    for (let round = 0; round < ROUNDS; round++) {
      for (const worker of [1, 2]) {
        await app.command(`give ${worker}`);
        await settled(app);
      }
    }
    const moves = await moved() - before;
    console.log(`${node}: ${moves} moves, ${(((cpu() - began) * 1e4) / moves).toFixed(0)} µs each; ${CONNECTIONS * ROUNDS} new connections that end again, ${connection.toFixed(0)} µs each (all processes of the app)`);
    kept.end();
    await app.end();
  },

  async idle(pairs) {
    // Both apps run all the time, and one of them has load.
    const apps = { on: new Supervised(2, { rebalance: true }), off: new Supervised(2, { rebalance: false }) };
    const ports = { on: await apps.on.port(), off: await apps.off.port() };
    const perSecond = async (which: 'on' | 'off'): Promise<number> => {
      const clients = new Clients(ports[which], { get: 50 }, () => 0.5);
      await after(200);
      const [began, before] = [performance.now(), clients.tally.requests];
      await after(1000);
      const rate = ((clients.tally.requests - before) * 1000) / (performance.now() - began);
      await clients.stop();
      return rate;
    };
    for (const which of ['on', 'off'] as const) await perSecond(which); // Warm.
    const [ratios, rates]: [number[], Record<'on' | 'off', number[]>] = [[], { on: [], off: [] }];
    for (let pair = 0; pair < (pairs || 50); pair++) {
      for (const which of pair % 2 === 0 ? ['on', 'off'] as const : ['off', 'on'] as const) rates[which].push(await perSecond(which));
      ratios.push((rates.on[pair] as number) / (rates.off[pair] as number));
    }
    const moves = (await apps.on.counters())['moved'];
    console.log(`${node}: requests/s with rebalance ${quantile(rates.on, 0.5).toFixed(0)}, without ${quantile(rates.off, 0.5).toFixed(0)}; ratio of ${ratios.length} pairs: ` +
      `median ${quantile(ratios, 0.5).toFixed(3)}, quartiles ${quantile(ratios, 0.25).toFixed(3)} and ${quantile(ratios, 0.75).toFixed(3)}; ${moves} moves`);
    await Promise.all([apps.on.end(), apps.off.end()]);
  },

  async p99(seconds) {
    // Ten clients that pause after each request leave the CPUs half idle; those that seldom do keep them busy.
    for (const [load, thinks] of [['which pause', 1], ['which seldom pause', 0.2]] as const) {
      const options = { mix: { get: 10 }, thinks, deadlineMs: ((seconds || 20) * 1000) / 4 };
      const without = await traffic(Infinity, { ...options, everyMs: 1e6 });
      const { crossed, moves, failed, closed, wrong } = await traffic(Infinity, { ...options, everyMs: 10 });
      const [less, more] = [quantile(without.latencies, 0.99), quantile(crossed, 0.99)];
      console.log(`${node}: 10 clients ${load}: ${moves} moves, ${crossed.length} requests crossed one: median ${quantile(crossed, 0.5).toFixed(2)} ms, p99 ${more.toFixed(2)} ms; ` +
        `without moves ${without.latencies.length} requests: median ${quantile(without.latencies, 0.5).toFixed(2)} ms, p99 ${less.toFixed(2)} ms; difference of p99 ${(more - less).toFixed(2)} ms; ` +
        `${failed.length + closed.length + wrong.length} failed, closed or wrong`);
    }
  },
};

/** Waits until no connection is in the primary. Asks seldom: to answer costs processor time, too. */
async function settled(app: Supervised): Promise<void> {
  for (;;) {
    const { queued = 0, inFlight = 0 } = await app.counters();
    if (queued + inFlight === 0) return;
    await after(20);
  }
}

/** The value below which this part of the numbers lies. */
function quantile(numbers: readonly number[], part: number): number {
  const sorted = [...numbers].sort((one, other) => one - other);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN;
}

/** Processor time of a process so far, in hundredths of a second. */
function ticksOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\) /, '').split(' ');
  return Number(fields[11]) + Number(fields[12]);
}

const [, , what = '', count = '0'] = process.argv;
const figure = figures[what];
if (figure === undefined) {
  console.error(`Which figure? ${Object.keys(figures).join(', ')}`);
  process.exitCode = 2;
} else void figure(Number(count));
