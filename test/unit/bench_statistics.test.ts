/** The arithmetic of the benchmark, and that a row of it runs. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { figure, goals, reached } from '../../bench/figures';
import { installed } from '../../bench/installed';
import { pin } from '../../bench/pinning';
import { LEGEND, markdownReport, terminalTable } from '../../bench/report';
import { differences, jain, median, medianWithin, quantile, ratios, spread } from '../../bench/statistics';
import { root, run } from '../support/program';

describe('statistics', () => {
  test('the median is the middle, or between the two in the middle', () => {
    expect(median([3, 1, 2])).toBe(2);
    expect(median([4, 1, 3, 2])).toBe(2.5);
    expect(median([10, 9])).toBe(9.5);
    expect(() => median([])).toThrow('no samples');
  });

  test('quantiles are interpolated, and leave the samples in their order', () => {
    const samples = [5, 1, 3];
    expect(quantile(samples, 0.25)).toBe(2);
    expect(samples).toEqual([5, 1, 3]);
    expect(spread(samples)).toEqual({ median: 3, low: 1, high: 5, q1: 2, q3: 4 });
  });

  test('the interval of the median: most samples lie outside if there are many, none if there are few', () => {
    expect(medianWithin(Array.from({ length: 100 }, (_, at) => 100 - at))).toEqual([40, 61]); // As the table of the sign test has it.
    expect(medianWithin([3, 1, 2])).toEqual([1, 3]);
    expect(medianWithin(Array.from({ length: 6 }, (_, at) => at))).toEqual([0, 5]);
    expect(() => medianWithin([])).toThrow('no samples');
  });

  test('ratios and differences are taken pair by pair', () => {
    expect(ratios([2, 9], [1, 3])).toEqual([2, 3]);
    expect(differences([2, 9], [1, 0])).toEqual([1, 9]);
    expect(() => ratios([1], [1, 2])).toThrow('1 samples against 2');
  });

  test('Jain\'s index is 1 for equal shares and 1/n for one share of all', () => {
    expect(jain([5, 5, 5, 5])).toBe(1);
    expect(jain([8, 0, 0, 0])).toBe(0.25);
    expect(jain([0, 0])).toBe(1);
  });
});

describe('figures', () => {
  const rate = (ours: number[]) => figure(
    { id: 'tcp-rate', title: 'connections/s', unit: '/s', better: 'higher' }, { name: 'ours RR', samples: ours }, { name: 'stock RR', samples: [100, 100, 100] },
  );

  test('the median of the pairs is held against the goal', () => {
    expect(reached(rate([180, 180, 180]))).toBe('stretch');
    expect(reached(rate([100, 150, 200]))).toBe('yes');
    expect(reached(rate([139, 139, 500]))).toBe('NO');
  });

  test('where less is better the goal is the most, and a difference may be 0', () => {
    const waiting = (ours: number) => figure(
      { id: 'blocked-half', title: 'waiting', unit: '', better: 'lower', compare: 'difference' }, { name: 'ours RR', samples: [ours] }, { name: 'stock RR', samples: [1] },
    );
    expect([1, 3, 4].map((ours) => reached(waiting(ours)))).toEqual(['stretch', 'yes', 'NO']);
  });

  test('table and report show what was measured', () => {
    const machine = { node: '20.20.2', cpu: 'a CPU', cores: 2, memoryGiB: 8, kernel: '6.1', commit: 'abc', date: '2026-01-02T03:04:05Z', load: 0 };
    expect(terminalTable([rate([150, 160, 170])], true)).toMatch(/connections\/s +100 \/s +160 \/s +1\.6 +1\.5 … 1\.7 +≥ 1\.4 +≥ 1\.8 +yes/);
    expect(terminalTable([rate([150, 160, 170])])).toMatch(/connections\/s +100 \/s +160 \/s +1\.6 +≥ 1\.4 \(≥ 1\.8\) +yes/);
    const charts = [{ title: 'Rate', unit: '/s', labels: ['stock', 'ours'], values: [100, 160] }];
    const report = markdownReport({ machine, pairs: 3, seconds: 60, figures: [rate([150, 160, 170])], charts, notes: ['wrk: not installed'] });
    expect(report).toContain('Node 20.20.2, 2 CPUs (a CPU)');
    expect(report).toContain('| connections/s | 100 /s | 160 /s | 1.6 | 1.5 … 1.7 | ≥ 1.4 | ≥ 1.8 | yes |');
    expect(report).toContain('    x-axis ["stock", "ours"]\n    y-axis "/s" 0 --> 176\n    bar [100, 160]');
    expect(report).toContain('Not measured: wrk: not installed.');
  });
});

test('the table for a terminal and its legend fit 100 columns, whatever the titles are', () => {
  const title = '1 of 4 workers is blocked for 2 s, 2442/s: connections that wait > 100 ms, and some more words';
  const long = figure({ id: 'tcp-rate', title, unit: 'MB/s', better: 'higher' }, { name: 'ours NONE', samples: [1234567] }, { name: 'stock NONE', samples: [7654321] });
  const lines = `${terminalTable([long, long])}\n${LEGEND}`.split('\n');
  expect(lines.filter((line) => line.length > 100)).toEqual([]);
  expect(lines.join(' ').replace(/\s+/g, ' ')).toContain('and some more words');
});

test('the goals about messages are about objects, which is what programs send', () => {
  const ofMessages = Object.keys(goals).filter((id) => /^(oneway|roundtrip|broadcast)-/.test(id));
  expect(ofMessages.length).toBeGreaterThan(0);
  expect(ofMessages.filter((id) => !/-object-\d+(-up)?(-one-cpu)?$/.test(id))).toEqual([]);
});

test('a process is kept on one CPU and set free again; without taskset nothing happens', async () => {
  const child = spawn(process.execPath, ['-e', 'process.stdin.resume()'], { stdio: ['pipe', 'ignore', 'inherit'] });
  await once(child, 'spawn');
  const pid = child.pid as number;
  const allowed = () => /^Cpus_allowed_list:\s+(\S+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  const all = allowed();
  const can = installed('taskset') !== null;
  expect(pin([pid], 1)).toBe(can);
  expect(allowed()).toEqual(can ? expect.stringMatching(/^\d+$/) : all);
  expect(pin([pid], 'all')).toBe(can);
  expect(allowed()).toBe(all);
  child.stdin.end();
  await once(child, 'exit');
});

test('a row runs, prints its table and leaves no process', async () => {
  const { code, stdout, stderr } = await run(path.join(root, 'bench/run.ts'), { execArgv: ['--require', 'tsx/cjs'], args: ['--quick', 'pick'] });
  expect(stderr).toContain('── pick took');
  expect(stdout).toMatch(/the choice among 16 workers, sticky .* ≤ 1,000/);
  expect(code).toBe(0);
});

test('an unknown row is named, and the exit code says so', async () => {
  const { code, stderr } = await run(path.join(root, 'bench/run.ts'), { execArgv: ['--require', 'tsx/cjs'], args: ['nonsense'] });
  expect(stderr).toContain('no such row: nonsense');
  expect(code).toBe(2); // A wrong argument.
});
