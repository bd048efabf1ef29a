/**
 * npx tsx bench/sharing.ts PART: how evenly and how fast workers share one port under SCHED_NONE, round robin, `shared` and
 * reusePort. Prints a table, and writes the samples as JSON to bench/results/. `plots` makes two plots of them.
 *
 * Uses     bench/sharing_parts.ts (what is measured), bench/sharing_plots.ts (the plots)
 */
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { runTool, WrongArgument } from '../test/support/tool';
import { Bench } from './bench';
import { thisMachine } from './machine';
import { sum, type Cost } from './samples';
import { BASE, blocked, killStorm, loads, open, rates, type Run } from './sharing_parts';
import { plotOverTime, plotThroughput } from './sharing_plots';
import { jain, median, ratios, spread } from './statistics';

const results = path.join(__dirname, 'results');
const node = process.versions.node.split('.')[0];

runTool({
  name: 'sharing',
  usage: 'npx tsx bench/sharing.ts',
  about: 'Measures how workers share one port under each rule: SCHED_NONE of Node, round robin and shared\nof this project, and reusePort where this Node has it.',
  takes: 'each part less than 150 s with its defaults; storm, 0.5 to 1 s for each kill',
  example: 'npx tsx bench/sharing.ts rate --workers 8',
  positionals: { name: 'PART', about: 'rate (connections/s and CPU at full load), http (the same), load (each worker’s part, and latency, at 5, 50 and 100 % load), open (open connections when some last 10 s), blocked (1 of 4 workers sleeps for 2 s), storm (kills), plots (from the results of load and rate)' },
  options: {
    workers: { takes: 'whole number', default: 4, about: 'workers of each cluster (blocked and storm: 4)' },
    rounds: { takes: 'whole number', default: 0, least: 0, about: 'how often each rule is measured; 0: 20 for rate and http, 2 for load, 5 for blocked' },
    seconds: { takes: 'whole number', default: 4, about: 'load: seconds of each run' },
    kills: { takes: 'whole number', default: 1000, about: 'storm: how many workers are killed' },
  },
}, async ({ values: { workers, rounds, seconds, kills }, positionals }) => {
  const [part, ...more] = positionals;
  if (part === undefined || more.length > 0) throw new WrongArgument('one part is measured at a time');
  if (part === 'plots') return plots();
  if (part === 'storm') return void console.log(await killStorm(kills).then(({ samples: _samples, ...seen }) => seen));
  const bench = new Bench({ pairs: 1, scale: 1 }, () => undefined);
  try {
    switch (part) {
      case 'rate': return done(part, workers, ratesTable, await rates(bench, workers, 'tcp', rounds || 20));
      case 'http': return done(part, workers, ratesTable, await rates(bench, workers, 'http', rounds || 20));
      case 'load': return done(part, workers, runsTable, await loads(bench, workers, seconds, rounds || 2));
      case 'open': return done(part, workers, runsTable, await open(bench, workers, 300));
      case 'blocked': return done(part, 4, runsTable, await blocked(bench, rounds || 5));
      default: throw new WrongArgument(`there is no part '${part}'`);
    }
  } finally {
    await bench.close();
  }
});

function done<Samples>(part: string, workers: number, table: (samples: Samples) => string, samples: Samples): void {
  console.log(`${part}, ${workers} workers, Node ${process.versions.node}\n${table(samples)}`);
  mkdirSync(results, { recursive: true });
  writeFileSync(path.join(results, `sharing-${part}-${workers}-${node}.json`), JSON.stringify({ machine: thisMachine(), workers, samples }));
}

function ratesTable(samples: Readonly<Record<string, readonly Cost[]>>): string {
  const rows = ['| rule | connections/s | against SCHED_NONE (quartiles) | CPU, all | CPU, primary |', '| --- | --- | --- | --- | --- |'];
  for (const [rule, windows] of Object.entries(samples)) {
    const of = (name: string): number[] => (samples[name] ?? []).map(({ rate }) => rate);
    const against = spread(ratios(of(rule), of(BASE)));
    const { cpu, primary } = sum(windows);
    rows.push(`| ${rule} | ${Math.round(median(of(rule)))} | ${against.median.toFixed(3)} (${against.q1.toFixed(3)} to ${against.q3.toFixed(3)}) | ${cpu.toFixed(1)} µs | ${primary.toFixed(2)} µs |`);
  }
  return rows.join('\n');
}

function runsTable(runs: readonly Run[]): string {
  const rows = ['| load | rule | connections/s | Jain’s index of a second, median (lowest) | busiest worker’s part of an even share, worst second | p50 ms | p99 ms (runs) | waited > 100 ms (runs) |', '| --- | --- | --- | --- | --- | --- | --- | --- |'];
  for (const load of new Set(runs.map((run) => run.load))) {
    for (const rule of new Set(runs.map((run) => run.rule))) {
      const mine = runs.filter((run) => run.rule === rule && run.load === load);
      const seconds = mine.flatMap((run) => run.seconds);
      const even = seconds.map(jain);
      const busiest = seconds.map((counts) => (Math.max(...counts) * counts.length) / counts.reduce((all, one) => all + one, 0));
      const fair = even.length === 0 ? ' |' : `${median(even).toFixed(3)} (${Math.min(...even).toFixed(3)}) | ${Math.max(...busiest).toFixed(2)}`;
      rows.push(`| ${load * 100} % | ${rule} | ${Math.round(median(mine.map(({ rate }) => rate)))} | ${fair} | ${median(mine.map(({ p50 }) => p50)).toFixed(2)} | ${mine.map(({ p99 }) => p99.toFixed(1)).join(', ')} | ${mine.map(({ slow }) => slow).join(', ')} |`);
    }
  }
  return rows.join('\n');
}

/** Two plots of what `load` (4 workers) and `rate` (every number of workers) have written on this Node. */
function plots(): void {
  const read = (file: string): { readonly workers: number; readonly samples: unknown } => JSON.parse(readFileSync(path.join(results, file), 'utf8')) as { workers: number; samples: unknown };
  const files = readdirSync(results);
  const overTime = `sharing-load-4-${node}.json`;
  if (!files.includes(overTime)) throw new WrongArgument('first measure: load --workers 4, and rate with some numbers of workers');
  const runs = (read(overTime).samples as Run[]).filter(({ load }) => load === 0.5);
  const points = files.filter((file) => new RegExp(`^sharing-rate-\\d+-${node}\\.json$`).test(file)).map(read).flatMap(({ workers, samples }) => (
    Object.entries(samples as Record<string, Cost[]>).map(([rule, windows]) => ({ rule, workers, rate: median(windows.map(({ rate }) => rate)) }))
  ));
  writeFileSync(path.join(results, `sharing-over-time-${node}.svg`), plotOverTime(runs));
  writeFileSync(path.join(results, `sharing-throughput-${node}.svg`), plotThroughput(points));
}
