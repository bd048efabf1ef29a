/**
 * Runs one scenario under `node:cluster` and under ours, and says where the two differ.
 *
 *   runScenario(file, { node, implementation }) → Trace
 *   compare(scenario, stock, ours, rules)       → Difference[]
 *
 * A trace has for each process ("P", "W1", and "C1" where there is no cluster) and each subject of it ("W1", "client", "self") the lines
 * in their order. Only lines of one process and one subject are compared with each other: between
 * two workers, or between a client and a worker, the order is the kernel's. Compared besides: exit
 * code and signal of the primary (a worker's are in its 'exit' events), and stdout.
 *
 * What is made equal before, in `normalise`:
 *   ports, fds, paths, pids     written as <port>, <fd>, <dir>, <root>; none is in a scenario's text
 *   seq                         left out
 *   ack                         named by what it answers: "reply to queryServer 2"
 *   hand-offs                   one line for each accepted connection, as a subject of its own (D2)
 *   'exit' before 'disconnect'  put right where it came of a race, see `settleEnd` (P-5)
 * Everything else that may differ is a rule of `test/differential/deliberate.ts`, and has a number.
 */
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { spawn } from 'node:child_process';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { checkDeaths, staleDeaths } from './deaths';
import { dist, root } from './program';

export type Implementation = 'stock' | 'ours';

/** The lines of one subject in one process, in order; the key is "P W1", "W1 self", "W1 newconn". */
export type Traces = Map<string, string[]>;

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

export interface Difference {
  /** "P W1", or "exit", "stdout", "rule D3". */
  readonly where: string;
  readonly stock: string;
  readonly ours: string;
}

/**
 * One intended difference. Its patterns are lines that only one of the two may show: they are taken
 * out before the comparison, and have to be there, so that no rule outlives what it describes.
 */
export interface Rule {
  /** As in the sources: "D3". "new" where it has not got a number yet. */
  readonly number: string;
  /** The clauses of the behaviour specification that it is about. */
  readonly clause: string;
  readonly scenario: string | readonly string[];
  readonly what: string;
  /** On which major versions of Node the two differ; all of them by default. */
  readonly versions?: readonly number[];
  readonly stockOnly?: readonly Line[];
  readonly oursOnly?: readonly Line[];
  /** What is cut out of the lines of both; before that they have to differ. */
  readonly cut?: readonly RegExp[];
  /** The programs end differently. */
  readonly exit?: true;
}

