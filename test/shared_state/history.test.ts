/**
 * 16 workers use the shared state at once, and some of them are killed. Afterwards the history of each key must be
 * linearizable, and the lock must have had one holder at a time. To run longer and more histories:
 * `SHARED_STATE_OPERATIONS=400 SHARED_STATE_SEEDS=20`.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { seeded } from '../support/children';
import { root, run } from '../support/program';
import { callsOf, expectLinearizable, type Line as HistoryLine } from './history';
import { isLinearizable, type Action } from './linearizable';

const OPERATIONS = Number(process.env['SHARED_STATE_OPERATIONS'] ?? 60);
const SEEDS = Number(process.env['SHARED_STATE_SEEDS'] ?? 1);
const WORKERS = 16;
const KILLS = 5;

interface Line extends HistoryLine {
  readonly enter?: number;
  readonly leave?: number;
  readonly token?: number;
  readonly exit?: number;
  readonly how?: string | number;
}

describe('real workers', () => {
  for (let seed = 1; seed <= SEEDS; seed++) {
    for (const kind of ['ours', 'stock']) {
      test(`${WORKERS} workers, ${OPERATIONS} operations each, ${KILLS} killed, ${kind}, seed ${seed}`, { timeout: 120_000 }, async () => {
        const directory = mkdtempSync(path.join(tmpdir(), 'shared-state-'));
        try {
          const file = path.join(directory, 'log');
          const args = [kind, file, seed, WORKERS, OPERATIONS, KILLS].map(String);
          const { code, stderr } = await run(path.join(root, 'test/fixtures/shared_state_history.js'), { args, deadline: 100_000 });
          expect([stderr, code]).toEqual(['', 0]);
          check(readFileSync(file, 'utf8').trimEnd().split('\n').map((line) => JSON.parse(line) as Line));
        } finally {
          rmSync(directory, { recursive: true });
        }
      });
    }
  }
});

function check(lines: Line[]): void {
  const base = BigInt(lines[0]?.at ?? 0);
  const time = ({ at }: HistoryLine): number => Number(BigInt(at) - base);
  expect(lines.filter(({ how }) => how === 'SIGKILL').length).toBe(KILLS);

  const calls = callsOf(lines, time);
  expect(calls.filter(({ end }) => end !== Infinity).length).toBeGreaterThanOrEqual(WORKERS * OPERATIONS);
  expectLinearizable(calls, ['a', 'b', 'c', 'd']);

  // The lock: each worker that enters has a greater token than the one before, and enters after that one has left or was killed.
  const sections = lines.filter(({ enter, leave }) => enter !== undefined || leave !== undefined).sort((one, other) => time(one) - time(other));
  const dead = new Set(lines.filter(({ how }) => how === 'SIGKILL').map(({ exit }) => exit));
  let inside: Line | undefined;
  let greatest = 0;
  for (const line of sections) {
    if (line.enter !== undefined) {
      if (inside !== undefined) expect(dead, `worker ${inside.enter} is inside when ${line.enter} enters`).toContain(inside.enter);
      expect(line.token).toBeGreaterThan(greatest);
      [inside, greatest] = [line, line.token as number];
    } else {
      expect(line.token).toBe(inside?.token);
      inside = undefined;
    }
  }
}

describe('the checker', () => {
  const get = (begin: number, end: number, value: unknown, version: number): Action => ({ op: 'get', begin, end, result: version === 0 ? null : { value, version } });
  const set = (begin: number, end: number, value: unknown, version?: number): Action => ({ op: 'set', begin, end, value, ...(version !== undefined && { result: { version } }) });
  const increment = (begin: number, end: number, value?: number, version = value ?? 0): Action => ({ op: 'increment', by: 1, begin, end, ...(value !== undefined && { result: { value, version } }) });

  test.each<[string, boolean, Action[]]>([
    ['reads of an absent key', true, [get(0, 1, undefined, 0)]],
    ['a write, then a read of what it wrote', true, [set(0, 1, 'x', 1), get(2, 3, 'x', 1)]],
    ['a read of the old value after a write', false, [set(0, 1, 'x', 1), set(2, 3, 'y', 2), get(4, 5, 'x', 1)]],
    ['a read of the old value during a write', true, [set(0, 1, 'x', 1), set(2, 5, 'y', 2), get(4, 6, 'x', 1)]],
    ['a read of the new value, then of the old one, during a write', false, [set(0, 1, 'x', 1), set(2, 9, 'y', 2), get(3, 4, 'y', 2), get(5, 6, 'x', 1)]],
    ['a lost update', false, [increment(0, 2, 1), increment(1, 3, 1)]],
    ['a killed write that took effect', true, [set(0, Infinity, 'x'), get(1, 2, undefined, 0), get(3, 4, 'x', 5)]],
    ['a killed write that did not', true, [set(0, Infinity, 'x'), get(1, 2, undefined, 0), set(3, 4, 'y', 1), get(5, 6, 'y', 1)]],
    ['a killed increment that took effect twice', false, [increment(0, Infinity), increment(1, 2, 3)]],
    ['a version that changed without a write', false, [set(0, 1, 'x', 1), get(2, 3, 'x', 2)]],
    ['two compareAndSet calls that both win', false, [set(0, 1, 'x', 1), ...[2, 3].map((version): Action => ({ op: 'compareAndSet', begin: 2, end: 5, expected: 1, value: version, result: { done: true, version } }))]],
  ])('%s: %s', (_name, expected, history) => expect(isLinearizable(history)).toBe(expected));

  test('finds an order for 300 operations that overlap', () => {
    const below = seeded(1);
    const many = Array.from({ length: 300 }, (_, n) => increment(n * 10 - below(150), n * 10 + below(150) + 1, n + 1));
    expect(isLinearizable(many)).toBe(true);
    const last = many.at(-1) as Action;
    expect(isLinearizable([...many.slice(0, -1), { ...last, result: { value: 299, version: 300 } }])).toBe(false);
  });
});
