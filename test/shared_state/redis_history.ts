/**
 * Plays a history over a real Redis: two machines with a primary and three workers each, which are killed; Redis itself is
 * killed and started again, stopped for a while, or flushed. Then what everybody saw must be linearizable.
 *
 * Used by  redis_history.test.ts, a sample; redis_hunt.ts, as many as wanted
 */
import assert from 'node:assert';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Program } from '../support/program';
import { RedisServer } from '../support/redis_server';
import { seeded } from '../support/seeded';
import { callsOf, expectLinearizable, type Call, type Line as HistoryLine } from './history';

/** What happens to Redis: it is killed and starts again; is stopped for longer than the calls wait, and goes on; is emptied. */
export type Blow = 'restart' | 'stop' | 'flush';

/** What to play. `operations`: of each process. `kills`: of workers of each machine. */
export interface Play { readonly seed: number; readonly operations: number; readonly kills: number; readonly blows: readonly Blow[] }

/** The result of a play. `overlaps`: how often two processes held a lock at the same time, because a flush had deleted the lease of the first. */
export interface Played {
  readonly calls: number;
  readonly unknown: number;
  readonly killed: number;
  readonly entered: number;
  readonly overlaps: number;
  readonly errors: Readonly<Record<string, number>>;
}

/** A line of redis_machine.ts: of a call, of the critical section, of an error, or of a worker that was killed. */
export interface Line extends HistoryLine {
  readonly enter?: string;
  readonly leave?: string;
  readonly dead?: string;
  readonly token?: number;
  readonly until?: string;
  readonly error?: string;
}

/** `at`: before it was asked for. `revision`: of the data that it has removed, so it is the greatest token in that. */
interface Flush { readonly at: string; readonly revision: number }

const MACHINES = 2;
const WORKERS = 3;
/** Milliseconds for which Redis is stopped. The machines' calls wait for 2000. */
const STOPPED_MS = 2500;

/** Plays one history and checks it. Throws if it is not what was promised. */
export async function playHistory({ seed, operations, kills, blows }: Play): Promise<Played> {
  const directory = mkdtempSync(path.join(tmpdir(), 'redis-history-'));
  const log = path.join(directory, 'log');
  const server = new RedisServer();
  const flushes: Flush[] = [];
  try {
    await server.start();
    const machines = Array.from({ length: MACHINES }, (_, n) => new Program(path.join(__dirname, 'redis_machine.ts'), {
      args: [server.path, log, seed * MACHINES + n, WORKERS, operations, kills].map(String), execArgv: ['--require', 'tsx/cjs'], deadline: 120_000,
    }));
    const ended = Promise.all(machines.map((machine) => machine.ended));
    try {
      await beat(server, log, blows, seeded(seed), operations * MACHINES * (WORKERS + 1), ended, flushes);
      for (const { code, stderr } of await ended) assert.deepEqual([stderr.replaceAll(/.*(?:SHARED_STATE_|trace-warnings).*\n/g, ''), code], ['', 0]);
    } finally {
      await Promise.all(machines.map((machine) => machine.stop()));
    }
    return check(readFileSync(log, 'utf8').trimEnd().split('\n').map((line) => JSON.parse(line) as Line), flushes);
  } finally {
    await server.end();
    rmSync(directory, { recursive: true });
  }
}

/** Gives Redis its blows, spread over the history: each when so many calls are in the log. */
async function beat(server: RedisServer, log: string, blows: readonly Blow[], below: (most: number) => number, calls: number, ended: Promise<unknown>, flushes: Flush[]): Promise<void> {
  let over = false;
  void ended.catch(() => undefined).then(() => { over = true; });
  for (const [at, blow] of blows.entries()) {
    // Two lines for each call, and some more.
    const from = ((at + below(100) / 100) / (blows.length + 0.5)) * calls * 2;
    while (!over && linesIn(log) < from) await new Promise((resolve) => setTimeout(resolve, 2));
    if (over) return;
    if (blow === 'flush') {
      const client = await server.connect();
      const begin = String(process.hrtime.bigint());
      // Redis does these three at one moment, so no token is granted between the second and the flush.
      const [, , , done] = await Promise.all([['MULTI'], ['HGET', '{history}:meta', 'revision'], ['FLUSHALL'], ['EXEC']].map((words) => client.sendCommand(words)));
      const [revision] = done as [string | null];
      flushes.push({ at: begin, revision: Number(revision) });
      client.destroy();
    } else if (blow === 'stop') {
      await server.signal('SIGSTOP');
      await new Promise((resolve) => setTimeout(resolve, STOPPED_MS));
      await server.signal('SIGCONT');
    } else {
      await server.signal('SIGKILL');
      await server.start();
    }
  }
}

