/**
 * What the recorder costs: connections per second, and CPU for each connection, of one program on our cluster and on
 * Node's own, without a recorder, with one that does not record, and recorded. `--help` says how it is started.
 *
 *   none     this build, without any line that asks whether somebody traces (`withoutTrace`)
 *   off      this build
 *   on       this build under `record`
 *   stock    node:cluster
 *   stock-on node:cluster under `record --stock`
 *
 * All variants stay up. In each round each of them gets one window of load, in turn, every other round in reverse
 * order; a ratio is that of two windows of the same round. The client runs in this process.
 *
 * Uses     bench/load (the client), bench/statistics.ts, fixtures/recording_load.js
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { closedLoad } from '../../bench/load/modes';
import { median, ratios, spread } from '../../bench/statistics';
import { root } from '../support/program';
import { runTool, WrongArgument } from '../support/tool';

const VARIANTS = ['none', 'off', 'on', 'stock', 'stock-on'] as const;
type Variant = (typeof VARIANTS)[number];
/** The ratios that are printed, if both are measured. */
const PAIRS: readonly (readonly [Variant, Variant])[] = [['off', 'none'], ['on', 'off'], ['stock-on', 'stock']];
/** Connections before the first window: until V8 has optimized what it will. After 10,000 the recorder still cost twice as much as later. */
const WARM = 30_000;
const REQUEST = 'GET / HTTP/1.1\r\nhost: x\r\n\r\n';
/** Client addresses, so that no port runs out. */
const SOURCES = 32;

interface Running {
  readonly port: number;
  /** The primary comes first. */
  readonly pids: readonly number[];
}

interface Samples {
  readonly rate: number[];
  /** Microseconds of all processes for each connection, and of the primary alone. */
  readonly cpu: number[];
  readonly primary: number[];
}

/** A copy of dist in which nothing asks whether the trace has a subscriber. Returns its directory. */
async function withoutTrace(): Promise<string> {
  const copy = mkdtempSync(path.join(tmpdir(), 'none-'));
  cpSync(path.join(root, 'dist'), path.join(copy, 'dist'), { recursive: true });
  cpSync(path.join(root, 'package.json'), path.join(copy, 'package.json'));
  let removed = 0;
  for (const name of readdirSync(path.join(copy, 'dist/internal'), { recursive: true, encoding: 'utf8' })) {
    if (!name.endsWith('.js') || name.includes('bundle.js') || name.startsWith('recording')) continue;
    const file = path.join(copy, 'dist/internal', name);
    const text = readFileSync(file, 'utf8');
    const bare = text.replace(/^ *if \(\(0, trace_1\.\w+\)\(\)\)\n.*\n/gm, '\n\n').replace(/^ *\(0, trace_1\.\w+\)\(.*\);(?: \/\/.*)?$/gm, '');
    if (bare === text) continue;
    if (/trace_1\./.test(bare)) throw new Error(`${name} still traces: the tool has to know more forms of it`);
    removed += text.split('trace_1.').length - 1;
    writeFileSync(file, bare);
  }
  if (removed < 20) throw new Error(`only ${removed} places that trace were found in dist: build first`);
  const bundle = spawn(process.execPath, [path.join(copy, 'dist/internal/startup/bundle.js')], { stdio: 'inherit' });
  const [code] = await once(bundle, 'exit') as [number];
  if (code !== 0) throw new Error(`the bundles of ${copy} could not be made`);
  return copy;
}

async function start(variant: Variant, kind: string, none: string): Promise<Running> {
  const register = (directory: string): string[] => ['--require', path.join(directory, 'dist/lib/register.js')];
  const record = [path.join(root, 'dist/lib/cli.js'), 'record', '-o', path.join(mkdtempSync(path.join(tmpdir(), 'recording-')), 'it.jsonl')];
  const before = { none: register(none), off: register(root), on: record, stock: [], 'stock-on': [...record, '--stock'] }[variant];
  const child = spawn(process.execPath, [...before, path.join(root, 'test/fixtures/recording_load.js'), kind], { stdio: ['ignore', 'pipe', 'inherit'] });
  const { value } = await createInterface({ input: child.stdout })[Symbol.asyncIterator]().next() as { value?: string };
  if (value === undefined) throw new Error(`the program did not start (${variant})`);
  return JSON.parse(value) as Running;
}