/** A line of one sub-trace, e.g. `{ of: 'P W1', matches: /'disconnect'/ }`. */
export interface Line {
  readonly of: string;
  readonly matches: RegExp;
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

/** Programs that use `node:cluster`. */
export const scenarioDirectory = path.join(root, 'test/differential/scenarios');
/** Programs that use `child_process.fork` and no cluster; their names begin with "fork/". */
const forkDirectory = path.join(root, 'test/differential/scenarios_fork');
const FORK = 'fork/';

/** The names of all scenarios, without the programs that some of them start. */
export function scenarios(): string[] {
  const programs = (directory: string): string[] => readdirSync(directory).filter((name) => name.endsWith('.js')).map((name) => name.slice(0, -3)).sort();
  return [...programs(scenarioDirectory), ...programs(forkDirectory).map((name) => FORK + name)];
}

export const scenarioFile = (name: string): string =>
  name.startsWith(FORK) ? path.join(forkDirectory, `${name.slice(FORK.length)}.js`) : path.join(scenarioDirectory, `${name}.js`);

/** What puts ours in the place of Node's in this program. */
const registerFor = (file: string): string => dist(path.dirname(file) === forkDirectory ? 'lib/register_fork.js' : 'lib/register.js');

/** The clauses that a scenario says it covers, from its first line. */
export function coveredClauses(name: string): string[] {
  const [first = ''] = readFileSync(scenarioFile(name), 'utf8').split('\n');
  const match = first.match(/^\/\/ Covers: ([A-Z]+-\d+\w?(?:, [A-Z]+-\d+\w?)*)$/);
  if (match === null) throw new Error(`${name}.js does not begin with '// Covers: P-2, P-3'`);
  return (match[1] as string).split(', ');
}

// ── running ──────────────────────────────────────────────────────────────────────────────────────

/** Ten ports for one run, and what holds the claim on them. */
interface Ports {
  readonly first: number;
  readonly claim: net.Server;
}

let nextPort = 20_000 + (process.pid % 120) * 100;

/**
 * Ten ports below the range from which the kernel gives out others. The claim is an abstract unix
 * socket: no other run on this machine gets the same ones, and a run that dies leaves nothing behind.
 */
async function claimPorts(): Promise<Ports> {
  for (;;) {
    const first = nextPort;
    nextPort = first + 10 < 32_000 ? first + 10 : 20_000;
    const claim = net.createServer();
    const claimed = await new Promise<boolean>((resolve) => {
      claim.once('error', () => resolve(false));
      claim.listen(`\0differential-ports-${first}`, () => resolve(true));
    });
    if (claimed) return { first, claim };
  }
}

/** Runs a scenario until its last process has ended. Rejects when that misses the deadline. */
export async function runScenario(file: string, options: RunOptions): Promise<Trace> {
  const { implementation, node = process.env['DIFF_NODE'] || process.execPath, deadline = 50_000 } = options;
  const register = options.register ?? process.env['DIFF_REGISTER'] ?? registerFor(file);
  const directory = mkdtempSync(path.join(tmpdir(), 'diff-'));
  const { first: port, claim } = await claimPorts();
  try {
    const ended = await runProgram(node, [...(implementation === 'ours' ? ['--require', register] : []), file], {
      ...cleanEnvironment(), DIFF_TRACE: directory, DIFF_PORT: String(port),
    }, directory, deadline);
    const traces: Traces = new Map();
    const logs = readLogs(directory);
    // Two runs in which nothing happened are alike, and prove nothing.
    if (logs.every(([, entries]) => entries.every(isOfTheRecorder))) {
      throw new Error(`${path.basename(file)} left no trace under ${implementation}: it ended with ${ended.signal ?? ended.code}\n${ended.stderr}`);
    }
    const recorded = logs.flatMap(([name, entries]) => entries.flatMap(({ dies }) => (dies === undefined ? [] : [{ name, text: dies }])));
    const died = checkDeaths(file, { recorded, stderr: ended.stderr, implementation });
    const nodes = onNodesChannel(file);
    for (const [name, entries] of logs) {
      if (/^(P|[WC]\d)/.test(name) && !nodes.includes(name)) checkImplementation(entries, implementation, `${path.basename(file)} ${name}`);
      for (const { subject, line } of normalise(entries)) {
        const key = `${name} ${subject}`;
        const lines = traces.get(key) ?? [];
        traces.set(key, lines);
        lines.push(plain(line, directory, port));
      }
    }
    return { ...ended, stdout: plain(ended.stdout, directory, port), implementation, traces, died };
  } finally {
    await new Promise((resolve) => claim.close(resolve));
    rmSync(directory, { recursive: true, force: true });
  }
}

/**
 * What each process has recorded, under its name. In a program of `child_process.fork` only the parent
 * knows what a child is called: the logs there are named by pid, and each tells of its children.
 */
function readLogs(directory: string): [name: string, entries: Entry[]][] {
  const logs = readdirSync(directory).filter((name) => name.endsWith('.log')).map((log): [string, Entry[]] =>
    [log.slice(0, -4), readFileSync(path.join(directory, log), 'utf8').trimEnd().split('\n').map((line) => JSON.parse(line) as Entry)]);
  const parents = new Map(logs.flatMap(([name, entries]) => entries.flatMap(({ child, as }) => (child === undefined ? [] : [[String(child), { name, as }]]))));
  const nameOf = (log: string): string => {
    const parent = parents.get(log);
    if (parent === undefined) return /^\d+$/.test(log) ? 'P' : log;
    const of = nameOf(parent.name);
    return of === 'P' ? `${parent.as}` : `${of}.${parent.as}`;
  };
  return logs.map(([log, entries]): [string, Entry[]] => [nameOf(log), entries.filter(({ child }) => child === undefined)])
    .sort(([one], [other]) => (one < other ? -1 : 1));
}

interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Its workers hold its stdout, so 'close' means that all of them have ended. */
function runProgram(node: string, args: string[], env: NodeJS.ProcessEnv, cwd: string, deadline: number): Promise<Ended> {
  return new Promise((resolve, reject) => {
    // A process group of its own, so that the deadline reaches its workers as well.
    const child = spawn(node, args, { cwd, env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
    let stdout = '';
    let stderr = '';
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      process.kill(-(child.pid as number), 'SIGKILL');
    }, deadline);
    child.stdout.setEncoding('utf8').on('data', (text: string) => { stdout += text; });
    child.stderr.setEncoding('utf8').on('data', (text: string) => { stderr += text; });
    child.on('error', (error) => {
      clearTimeout(timer);
      reject(error);
    });
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      if (!late) return resolve({ code, signal, stdout, stderr });
      const seen = readdirSync(cwd).filter((name) => name.endsWith('.log'))
        .map((name) => `${name}:\n${readFileSync(path.join(cwd, name), 'utf8')}`).join('');
      reject(new Error(`${args.join(' ')} missed its deadline of ${deadline} ms\n${seen}${stdout}${stderr}`));
    });
  });
}

