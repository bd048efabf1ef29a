/**
 * Runs one scenario until its last process has ended, on Node (`runScenario`) or on whatever runs JavaScript (`play`).
 *
 * Owns     while it runs: a directory for the logs, ten ports, and the processes of the scenario, which it finds by
 *          DIFF_TRACE in their environment and ends at the deadline
 * Never    waits longer than the deadline and CLOSE_MS, or keeps more than MOST_OUTPUT of what it prints
 * Falls short  a process that has removed DIFF_TRACE from its environment and has left the process group is not found,
 *          and goes on
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { spawn } from 'node:child_process';
import type { Readable } from 'node:stream';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { checkDeaths } from './deaths';
import { cleanEnvironment } from './environment';
import { endAll, runningProcesses } from './marked';
import { claimTenPorts } from './own_port';
import { watchRun, type Bounds, type Stopped } from './run_watch';
import { isOfTheRecorder, normalise, plain, readLogs, type Entry, type Implementation, type Log, type Traces } from './trace_lines';
import { registerFor } from './scenarios';

export interface Trace {
  readonly implementation: Implementation;
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  /** Not compared: stack traces name files. For whoever reads a failure. */
  readonly stderr: string;
  readonly traces: Traces;
  /** The processes that ended by an exception, as the scenario declares (deaths.ts). */
  readonly died: readonly string[];
}

export interface RunOptions {
  readonly implementation: Implementation;
  /** The Node to run it with; DIFF_NODE or this one by default. */
  readonly node?: string;
  /** The build under test. */
  readonly register?: string;
  /** Milliseconds after which the scenario and all its processes are killed, and the run fails. */
  readonly deadline?: number;
}

/** A scenario that has ended, or whose deadline has passed. */
export interface Played {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
  /** What each process has recorded. */
  readonly logs: readonly Log[];
  /** Lines of the logs that are no entries: a process was killed while it wrote. */
  readonly torn: readonly string[];
  /** True if the deadline passed before the last process had ended. */
  readonly isLate: boolean;
  /** Why the run was ended from outside; null if it ended by itself. */
  readonly stopped: Stopped | null;
  /** The processes that had to be ended: at the deadline, or because they hold no stdout and were left behind. */
  readonly left: number;
  /** Takes out of a line what differs from run to run. */
  readonly plain: (line: string) => string;
  /** What `plain` takes out: the run's directory, and the first of its ten ports. */
  readonly place: { readonly directory: string; readonly port: number };
  /** Milliseconds. */
  readonly took: number;
}

export interface PlayOptions {
  /** The program and its arguments, before the scenario's file. */
  readonly command: readonly [string, ...string[]];
  /** Milliseconds after which the scenario and all its processes are killed. */
  readonly deadline: number;
  /** Ends the run before its deadline; nothing does by default. */
  readonly bounds?: Bounds;
  /** The messages of Node's protocol are not recorded (observe.js). */
  readonly untapped?: boolean;
}

/** Milliseconds after the deadline until which stdout may stay open: a process that is not found may hold it. */
const CLOSE_MS = 2000;
/** Characters of stdout, and of stderr. No scenario prints a hundredth of it. */
const MOST_OUTPUT = 1 << 20;

/** Runs a scenario until its last process has ended, or the deadline has passed. Rejects only if the program cannot be started. */
export async function play(file: string, { command: [program, ...args], deadline, bounds, untapped = false }: PlayOptions): Promise<Played> {
  const directory = mkdtempSync(path.join(tmpdir(), 'diff-'));
  const { port, release } = await claimTenPorts();
  const env = { ...cleanEnvironment(), DIFF_TRACE: directory, DIFF_PORT: String(port), ...(untapped ? { DIFF_UNTAPPED: '1' } : {}) };
  const begun = performance.now();
  try {
    const ended = await runProgram(program, [...args, file], { directory, env, deadline, bounds });
    const took = Math.round(performance.now() - begun);
    return { ...ended, ...readLogs(directory), plain: (line) => plain(line, directory, port), place: { directory, port }, took };
  } finally {
    await release();
    rmSync(directory, { recursive: true, force: true, maxRetries: 3 });
  }
}