/** Microseconds of CPU that all threads of a process have used. */
function cpuOf(pid: number): number {
  return readdirSync(`/proc/${pid}/task`).reduce((sum, task) => sum + Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8').split(' ')[0]) / 1000, 0);
}

async function main({ values }: { readonly values: { readonly kind: string; readonly variants: string; readonly rounds: number; readonly ms: number; readonly clients: number } }): Promise<void> {
  const { kind, rounds, ms, clients } = values;
  if (kind !== 'tcp' && kind !== 'http') throw new WrongArgument(`--kind takes tcp or http, not '${kind}'`);
  const names = values.variants.split(',');
  const variants = VARIANTS.filter((one) => names.includes(one));
  if (variants.length !== names.length) throw new WrongArgument(`--variants takes some of ${VARIANTS.join(',')}, not '${values.variants}'`);
  const none = variants.includes('none') ? await withoutTrace() : '';
  const load = (port: number, seconds: number) => closedLoad({ port, seconds, clients, sources: SOURCES, request: kind === 'http' ? REQUEST : undefined });
  const running = new Map<Variant, Running>();
  const samples = new Map<Variant, Samples>();
  for (const one of variants) {
    const started = await start(one, kind, none);
    running.set(one, started);
    samples.set(one, { rate: [], cpu: [], primary: [] });
    for (let count = 0; count < WARM;) count += (await load(started.port, 1)).connections;
  }
  for (let round = 0; round < rounds; round++) {
    for (const one of round % 2 === 0 ? variants : [...variants].reverse()) {
      const { port, pids } = running.get(one) as Running;
      const before = pids.map(cpuOf);
      const { connections, seconds } = await load(port, ms / 1000);
      const used = pids.map((pid, at) => cpuOf(pid) - (before[at] as number));
      const { rate, cpu, primary } = samples.get(one) as Samples;
      rate.push(connections / seconds);
      cpu.push(used.reduce((sum, one) => sum + one) / connections);
      primary.push((used[0] as number) / connections);
    }
  }
  report(kind, samples, values);
  process.exit();
}

function report(kind: string, samples: ReadonlyMap<Variant, Samples>, { rounds, ms, clients }: { rounds: number; ms: number; clients: number }): void {
  console.log(`${kind}, ${clients} clients, ${rounds} rounds of ${ms} ms; Node ${process.versions.node}, ${cpus().length} CPUs ${cpus()[0]?.model ?? ''}`);
  for (const [name, { rate, cpu, primary }] of samples) {
    console.log(`  ${name.padEnd(9)} ${median(rate).toFixed(0).padStart(6)} connections/s   CPU ${median(cpu).toFixed(1).padStart(6)} µs for each, the primary's ${median(primary).toFixed(1)} µs`);
  }
  for (const [one, base] of PAIRS) {
    const ours = samples.get(one);
    const others = samples.get(base);
    if (ours === undefined || others === undefined) continue;
    const shown = (what: keyof Samples): string => {
      const { median: middle, q1, q3 } = spread(ratios(ours[what], others[what]));
      return `${middle.toFixed(3)} (${q1.toFixed(3)} to ${q3.toFixed(3)})`;
    };
    console.log(`  ${`${one} / ${base}`.padEnd(17)} connections/s ${shown('rate')}   CPU ${shown('cpu')}   the primary's CPU ${shown('primary')}`);
  }
}

runTool({
  name: 'recording-cost',
  usage: 'npx tsx test/recording/cost.ts',
  about: 'Measures what the recorder costs, in connections per second and CPU for each connection: medians, and ratios with their quartiles. Build first. Nothing else should run on the machine.',
  takes: 'variants × (8 s + rounds × ms)',
  example: 'npx tsx test/recording/cost.ts --kind http --variants off,on --rounds 40',
  options: {
    kind: { takes: 'text', default: 'tcp', about: 'tcp or http: what the program serves' },
    variants: { takes: 'text', default: VARIANTS.join(','), about: 'none: our cluster without the places that trace; off: not recorded; on: recorded; stock and stock-on: node:cluster' },
    rounds: { takes: 'whole number', default: 30, about: 'windows of each variant' },
    ms: { takes: 'whole number', default: 400, least: 50, about: 'milliseconds of a window' },
    clients: { takes: 'whole number', default: 64, about: 'connections at a time' },
  },
}, main);