/** The test runner's own variables must not reach what is tested. */
function cleanEnvironment(): NodeJS.ProcessEnv {
  const clean = { ...process.env };
  for (const name of Object.keys(clean)) {
    if (/^(VITEST|TINYPOOL|NODE_|TEST$|MODE$|PROD$|DEV$|SSR$|DIFF_)/.test(name)) delete clean[name];
  }
  return clean;
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

// ── normalising ──────────────────────────────────────────────────────────────────────────────────

type Message = Record<string, unknown>;

/** A line of a log, as `observe.js` writes it: a text, or a cluster message. */
interface Entry {
  readonly subject: string;
  readonly text?: string;
  readonly implementation?: Implementation;
  readonly way?: 'sent' | 'received';
  readonly message?: Message;
  readonly handle?: boolean;
  /** The scenario wants the two directions compared apart. */
  readonly apart?: boolean;
  /** The pid of a forked child, and what its parent calls it. */
  readonly child?: number;
  readonly as?: string;
  /** The exception by which the process ends. */
  readonly dies?: string;
}

/** What the recorder writes by itself, whatever the scenario does. */
const isOfTheRecorder = ({ implementation, subject, text, dies }: Entry): boolean => implementation !== undefined || dies !== undefined || (subject === 'self' && /^exits with /.test(text ?? ''));

interface Placed {
  readonly subject: string;
  readonly line: string;
}

/** Numbers of one conversation: which of my messages does this reply answer? */
interface Conversation {
  readonly names: Map<unknown, string>;
  readonly counts: Map<string, number>;
  /** Hand-offs not answered yet, by seq (D2). */
  handOffs: number[];
}

function normalise(entries: readonly Entry[]): Placed[] {
  const conversations = new Map<string, Conversation>();
  const conversation = (subject: string, way: string): Conversation => {
    const key = `${subject} ${way}`;
    const known = conversations.get(key) ?? { names: new Map(), counts: new Map(), handOffs: [] };
    conversations.set(key, known);
    return known;
  };
  return entries.flatMap((entry): Placed[] => {
    const { subject, text, way, message, handle, apart, dies } = entry;
    if (dies !== undefined) return [];
    if (way === undefined || message === undefined) return [{ subject, line: text ?? '' }];
    const place = apart === true ? `${subject} ${way}` : subject;
    const mine = conversation(subject, way);
    const theirs = conversation(subject, way === 'sent' ? 'received' : 'sent');
    const { cmd: _cmd, seq, ack, act, ...fields } = message;
    // Our trace does not show ticket keys (trace.ts); that the workers get them the scenarios of TLS see.
    if (fields['data'] !== null && fields['data'] !== undefined) fields['data'] = '[redacted]';
    const withHandle = handle === true ? ' with a handle' : '';

    // D2: Node answers each hand-off by itself, ours all of a turn together. Both become one line for
    // each answered connection, apart from the other messages, among which they come at other times.
    const answers = handOffAnswers(message, theirs);
    if (answers !== null) {
      // A full worker refuses as often as it is asked, so only who took a connection counts.
      return answers.filter(({ accepted }) => accepted).map(({ key }) => ({ subject: `${subject} newconn`, line: `accepted by ${way === 'sent' ? 'us' : subject} key=${key}` }));
    }
    if (act === 'newconn') {
      mine.handOffs.push(seq as number);
      mine.names.set(seq, String(fields['key']));
      return [];
    }
    if (ack !== undefined) {
      return [{ subject: place, line: `${way} reply to ${theirs.names.get(ack) ?? 'nothing'} ${JSON.stringify(fields)}${withHandle}` }];
    }
    const count = (mine.counts.get(String(act)) ?? 0) + 1;
    mine.counts.set(String(act), count);
    mine.names.set(seq, `${String(act)} ${count}`);
    return [{ subject: place, line: `${way} ${String(act)} ${JSON.stringify(fields)}${withHandle}` }];
  });
}

/** The hand-offs that this message answers; null if it is no such answer. */
function handOffAnswers(message: Message, asked: Conversation): { key: string; accepted: boolean }[] | null {
  const { act, ack, accepted, upTo, rejected } = message;
  if (act !== 'accepted' && typeof accepted !== 'boolean') return null;
  const answered = act === 'accepted' ? asked.handOffs.filter((seq) => seq <= (upTo as number)) : asked.handOffs.filter((seq) => seq === ack);
  asked.handOffs = asked.handOffs.filter((seq) => !answered.includes(seq));
  return answered.map((seq) => ({
    key: asked.names.get(seq) ?? '',
    accepted: act === 'accepted' ? !(rejected as number[] | undefined)?.includes(seq) : accepted === true,
  }));
}

/** Takes out of a line what differs from run to run. */
function plain(line: string, directory: string, port: number): string {
  return line
    .replaceAll(directory, '<dir>')
    .replaceAll(root, '<root>')
    .replace(new RegExp(`\\b${Math.floor(port / 10)}(\\d)\\b`, 'g'), '<port $1>')
    .replace(/(port"?: ?)([1-9]\d{3,4})\b/g, '$1<port>')
    .replace(/(\d|\]|::|null):([1-9]\d{3,4})\b/g, '$1:<port>')
    .replace(/(fd"?: ?)([3-9]|\d\d)\b/g, '$1<fd>')
    .replace(/null:null:null:\d+/g, 'null:null:null:<fd>');
}

// ── comparing ────────────────────────────────────────────────────────────────────────────────────

export interface CompareOptions {
  readonly scenario: string;
  readonly rules?: readonly Rule[];
  /** The major version that both ran on. */
  readonly major?: number;
}

/** Where the two differ, after the rules have taken out what may; empty if nowhere. */
export function compare(stock: Trace, ours: Trace, { scenario, rules = [], major = nodeMajor() }: CompareOptions): Difference[] {
  const differences: Difference[] = [];
  const left = copy(stock.traces);
  const right = copy(ours.traces);
  const apply = rules.filter((rule) => applies(rule, scenario, major));
  for (const rule of apply) {
    for (const pattern of rule.cut ?? []) cutOut(pattern, left, right, rule, differences);
    for (const line of rule.stockOnly ?? []) takeOut(line, left, right, rule, 'stock', differences);
    for (const line of rule.oursOnly ?? []) takeOut(line, right, left, rule, 'ours', differences);
  }
  for (const where of [...new Set([...left.keys(), ...right.keys()])].sort()) {
    const lines = settleEnd(left.get(where) ?? [], right.get(where) ?? []);
    const at = firstDifference(lines.stock, lines.ours);
    if (at !== -1) differences.push({ where, stock: excerpt(lines.stock, at), ours: excerpt(lines.ours, at) });
  }
  const ends = [stock, ours].map(({ code, signal }) => `code ${code}, signal ${signal}`) as [string, string];
  if ((ends[0] !== ends[1]) !== apply.some((rule) => rule.exit === true)) {
    differences.push({ where: 'exit', stock: `${ends[0]}
${stock.stderr}`, ours: `${ends[1]}
${ours.stderr}` });
  }
  for (const death of staleDeaths(scenarioFile(scenario), [...stock.died, ...ours.died], major)) {
    differences.push({ where: 'deaths', stock: `no such end: ${death}`, ours: `no such end: ${death}` });
  }
  if (stock.stdout !== ours.stdout) differences.push({ where: 'stdout', stock: stock.stdout, ours: ours.stdout });
  return differences;
}

/** A difference as a person wants to read it. */
export function describeDifference({ where, stock, ours }: Difference): string {
  const indent = (text: string): string => text.split('\n').map((line) => `    ${line}`).join('\n');
  return `${where}\n  stock:\n${indent(stock)}\n  ours:\n${indent(ours)}`;
}

/**
 * The end of a worker is told as 'disconnect', then 'exit' (P-5). When its last message, the end of
 * its channel and its death reach the primary in one turn, the two may come the other way round, under
 * Node as under ours. Where that has happened in one of the two runs, and right after a message or
 * what it caused, both are brought to the usual order; what was looked at in between is left out, and
 * which of the two is the last state.
 */
function settleEnd(stock: string[], ours: string[]): { stock: string[]; ours: string[] } {
  if (endsReversed(stock) === endsReversed(ours)) return { stock, ours };
  const settle = (lines: readonly string[]): string[] => {
    const events = lines.filter((line) => !/^at (process )?'/.test(line));
    const first = events.findIndex((line) => isExit(line) || isDisconnect(line));
    const end = events.slice(first).map((line) => line.replace(/state: '(dead|disconnected)'/, 'state: <ended>'));
    const others = end.filter((line) => !isDisconnect(line) && !isOfEmptyTable(line));
    return [...events.slice(0, first), ...end.filter(isDisconnect), ...end.filter(isOfEmptyTable), ...others];
  };
  return { stock: settle(stock), ours: settle(ours) };
}

const isExit = (line: string): boolean => /^(worker|cluster|child) 'exit'/.test(line);
/** What `cluster.disconnect` calls when the table is empty: with the second of the two, before an 'exit' that is it (C-41). */
const isOfEmptyTable = (line: string): boolean => /^(callback \d|in the callback:)/.test(line);
const isDisconnect = (line: string): boolean => /^(worker|cluster|child) 'disconnect'/.test(line);

/** A message, or what comes of one in the same turn. */
const ofAMessage = /^(received |sent reply |(worker|cluster|child) '(message|online|listening)'|at '(online|listening)')/;

function endsReversed(lines: readonly string[]): boolean {
  const exit = lines.findIndex(isExit);
  const disconnect = lines.findIndex(isDisconnect);
  return exit > 0 && exit < disconnect && ofAMessage.test(lines[exit - 1] as string);
}

const applies = (rule: Rule, scenario: string, major: number): boolean =>
  [rule.scenario].flat().includes(scenario) && (rule.versions?.includes(major) ?? true);

function cutOut(pattern: RegExp, stock: Traces, ours: Traces, rule: Rule, differences: Difference[]): void {
  const matched = (traces: Traces): string => [...traces].sort().flatMap(([key, lines]) =>
    lines.filter((line) => pattern.test(line)).map((line) => `${key}: ${line}`)).join('\n');
  if (matched(stock) === matched(ours)) {
    differences.push({ where: `rule ${rule.number} (${String(pattern)})`, stock: 'the same without it', ours: 'the same without it' });
  }
  for (const traces of [stock, ours]) {
    for (const [key, lines] of traces) traces.set(key, lines.map((line) => line.replace(pattern, '')).filter((line) => line !== ''));
  }
}

function takeOut(line: Line, from: Traces, other: Traces, rule: Rule, side: Implementation, differences: Difference[]): void {
  const count = (traces: Traces): number => (traces.get(line.of) ?? []).filter((text) => line.matches.test(text)).length;
  const stale = count(from) === 0 || count(other) > 0;
  if (stale) {
    const says = (traces: Traces): string => (traces.get(line.of) ?? []).join('\n');
    const [stock, ours] = side === 'stock' ? [from, other] : [other, from];
    differences.push({ where: `rule ${rule.number} (${String(line.matches)} of ${line.of}, ${side} only)`, stock: says(stock), ours: says(ours) });
  }
  const left = (from.get(line.of) ?? []).filter((text) => !line.matches.test(text));
  if (left.length > 0) from.set(line.of, left);
  else from.delete(line.of);
}

const copy = (traces: Traces): Traces => new Map([...traces].map(([key, lines]) => [key, [...lines]]));

function firstDifference(stock: readonly string[], ours: readonly string[]): number {
  const length = Math.max(stock.length, ours.length);
  for (let at = 0; at < length; at++) if (stock[at] !== ours[at]) return at;
  return -1;
}

/** The line in question, marked, between its neighbours. */
function excerpt(lines: readonly string[], at: number): string {
  const from = Math.max(0, at - 3);
  const shown = lines.slice(from, at + 4).map((line, index) => `${from + index === at ? '►' : ' '} ${line}`);
  if (at >= lines.length) shown.push('► (nothing more)');
  return shown.join('\n');
}

function nodeMajor(): number {
  return Number(process.versions.node.split('.')[0]);
}