/** Runs a scenario on Node until its last process has ended. Rejects when that misses the deadline. */
export async function runScenario(file: string, options: RunOptions): Promise<Trace> {
  const { implementation, node = process.env['DIFF_NODE'] || process.execPath, deadline = 50_000 } = options;
  const register = options.register ?? process.env['DIFF_REGISTER'] ?? registerFor(file);
  const played = await play(file, { command: [node, ...(implementation === 'ours' ? ['--require', register] : [])], deadline });
  const { code, signal, stdout, stderr, logs } = played;
  if (played.isLate) {
    const seen = logs.map(({ name, entries }) => `${name}:\n${entries.map((entry) => JSON.stringify(entry)).join('\n')}`).join('\n');
    throw new Error(`${path.basename(file)} under ${implementation} missed its deadline of ${deadline} ms\n${seen}\n${stdout}${stderr}`);
  }
  if (played.torn.length > 0) throw new Error(`${path.basename(file)} left torn lines under ${implementation}:\n${played.torn.join('\n')}`);
  // Two runs in which nothing happened are alike, and prove nothing.
  if (logs.every(({ entries }) => entries.every(isOfTheRecorder))) {
    throw new Error(`${path.basename(file)} left no trace under ${implementation}: it ended with ${signal ?? code}\n${stderr}`);
  }
  const recorded = logs.flatMap(({ name, entries }) => entries.flatMap(({ dies }) => (dies === undefined ? [] : [{ name, text: dies }])));
  const died = checkDeaths(file, { recorded, stderr, implementation });
  const nodes = onNodesChannel(file);
  for (const { name, entries } of logs) {
    if (/^(P|[WC]\d)/.test(name) && !nodes.includes(name)) checkImplementation(entries, implementation, `${path.basename(file)} ${name}`);
  }
  return { code, signal, stdout: played.plain(stdout), stderr, implementation, traces: tracesOf(played), died };
}

/** The lines of each process and subject. */
export function tracesOf({ logs, plain }: Pick<Played, 'logs' | 'plain'>, isWanted: (entry: Entry) => boolean = () => true): Traces {
  const traces: Traces = new Map();
  for (const { name, entries } of logs) {
    for (const { subject, line } of normalise(entries.filter(isWanted))) {
      const key = `${name} ${subject}`;
      const lines = traces.get(key) ?? [];
      traces.set(key, lines);
      lines.push(plain(line));
    }
  }
  return traces;
}

type Ended = Pick<Played, 'code' | 'signal' | 'stdout' | 'stderr' | 'isLate' | 'stopped' | 'left'>;

interface Started {
  readonly directory: string;
  readonly env: NodeJS.ProcessEnv;
  readonly deadline: number;
  readonly bounds: Bounds | undefined;
}

/** Its workers hold its stdout, so 'close' means that all of them have ended. */
function runProgram(program: string, args: readonly string[], { directory, env, deadline, bounds }: Started): Promise<Ended> {
  return new Promise((resolve, reject) => {
    // A process group of its own, so that what a terminal sends to the tool does not reach it.
    const child = spawn(program, args, { cwd: directory, env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
    const stdout = textOf(child.stdout);
    const stderr = textOf(child.stderr);
    let stopped: Stopped | null = null;
    let left = 0;
    const endMarked = (): void => {
      left += endAll(() => runningProcesses('DIFF_TRACE', directory).filter(({ isMarked }) => isMarked).map(({ pid }) => pid));
    };
    const stop = (why: Stopped): void => {
      if (stopped !== null) return;
      stopped = why;
      clearTimeout(timer);
      // While its leader lives the group is ours. It also has those that have cleared their environment.
      const group = child.exitCode === null && child.signalCode === null ? child.pid : undefined;
      endMarked();
      if (group !== undefined) endGroup(group);
      timer = setTimeout(() => {
        child.stdout.destroy();
        child.stderr.destroy();
      }, CLOSE_MS);
    };
    let timer = setTimeout(() => stop('deadline'), deadline);
    const unwatch = bounds === undefined ? () => undefined : watchRun('DIFF_TRACE', directory, bounds, stop);
    const over = (): void => {
      clearTimeout(timer);
      unwatch();
    };
    child.on('error', (error) => {
      over();
      reject(error);
    });
    child.on('close', (code, signal) => {
      over();
      endMarked();
      resolve({ code, signal, stdout: stdout(), stderr: stderr(), isLate: stopped !== null, stopped, left });
    });
  });
}

function endGroup(group: number): void {
  try {
    process.kill(-group, 'SIGKILL');
  } catch {
    return; // All of it has ended.
  }
}

/** Collects what a stream gives, up to MOST_OUTPUT. Of what is more the returned text has the length. */
function textOf(stream: Readable): () => string {
  let text = '';
  let more = 0;
  stream.setEncoding('utf8').on('data', (piece: string) => {
    const room = MOST_OUTPUT - text.length;
    text += piece.slice(0, room);
    more += Math.max(0, piece.length - room);
  });
  return () => (more === 0 ? text : `${text}\n(${more} more characters)`);
}

/**
 * A comparison of stock with stock would always succeed. Only what is neither a primary nor a worker
 * (a thread, a process that pretends to be a worker) may run on Node's cluster under ours.
 */
function checkImplementation(entries: readonly Entry[], expected: Implementation, where: string): void {
  const found = entries.find((entry) => entry.implementation !== undefined)?.implementation;
  if (found !== expected) throw new Error(`${where} ran on ${found}, not on ${expected}`);
}

/** Children that have Node's own channel under ours as well (D44): a scenario names them in a line `// Node's channel: C2, C3`. */
function onNodesChannel(file: string): readonly string[] {
  return /^\/\/ Node's channel: (.+)$/m.exec(readFileSync(file, 'utf8'))?.[1]?.split(', ') ?? [];
}
