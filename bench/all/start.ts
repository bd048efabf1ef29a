/**
 * Starts a peer of the table and finds its processes. The bench knows them by /proc and by what servers/plain.js
 * prints; nothing but HTTP requests and signals goes to a peer.
 *
 * Owns     the processes of each peer that it started, until `stop`; PM2's home, which is a directory of its own
 * Used by  all/run.ts, all/measures.ts, all/failures.ts, all/handoff.ts
 */
import { spawn, execFile, type ChildProcess } from 'node:child_process';
import { accessSync, constants, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import http from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { claimPort } from '../../test/support/own_port';
import { hasReusePort } from '../peers';
import type { Need, PeerRow } from '../peers_table';
import { pin } from '../pinning';
import { lives } from '../processes';
import { childrenOf, startProxy, type Proxy } from '../proxies';
import { installed } from '../installed';

const root = path.resolve(__dirname, '../..');
const APP = path.join(root, 'bench/servers/plain.js');
const PM2 = path.join(root, '.nodes/ecosystem/pm2/node_modules/pm2/bin/pm2');
/** Milliseconds until a peer has to serve. */
const PATIENCE = 30_000;
const run = promisify(execFile);

export interface Started {
  readonly row: PeerRow;
  readonly port: number;
  /** The process that forks the workers; null if the workers were started one by one. */
  readonly primary: number | null;
  /** The processes of a proxy. */
  readonly front: readonly number[];
  /** The workers that live now. */
  workers(): readonly number[];
  /** Asks for a reload, and returns when the peer says that it is done; null: it has none. */
  readonly reload: (() => Promise<void>) | null;
  /** The next line of JSON that the peer prints after SIGUSR2 to its primary. */
  readonly ask: () => Promise<unknown>;
  stop(): Promise<void>;
}

export interface StartOptions {
  readonly workers: number;
  readonly preload?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

const BINARIES = { node: process.execPath, bun: path.join(root, '.nodes/bun/node_modules/.bin/bun'), deno: path.join(root, '.nodes/deno/node_modules/.bin/deno') } as const;

/** The program of a row. @throws Error for a runtime that is neither a known name nor a path */
function programOf({ id, runtime }: PeerRow): string {
  if (runtime === 'node' || runtime === 'bun' || runtime === 'deno') return BINARIES[runtime];
  if (typeof runtime === 'string' && path.isAbsolute(runtime)) return runtime;
  throw new Error(`peer ${id}: runtime must be 'node', 'bun', 'deno' or an absolute path, and is ${JSON.stringify(runtime)}`);
}

/** Why this machine cannot run a peer; null if it can. @throws Error for a row that makes no sense */
export function missing(row: PeerRow): string | null {
  const { needs = [] } = row;
  const program = programOf(row);
  const why: Readonly<Record<Need, () => string | null>> = {
    'node with reusePort': () => (hasReusePort() ? null : `Node ${process.versions.node} has no reusePort: it came with 22.12`),
    bun: () => (existsSync(BINARIES.bun) ? null : 'Bun is not in .nodes/bun: `npm run conformance -- --runtime bun` installs it'),
    deno: () => (existsSync(BINARIES.deno) ? null : 'Deno is not in .nodes/deno: `npm run conformance -- --runtime deno` installs it'),
    nginx: () => (installed('nginx') === null ? 'nginx is not installed' : null),
    haproxy: () => (installed('haproxy') === null ? 'HAProxy is not installed' : null),
    pm2: () => (existsSync(PM2) ? null : 'PM2 is not there: `npm install --prefix .nodes/ecosystem/pm2 pm2@7.0.4`'),
  };
  return needs.map((need) => why[need]()).find((reason) => reason !== null) ?? (isExecutable(program) ? null : `${program} cannot be executed`);
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** "Bun 1.4.5", "PM2 7.0.4": what a row is besides this Node; null: nothing. */
export async function versionOf(row: PeerRow): Promise<string | null> {
  const first = async (file: string, ...args: string[]): Promise<string> => {
    const { stdout, stderr } = await run(file, args, { timeout: PATIENCE });
    return /\d+(\.\d+)+/.exec(`${stdout}${stderr}`)?.[0] ?? 'of an unknown version';
  };
  try {
    if (row.front === 'nginx') return `nginx ${await first(installed('nginx') ?? '', '-v')}`;
    if (row.front === 'haproxy') return `HAProxy ${await first(installed('haproxy') ?? '', '-v')}`;
    if (row.form === 'pm2') return `PM2 ${/"version": "([^"]+)"/.exec(readFileSync(path.join(PM2, '../../package.json'), 'utf8'))?.[1]}`;
    if (row.runtime === 'node') return null;
    const name = row.runtime === 'bun' ? 'Bun' : row.runtime === 'deno' ? 'Deno' : row.title;
    return `${name} ${await first(programOf(row), '--version')}`;
  } catch (error) {
    return `${row.title}: its version is unknown (${error instanceof Error ? error.message.split('\n')[0] : String(error)})`;
  }
}

/** Starts a peer and waits until it serves. All its processes are kept off the CPU of the load generator. @throws Error if it does not serve */
export async function startPeer(row: PeerRow, options: StartOptions): Promise<Started> {
  const workers = row.workers ?? options.workers;
  const children: ChildProcess[] = [];
  const cleanups: (() => Promise<void>)[] = [];
  const known = new Set<number>();
  const stop = async (): Promise<void> => {
    for (const cleanup of cleanups.splice(0)) await cleanup();
    const all = [...known, ...children.map(({ pid }) => pid ?? 0).filter((pid) => pid > 0)].flatMap((pid) => [pid, ...childrenOf(pid)]);
    for (const pid of new Set(all)) end(pid);
    while (all.some(lives)) await later(20);
  };
  try {
    const peer = await { app: startApp, run: startRun, processes: startProcesses, pm2: startPm2 }[row.form](row, workers, options, children, cleanups);
    if (peer.primary !== null && row.form !== 'pm2') known.add(peer.primary); // `pm2 kill` ends PM2's own.
    pin([...(peer.primary === null ? [] : [peer.primary]), ...peer.front, ...peer.workers()], 'rest');
    return { row, ask: () => Promise.reject(new Error(`${row.title} answers no signal`)), reload: null, ...peer, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

type Part = Pick<Started, 'port' | 'primary' | 'front' | 'workers'> & Partial<Pick<Started, 'reload' | 'ask'>>;
type Form = (row: PeerRow, workers: number, options: StartOptions, children: ChildProcess[], cleanups: (() => Promise<void>)[]) => Promise<Part>;

/** The environment of a peer. What the bench itself was started with (NODE_OPTIONS) does not reach it. */
function environment(row: PeerRow, options: StartOptions, more: Readonly<Record<string, string>>): NodeJS.ProcessEnv {
  const { NODE_OPTIONS: _, NODE_CLUSTER_SCHED_POLICY: __, ...inherited } = process.env;
  return { ...inherited, ...row.env, ...options.env, ...more };
}

const requires = (row: PeerRow, options: StartOptions): string[] =>
  [...(row.preload ?? []), ...(options.preload ?? [])].flatMap((file) => ['--require', path.join(root, file)]);

function command(row: PeerRow, options: StartOptions): readonly [string, readonly string[]] {
  const program = programOf(row);
  if (row.runtime === 'node') return [program, [...requires(row, options), APP]];
  if (row.runtime === 'deno') return [program, ['run', '-A', '--quiet', APP]];
  return [program, [...row.args ?? [], APP]];
}

const startApp: Form = async (row, workers, options, children) => {
  const [program, args] = command(row, options);
  const child = spawn(program, args, { env: environment(row, options, { PORT: '0', WORKERS: String(workers) }), stdio: ['ignore', 'pipe', 'inherit'] });
  children.push(child);
  const ask = lines(child);
  const { port, pids: [primary = 0] } = await ready(row, child, ask);
  return {
    port, primary, front: [], workers: () => childrenOf(primary),
    ask: () => { process.kill(primary, 'SIGUSR2'); return ask(); },
  };
};

const startProcesses: Form = async (row, workers, options, children, cleanups) => {
  const [program, args] = command(row, options);
  const pids: number[] = [];
  const ports: number[] = [];
  for (let at = 0; at < workers; at++) {
    const own = row.front === undefined ? ports[0] ?? 0 : 0;
    const child = spawn(program, args, { env: environment(row, options, { PORT: String(own), PLAIN: 'process' }), stdio: ['ignore', 'pipe', 'inherit'] });
    children.push(child);
    const { port, pids: [pid = 0] } = await ready(row, child, lines(child));
    ports.push(port);
    pids.push(pid);
  }
  const serving = (): number[] => pids.filter(lives);
  if (row.front === undefined) return { port: ports[0] ?? 0, primary: null, front: [], workers: serving };
  const proxy: Proxy | string = await startProxy(row.front, ports);
  if (typeof proxy === 'string') throw new Error(proxy);
  cleanups.push(() => proxy.stop());
  return { port: proxy.port, primary: null, front: proxy.pids, workers: serving };
};

const startRun: Form = async (row, workers, options, children, cleanups) => {
  const { port, release } = await claimPort();
  cleanups.push(release);
  const args = [...requires(row, options), path.join(root, 'dist/lib/cli.js'), 'run', APP, '-i', String(workers)];
  const child = spawn(process.execPath, args, { env: environment(row, options, { PORT: String(port) }), stdio: ['ignore', 'pipe', 'inherit'] });
  children.push(child);
  const primary = child.pid ?? 0;
  const ask = lines(child);
  await serving(row, port, workers);
  const reload = async (): Promise<void> => {
    const before = childrenOf(primary);
    process.kill(primary, 'SIGHUP');
    await until(`${row.title} to reload`, () => !before.some(lives) && childrenOf(primary).length >= workers);
  };
  return { port, primary, front: [], workers: () => childrenOf(primary), reload, ask: () => { process.kill(primary, 'SIGUSR2'); return ask(); } };
};

const startPm2: Form = async (row, workers, options, _children, cleanups) => {
  const home = mkdtempSync(path.join(tmpdir(), 'bench-pm2-'));
  const { port, release } = await claimPort();
  cleanups.push(release);
  const preloads = requires(row, options);
  const env = environment(row, options, { PM2_HOME: home, PORT: String(port), ...(preloads.length === 0 ? {} : { NODE_OPTIONS: preloads.join(' ') }) });
  const pm2 = async (...args: string[]): Promise<void> => void await run(process.execPath, [PM2, ...args], { env, cwd: home, timeout: PATIENCE });
  cleanups.push(async () => {
    await pm2('kill').catch((error: Error) => process.stderr.write(`${row.title}: pm2 kill: ${error.message}\n`));
    rmSync(home, { recursive: true, force: true });
  });
  await pm2('start', APP, '-i', String(workers), '--name', 'plain', '--silent');
  const primary = Number(readFileSync(path.join(home, 'pm2.pid'), 'utf8'));
  await serving(row, port, workers);
  return { port, primary, front: [], workers: () => childrenOf(primary).filter(runsTheApp), reload: () => pm2('reload', 'plain', '--silent') };
};

/** PM2's daemon also runs `ps` now and then. */
function runsTheApp(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes(APP);
  } catch {
    return false; // It has ended.
  }
}

/** Returns a function that waits for the next line of a program of ours in the child. What else it prints is skipped. */
function lines(child: ChildProcess): () => Promise<unknown> {
  const come: unknown[] = [];
  let wake = (): void => undefined;
  createInterface({ input: child.stdout as NodeJS.ReadableStream }).on('line', (line) => {
    if (!/^\{"(?:port|latency)":/.test(line)) return;
    come.push(JSON.parse(line));
    wake();
  });
  return async () => {
    if (come.length === 0) await within('a line', new Promise<void>((resolve) => { wake = resolve; }));
    return come.shift();
  };
}

/** What servers/plain.js prints when it serves. */
async function ready(row: PeerRow, child: ChildProcess, line: () => Promise<unknown>): Promise<{ readonly port: number; readonly pids: readonly number[] }> {
  const ended = new Promise<never>((_resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => reject(new Error(`${row.title} ended with ${signal ?? code} before it served`)));
  });
  ended.catch(() => undefined); // It may end later, when nobody waits.
  const said = await Promise.race([line(), ended]);
  if (typeof said === 'object' && said !== null && 'port' in said && 'pids' in said && typeof said.port === 'number' && Array.isArray(said.pids)) return { port: said.port, pids: said.pids as number[] };
  throw new Error(`${row.title} printed ${JSON.stringify(said)} instead of its port`);
}

/** Waits until so many processes have answered. */
async function serving(row: PeerRow, port: number, workers: number): Promise<void> {
  const seen = new Set<number>();
  await until(`${workers} workers of ${row.title}`, async () => {
    const pid = await askPid(port);
    if (pid !== null) seen.add(pid);
    return seen.size >= workers;
  });
}

/** The pid of the process that answers a new connection; null if none does. */
function askPid(port: number): Promise<number | null> {
  return new Promise((resolve) => {
    const request = http.get({ port, host: '127.0.0.1', path: '/pid', agent: false, timeout: 2000 }, (response) => {
      let text = '';
      response.setEncoding('latin1').on('data', (chunk: string) => { text += chunk; }).on('end', () => resolve(Number(/"pid":(\d+)/.exec(text)?.[1] ?? 0) || null)).on('error', () => resolve(null));
    });
    request.on('timeout', () => request.destroy()).on('error', () => resolve(null));
  });
}

async function until(what: string, done: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + PATIENCE;
  while (!await done()) {
    if (Date.now() > deadline) throw new Error(`waited ${PATIENCE / 1000} s for ${what}`);
    await later(20);
  }
}

function within<Value>(what: string, promise: Promise<Value>): Promise<Value> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`waited ${PATIENCE / 1000} s for ${what}`)), PATIENCE);
    promise.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

const later = (milliseconds: number): Promise<void> => new Promise((resolve) => { setTimeout(resolve, milliseconds); });

function end(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    return; // It ended meanwhile.
  }
}
