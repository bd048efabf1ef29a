// Guards how the tools print: no escape codes outside a terminal, few lines of progress there, tables within 100 columns.
import { afterEach, describe, expect, test, vi } from 'vitest';
import { Progress, WIDTH, columns, counted, duration, paint } from '../support/terminal';

const terminal = { isTTY: true } as NodeJS.WriteStream;
const file = { isTTY: false } as NodeJS.WriteStream;

afterEach(() => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
});

test('colour appears on a terminal, and not with NO_COLOR or in a file', () => {
  vi.stubEnv('NO_COLOR', undefined);
  expect(paint('red', 'text', terminal)).toBe('\x1b[31mtext\x1b[39m');
  expect(paint('red', 'text', file)).toBe('text');
  vi.stubEnv('NO_COLOR', '1');
  expect(paint('red', 'text', terminal)).toBe('text');
  vi.stubEnv('NO_COLOR', ''); // An empty one counts as not set: https://no-color.org
  expect(paint('red', 'text', terminal)).toBe('\x1b[31mtext\x1b[39m');
});

test.each([[1, '1 s'], [44_600, '45 s'], [180_000, '3 min'], [4_800_000, '80 min'], [6_300_000, '1 h 45 min']])('%i ms are %s', (milliseconds, text) => {
  expect(duration(milliseconds)).toBe(text);
});

test('a noun goes with its count', () => {
  expect([0, 1, 2].map((count) => counted(count, 'storm'))).toEqual(['0 storms', '1 storm', '2 storms']);
});

describe('progress', () => {
  const stream = process.stderr as { isTTY: boolean; columns: number };
  const { isTTY, columns: width } = stream;
  afterEach(() => Object.assign(stream, { isTTY, columns: width }));
  const printed = (): string[] => {
    const lines: string[] = [];
    vi.spyOn(process.stderr, 'write').mockImplementation((text) => lines.push(String(text)) > 0);
    return lines;
  };

  test('on a terminal it is one line, no wider than that, which is written over and removed', () => {
    Object.assign(stream, { isTTY: true, columns: 20 });
    const lines = printed();
    const progress = new Progress(3);
    progress.step('nothing found so far');
    progress.step('nothing found so far');
    progress.clear();
    expect(lines).toEqual(['\r\x1b[K1 of 3, nothing fou', '\r\x1b[K2 of 3, nothing fou', '\r\x1b[K']);
  });

  test('elsewhere it is a line now and then, without escape codes', () => {
    Object.assign(stream, { isTTY: false });
    const lines = printed();
    let now = 0;
    vi.spyOn(performance, 'now').mockImplementation(() => now);
    const progress = new Progress(200);
    for (let step = 0; step < 200; step++) {
      now += 1000;
      progress.step('all well');
    }
    progress.clear();
    expect(lines).toHaveLength(6);
    expect(lines[0]).toBe('30 of 200, all well, about 3 min left\n');
  });
});

test('a table fits its width: the widest column goes on in the next line', () => {
  const rows = [['clause', 'scenarios'], ['Q-1', Array.from({ length: 30 }, (_, at) => `scenario-${at}`).join(', ')], ['Q-2', 'one']];
  const lines = columns(rows).split('\n');
  expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(WIDTH);
  expect(lines[0]).toBe('clause  scenarios');
  expect(lines.at(-1)).toBe('Q-2     one');
  expect(lines.slice(1, -1).join(' ').replace(/\s+/g, ' ')).toBe((rows[1] as string[]).join(' '));
});
