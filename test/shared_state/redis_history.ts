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

/** What was seen. */
export interface Played { readonly calls: number; readonly unknown: number; readonly killed: number; readonly entered: number; /** Leases that were asked for before a flush, and noted after it, while another one was granted. */ readonly straddled: number; readonly errors: Readonly<Record<string, number>> }

interface Line extends HistoryLine {
  readonly enter?: string;
  readonly leave?: string;
  readonly dead?: string;
  readonly token?: number;
  readonly until?: string;
  readonly error?: string;
  readonly flush?: string;
}

const MACHINES = 2;
const WORKERS = 3;
/** Milliseconds for which Redis is stopped. The machines' calls wait for 2000. */
const STOPPED_MS = 2500;
/** For how long a lease of redis_machine.ts is held, in milliseconds. */
const LEASE_MS = 1000;

/** Plays one history and checks it. Throws if it is not what was promised. */
export async function playHistory({ seed, operations, kills, blows }: Play): Promise<Played> {
  const directory = mkdtempSync(path.join(tmpdir(), 'redis-history-'));
  const log = path.join(directory, 'log');
  const server = new RedisServer();
  const flushes: HistoryLine[] = [];
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
async function beat(server: RedisServer, log: string, blows: readonly Blow[], below: (most: number) => number, calls: number, ended: Promise<unknown>, flushes: HistoryLine[]): Promise<void> {
  let over = false;
  void ended.catch(() => undefined).then(() => { over = true; });
  for (const [at, blow] of blows.entries()) {
    // Two lines for each call, and some more.
    const from = ((at + below(100) / 100) / (blows.length + 0.5)) * calls * 2;
    while (!over && linesIn(log) < from) await new Promise((resolve) => setTimeout(resolve, 2));
    if (over) return;
    if (blow === 'flush') {
      const client = await server.connect();
      // As if somebody had begun to delete each key, and nobody knows when it was done.
      const begin = String(process.hrtime.bigint());
      for (const key of ['a', 'b', 'c', 'd', 'under lock']) flushes.push({ at: begin, call: `flush/${at}/${key}`, key, op: 'delete' } as HistoryLine);
      await client.sendCommand(['FLUSHALL']);
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

function check(lines: readonly Line[], flushes: readonly HistoryLine[]): Played {
  const base = BigInt(lines[0]?.at ?? 0);
  const time = ({ at }: { readonly at: string }): number => Number(BigInt(at) - base);
  const calls = callsOf([...lines, ...flushes], time);
  expectLinearizable(calls, ['a', 'b', 'c', 'd']);
  expectFenced(calls);
  const { entered, straddled } = expectExclusive([...lines].sort((one, other) => time(one) - time(other)), time, flushes.map(time));
  const errors: Record<string, number> = {};
  for (const { error } of lines) if (error !== undefined) errors[error] = (errors[error] ?? 0) + 1;
  assert(flushes.length === 0 || (errors['ERR_SHARED_STATE_LOST'] ?? 0) > 0, 'nobody was told that the data was lost');
  return {
    calls: calls.length - flushes.length,
    unknown: calls.filter(({ end, call }) => end === Infinity && call?.startsWith('flush') !== true).length,
    killed: lines.filter(({ dead }) => dead !== undefined).length,
    entered,
    straddled,
    errors,
  };
}

/** The writes that a lease has fenced are in the order of their tokens. */
function expectFenced(calls: readonly Call[]): void {
  const written = calls.filter(({ key, end }) => key === 'under lock' && end !== Infinity)
    .map((call) => ({ token: Number(Reflect.get(call, 'token')), version: call.result?.version ?? 0 })).sort((one, other) => one.version - other.version);
  for (const [at, { token }] of written.entries()) assert(token >= (written[at - 1]?.token ?? 0), `a write with token ${token} came after one with a greater token`);
}

/** Who enters has a greater token than all before, and finds nobody inside who lives and whose lease lasts. */
function expectExclusive(lines: readonly Line[], time: (line: { readonly at: string }) => number, flushes: readonly number[]): Pick<Played, 'entered' | 'straddled'> {
  const dead = new Map(lines.flatMap((line) => (line.dead === undefined ? [] : [[line.dead, time(line)] as const])));
  let inside: Line | undefined;
  let greatest = 0;
  let entered = 0;
  let straddled = 0;
  for (const line of lines) {
    if (line.enter !== undefined) {
      entered++;
      assert((line.token ?? 0) > greatest, `token ${line.token ?? 0} was granted after ${greatest}`);
      greatest = line.token ?? 0;
      if (inside !== undefined) {
        const { enter = '', until = '0' } = inside;
        const isOver = dead.has(enter) || time({ at: until }) <= time(line);
        // A flush forgets who holds the lock, also of a lease that was granted before it and noted after it. A lease is
        // counted from the moment when it was asked for.
        const [noted, asked] = [time(inside), time({ at: until }) - LEASE_MS * 1e6];
        const flush = flushes.findLast((each) => each >= asked && each <= time(line));
        assert(isOver || flush !== undefined, `${enter} is inside when ${line.enter} enters: asked ${asked}, noted ${noted}, the other one at ${time(line)}, flushes at ${flushes.join()}`);
        if (!isOver && flush !== undefined && flush < noted) straddled++;
      }
      inside = line;
    } else if (line.leave !== undefined && line.token === inside?.token) {
      inside = undefined;
    }
  }
  return { entered, straddled };
}
