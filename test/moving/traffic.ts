/**
 * Figure 1 of issue 21: 100 keep-alive clients of all kinds, while workers give their idle connections away all the time.
 * `npx tsx test/moving/traffic.ts --help` says more; traffic.test.ts runs a shorter one.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { WrongArgument, positive, runTool } from '../support/tool';
import { Clients, MIX, type Kind, type Tally } from './clients';

/** The result of a run. */
export interface Result extends Tally, Pick<Clients, 'latencies' | 'crossed'> {
  readonly moves: number;
  readonly seconds: number;
  readonly counters: Readonly<Record<string, number>>;
}

/** Runs until this many connections were moved, or `deadlineMs` is over. */
export async function traffic(moves: number, { workers = 2, everyMs = 20, mix = MIX, thinks = 0.2, deadlineMs = 600_000 }: { workers?: number; everyMs?: number; mix?: Partial<Record<Kind, number>>; thinks?: number; deadlineMs?: number } = {}): Promise<Result> {
  const app = spawn(process.execPath, [path.join(__dirname, 'app.js'), String(workers), String(everyMs)], { stdio: ['pipe', 'pipe', 'inherit'] });
  const exit = once(app, 'exit');
  const lines = createInterface({ input: app.stdout })[Symbol.asyncIterator]();
  const next = async (): Promise<string> => String((await lines.next()).value);
  const counters = async (): Promise<Record<string, number>> => {
    app.stdin.write('\n');
    return JSON.parse(await next()) as Record<string, number>;
  };
  try {
    const port = Number((await next()).replace('port ', ''));
    const began = performance.now();
    const clients = new Clients(port, mix, Math.random, thinks);
    let now = await counters();
    while ((now['moved'] as number) < moves && performance.now() - began < deadlineMs) {
      await new Promise((resolve) => setTimeout(resolve, 100)); // Asks ten times a second how far it is.
      now = await counters();
    }
    const tally = await clients.stop();
    now = await counters();
    const { latencies, crossed } = clients;
    return { ...tally, latencies, crossed, moves: now['moved'] as number, seconds: (performance.now() - began) / 1000, counters: now };
  } finally {
    app.stdin.end();
    await exit;
  }
}

async function main(moves: number, workers: number, everyMs: number): Promise<void> {
  const { requests, failed, closed, wrong, moves: moved, seconds, counters } = await traffic(moves, { workers, everyMs });
  console.log(`Node ${process.versions.node}: ${requests} requests, ${moved} moves in ${seconds.toFixed(1)} s: ${failed.length} failed, ${closed.length} closed, ${wrong.length} answered wrong`);
  console.log(JSON.stringify(counters));
  for (const what of [...failed, ...closed, ...wrong].slice(0, 20)) console.log(what);
  process.exitCode = failed.length + closed.length + wrong.length > 0 ? 1 : 0;
}

if (process.argv[1] !== undefined && path.basename(process.argv[1]).startsWith('traffic.')) {
  runTool({
    name: 'traffic',
    usage: 'npx tsx test/moving/traffic.ts',
    about: 'Asks all the time, from 100 keep-alive clients of all kinds, while the workers give their idle\nconnections away. Exit code 1: a request failed, a connection was closed, or an answer was that of\nanother client.',
    takes: 'some 20 s for 20,000 moves',
    example: 'npx tsx test/moving/traffic.ts 20000 2 20',
    options: {},
    positionals: { name: '[MOVES] [WORKERS] [MS]', about: 'how many moves (20000), among how many workers (2); every how many ms one of them gives (20)' },
  }, async ({ positionals }) => {
    if (positionals.length > 3) throw new WrongArgument('it takes three numbers');
    const [moves = 20_000, workers = 2, everyMs = 20] = positionals.map((text, at) => positive(['moves', 'workers', 'ms'][at] ?? '', text));
    await main(moves, workers, everyMs);
  });
}