function linesIn(log: string): number {
  try {
    return readFileSync(log, 'latin1').split('\n').length;
  } catch {
    return 0; // No machine has begun.
  }
}

function check(lines: readonly Line[], flushes: readonly Flush[]): Played {
  const base = BigInt(lines[0]?.at ?? 0);
  const time = ({ at }: { readonly at: string }): number => Number(BigInt(at) - base);
  // As if somebody had begun to delete each key, and nobody knows when it was done.
  const deletions = flushes.flatMap(({ at }, n) => ['a', 'b', 'c', 'd', 'under lock'].map((key) => ({ at, call: `flush/${n}/${key}`, key, op: 'delete' })));
  const calls = callsOf([...lines, ...deletions], time);
  expectLinearizable(calls, ['a', 'b', 'c', 'd']);
  expectFenced(calls);
  const errors: Record<string, number> = {};
  for (const { error } of lines) if (error !== undefined) errors[error] = (errors[error] ?? 0) + 1;
  assert(flushes.length === 0 || (errors['ERR_SHARED_STATE_LOST'] ?? 0) > 0, 'nobody was told that the data was lost');
  return {
    calls: calls.length - deletions.length,
    unknown: calls.filter(({ end, call }) => end === Infinity && call?.startsWith('flush') !== true).length,
    killed: lines.filter(({ dead }) => dead !== undefined).length,
    ...expectExclusive(lines, time, flushes),
    errors,
  };
}

/** The writes that a lease has fenced are in the order of their tokens. */
function expectFenced(calls: readonly Call[]): void {
  const written = calls.filter(({ key, end }) => key === 'under lock' && end !== Infinity)
    .map((call) => ({ token: Number(Reflect.get(call, 'token')), version: call.result?.version ?? 0 })).sort((one, other) => one.version - other.version);
  for (const [at, { token }] of written.entries()) assert(token >= (written[at - 1]?.token ?? 0), `a write with token ${token} came after one with a greater token`);
}

/**
 * Whoever gets the lock enters after all earlier holders have left, or their leases have ended. Tokens tell who was earlier.
 * A flush forgets who holds the lock: only of two holders with a flush between their tokens both may be inside, also if the
 * first has noted its lease after the flush, or after the second.
 */
export function expectExclusive(lines: readonly Line[], time: (line: { readonly at: string }) => number, flushes: readonly Pick<Flush, 'revision'>[]): Pick<Played, 'entered' | 'overlaps'> {
  const left = new Map(lines.flatMap((line) => (line.leave === undefined ? [] : [[line.token, time(line)] as const])));
  const sections = lines.flatMap(({ enter, token = 0, until = '0', at }) => (enter === undefined ? []
    : [{ enter, token, from: time({ at }), to: Math.min(time({ at: until }), left.get(token) ?? Infinity) }])).sort((one, other) => one.token - other.token);
  let overlaps = 0;
  for (const [index, other] of sections.entries()) {
    for (const one of sections.slice(0, index)) {
      assert(one.token < other.token, `${one.enter} and ${other.enter} have the same token ${one.token}`);
      if (one.to <= other.from) continue;
      const isForgotten = flushes.some(({ revision }) => one.token <= revision && revision < other.token);
      assert(isForgotten, `${one.enter} (token ${one.token}) is inside from ${one.from} to ${one.to}, and ${other.enter} (token ${other.token}) enters at ${other.from}`);
      if (one.from <= other.to) overlaps++;
    }
  }
  return { entered: sections.length, overlaps };
}
