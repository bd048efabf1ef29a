/**
 * npx tsx bench/supervised.ts: requests per second with the supervisor and without it, on the same cluster object.
 *
 * Runs two clusters of the same small http app at once, one of them supervised. The same clients load one and
 * the other in turn, so that whatever else the machine does meets both. Prints the median of the ratios, and the
 * processor time of primary and workers per request, which a busy machine does not disturb.
 */
import { fork, type ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { once } from 'node:events';
import path from 'node:path';
import { announce, counted, duration, Progress } from '../test/support/terminal';
import { runTool } from '../test/support/tool';

const root = path.resolve(__dirname, '..');
const CONNECTIONS = 16;

/** The text of the program that runs one cluster. */
const primary = (workers: number): string => `
  const cluster = process.env.STOCK ? require('node:cluster') : require(${JSON.stringify(path.join(root, 'dist/lib/cluster.js'))});
  const exec = ${JSON.stringify(path.join(root, 'test/fixtures/bench_app.js'))};
  cluster.on('listening', (worker, { port }) => process.send({ port, pid: worker.process.pid }));
  process.on('disconnect', () => process.exit());
  if (process.env.SUPERVISED) require(${JSON.stringify(path.join(root, 'dist/lib/supervisor.js'))}).supervise({ cluster, exec, workers: ${workers}, execArgv: [], args: [] });
  else { cluster.setupPrimary({ exec, execArgv: [], args: [] }); for (let started = 0; started < ${workers}; started++) cluster.fork(); }
`;

runTool({
  name: 'supervised',
  usage: 'npx tsx bench/supervised.ts',
  about: 'Measures requests per second and processor time per request, with the supervisor and without it.',
  takes: 'rounds × seconds × 2, and a little more: some 52 s by default',
  example: 'npx tsx bench/supervised.ts --rounds 4 --seconds 1',
  options: {
    rounds: { takes: 'whole number', default: 12, about: 'how often each side is measured' },
    seconds: { takes: 'number', default: 2, about: 'how long one measurement is' },
    workers: { takes: 'whole number', default: 1, about: 'how many workers each cluster has' },
    stock: { takes: 'nothing', about: 'measures Node’s own cluster instead of ours' },
  },
}, ({ values }) => run(values));

async function start(supervised: boolean, workers: number, stock: boolean): Promise<{ child: ChildProcess; port: number; pids: number[] }> {
  const env: NodeJS.ProcessEnv = { ...process.env, SUPERVISED: supervised ? '1' : '', STOCK: stock ? '1' : '' };
  delete env['NODE_OPTIONS'];
  const child = fork(path.join(root, 'test/fixtures/eval.js'), [primary(workers)], { env, execArgv: [] });
  let port = 0;
  const pids = [Number(child.pid)];
  for (let listening = 0; listening < workers; listening++) {
    const [told] = await once(child, 'message') as [{ port: number; pid: number }];
    port = told.port;
    pids.push(told.pid);
  }
  return { child, port, pids };
}

/** Sends requests for `seconds`, over connections that stay open; resolves with the answers per second. */
function load(port: number, seconds: number): Promise<number> {
  const asked = 'GET / HTTP/1.1\r\nHost: bench\r\n\r\n';
  return new Promise((resolve, reject) => {
    let answers = 0;
    const sockets = Array.from({ length: CONNECTIONS }, () => {
      const socket = connect(port, '127.0.0.1', () => socket.write(asked));
      socket.on('data', () => {
        answers++;
        socket.write(asked);
      });
      return socket.on('error', reject);
    });
    setTimeout(() => {
      for (const socket of sockets) socket.destroy();
      resolve(answers / seconds);
    }, seconds * 1000);
  });
}

/** Milliseconds of processor time that these processes have used. */
function cpu(pids: readonly number[]): number {
  const ticks = pids.flatMap((pid) => readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\) /, '').split(' ').slice(11, 13).map(Number));
  return ticks.reduce((sum, one) => sum + one, 0) * 10;
}

async function run({ rounds, seconds, workers, stock }: { rounds: number; seconds: number; workers: number; stock: boolean }): Promise<void> {
  announce('supervised', `${counted(rounds, 'round')} of ${seconds} s for each side, about ${duration((2 * rounds + 2) * seconds * 1000)}`);
  const progress = new Progress(rounds);
  const [plain, supervised] = [await start(false, workers, stock), await start(true, workers, stock)];
  await load(plain.port, seconds);
  await load(supervised.port, seconds);
  const ratios: number[] = [];
  const rates: [number[], number[]] = [[], []];
  const used: [number, number] = [-cpu(plain.pids), -cpu(supervised.pids)];
  for (let round = 0; round < rounds; round++) {
    // Each side goes first as often as the other.
    const order = round % 2 === 0 ? [0, 1] : [1, 0];
    const rate: number[] = [];
    for (const which of order) rate[which] = await load([plain, supervised][which]?.port as number, seconds);
    rates[0].push(rate[0] as number);
    rates[1].push(rate[1] as number);
    if (rate.includes(0)) throw new Error(`not one request was answered in ${seconds} s: the machine is too busy, or --seconds is too small`);
    ratios.push((rate[1] as number) / (rate[0] as number));
    progress.step(`ratio ${ratios.at(-1)?.toFixed(2)}`);
  }
  progress.clear();
  used[0] += cpu(plain.pids);
  used[1] += cpu(supervised.pids);
  const perRequest = used.map((ms, which) => (ms * 1000) / ((rates[which] as number[]).reduce((sum, rate) => sum + rate * seconds, 0)));
  console.log(`processor time per request: without ${perRequest[0]?.toFixed(2)} µs, with ${perRequest[1]?.toFixed(2)} µs, ratio ${((perRequest[0] as number) / (perRequest[1] as number)).toFixed(3)}`);
  const median = (values: number[]): number => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] as number;
  console.log(`without ${median(rates[0]).toFixed(0)}/s, with ${median(rates[1]).toFixed(0)}/s, ratio ${median(ratios).toFixed(3)} (${ratios.map((ratio) => ratio.toFixed(2)).join(' ')})`);
  for (const { child } of [plain, supervised]) child.disconnect();
}
