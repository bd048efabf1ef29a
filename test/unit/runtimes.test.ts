/** How another runtime is judged: `npm run conformance -- --runtime bun`. */
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { play, tracesOf, type Played } from '../support/scenario_run';
import type { Entry } from '../support/trace_lines';
import { judge, measureOf } from '../differential/runtimes/judge';
import { markdown, page, type Matrix } from '../differential/runtimes/matrix';
import { runtimeOf } from '../differential/runtimes/runtime';

/** A run in which the primary saw these texts about a subject. */
function played(texts: Readonly<Record<string, readonly string[]>>, others: Partial<Played> = {}, entries: readonly Entry[] = []): Played {
  const own = Object.entries(texts).flatMap(([subject, lines]) => lines.map((text): Entry => ({ subject, text })));
  return { code: 0, signal: null, stdout: '', stderr: '', isLate: false, left: 0, torn: [], plain: (line) => line, logs: [{ name: 'P', entries: [...own, ...entries] }], ...others };
}

const sent: Entry = { subject: 'W1', way: 'sent', message: { act: 'disconnect', seq: 1 } };
const order = ["worker 'online'", "worker 'exit' 0 null"];
const measure = measureOf([1, 2, 3].map(() => played({ W1: order }, {}, [sent])), false);

describe('a runtime is judged', () => {
  it('like Node, if a program sees the same; messages of the protocol count only with wire', () => {
    expect(judge(measure, played({ W1: order }), false)).toEqual({ is: 'like' });
    const withWire = measureOf([1, 2, 3].map(() => played({ W1: order }, {}, [sent])), true);
    expect(judge(withWire, played({ W1: order }), true).is).toBe('different');
  });

  it('different, with the first lines that differ, those that a user feels most first', () => {
    const verdict = judge(measure, played({ W1: ["worker 'online'", "worker 'exit' 1 null"] }, { code: 1 }), false);
    expect(verdict).toMatchObject({ is: 'different', deviations: [{ where: 'exit', weight: 'ends' }, { where: 'P W1', weight: 'values' }] });
    const lacking = judge(measure, played({ W1: ["worker 'exit' 0 null"] }), false);
    expect(lacking).toMatchObject({ deviations: [{ weight: 'events', expected: expect.stringContaining("► worker 'online'") }] });
  });

  it('never for what varies on Node itself', () => {
    const varying = measureOf([played({ W1: ['one'], W2: ['x'] }), played({ W1: ['other'], W2: ['x'] }), played({ W1: ['one'], W2: ['x'] })], false);
    expect(varying.varies).toEqual(['P W1']);
    expect(judge(varying, played({ W1: ['a third'], W2: ['x'] }), false)).toEqual({ is: 'like' });
    expect(judge(varying, played({ W1: ['one'], W2: ['y'] }), false).is).toBe('different');
  });

  it("allowed, if only the text of an error or worker.state differs; the error's code counts", () => {
    const errors = (code: string, message: string): Played => played({ W1: [`threw Error { code: '${code}', message: '${message}' }`] });
    const expected = measureOf([errors('A', 'one'), errors('A', 'one'), errors('A', 'one')], false);
    expect(judge(expected, errors('A', 'it\\\'s another'), false).is).toBe('allowed');
    expect(judge(expected, errors('B', 'one'), false).is).toBe('different');
  });

  it("'exit' before 'disconnect' can be a race wherever it happens", () => {
    const ends = ["worker 'disconnect'", "worker 'exit' 0 null"];
    expect(judge(measureOf([played({ W1: ends }), played({ W1: ends })], false), played({ W1: [...ends].reverse() }), false)).toEqual({ is: 'like' });
  });

  it('hangs, missing, crashes: each with its reason', () => {
    expect(judge(measure, played({ W1: [] }, { isLate: true, left: 3, code: null, signal: 'SIGKILL' }), false)).toMatchObject({ is: 'hangs', left: 3 });
    expect(judge(measure, played({}, { code: 1, stderr: 'x\nError: cluster.setupPrimary is not yet implemented in Foo\n  at y' }), false)).toEqual({ is: 'missing', what: 'Error: cluster.setupPrimary is not yet implemented in Foo' });
    expect(judge(measure, played({}, { code: null, signal: 'SIGSEGV' }), false)).toEqual({ is: 'crashes', how: 'SIGSEGV' });
  });

  it('not at all where a scenario is about messages alone', () => {
    expect(measureOf([played({}, {}, [sent])], false).isEmpty).toBe(true);
    expect(measureOf([played({}, {}, [sent])], true).isEmpty).toBe(false);
  });
});

describe('a runtime that misbehaves', () => {
  const directory = mkdtempSync(path.join(tmpdir(), 'runtimes-'));
  afterAll(() => rmSync(directory, { recursive: true }));
  /** Plays a scenario on a runtime that is this shell script. */
  const playOn = (script: string, deadline: number): Promise<Played> => {
    const file = path.join(directory, 'runtime');
    writeFileSync(file, `#!/bin/sh\n${script}\n`);
    chmodSync(file, 0o755);
    return play(path.join(directory, 'scenario.js'), { command: [file], deadline });
  };

  it('its output is kept up to a bound', async () => {
    const much = await playOn('yes | head -c 2000000', 10_000);
    expect([much.isLate, much.stdout.length < 1_100_000, much.stdout.split('\n').at(-1)]).toEqual([false, true, '(951424 more characters)']);
    const endless = await playOn('yes >&2', 500);
    expect([endless.isLate, endless.stderr.length < 1_100_000]).toEqual([true, true]);
  });

  it('a process that cannot be found, because it has cleared its environment, keeps no run from its end', async () => {
    const file = path.join(directory, 'pid');
    const played = await playOn(`env -i setsid sh -c 'echo $$ > ${file}; exec sleep 60'`, 300);
    process.kill(Number(readFileSync(file, 'utf8')), 'SIGKILL');
    expect(played).toMatchObject({ isLate: true });
  });

  it('lines of a log that are no entries are torn, and no name is looked for without end', async () => {
    const lines = ['null', '1', '[]', '{"subject":1}', '{"subject":"self","text":{}}', '{"subject":"self","way":"sent","message":null}', '{"child":"x"}', '{"subj'];
    const { torn, logs, plain } = await playOn(`cd "$DIFF_TRACE"
      printf '%s\\n' '{"subject":"self","text":"is here"}' ${lines.map((line) => `'${line}'`).join(' ')} > P.log
      echo '{"child":5,"as":"C1"}' > 5.log`, 10_000);
    expect(torn).toEqual(lines);
    expect([...tracesOf({ logs, plain })]).toEqual([['P self', ['is here']]]);
  });
});

describe('the matrix', () => {
  const hostile = '<script>alert(1)</script>|\n```';
  const matrix: Matrix = {
    date: '2026-11-28', measure: 'Node 26', wire: false, runtimes: ['Foo 1'], skipped: [{ scenario: 'wire-numbers', reason: 'x' }],
    rows: [{ scenario: 'round-robin-order', cells: [{ is: 'different', deviations: [{ where: 'P W1', weight: 'events', expected: 'a', got: hostile }] }] }],
  };

  it('has a cell for each clause, the worst of its scenarios', () => {
    expect(markdown(matrix)).toMatch(/\| R-4 \| ✗ \|/);
    expect(markdown(matrix)).toContain('| Foo 1 | 0 | 0 | 0 | 0 | 1 | 0 | 0 |');
  });

  it('shows what a runtime wrote and never runs it', () => {
    expect(page(matrix)).not.toContain('<script>');
    expect(page(matrix)).toContain('&lt;script&gt;alert(1)&lt;/script&gt;');
  });

  it('refuses what is no runtime', async () => {
    await expect(runtimeOf('foo', null)).rejects.toThrow("--runtime takes node@26, ours@26, bun, deno or a path, not 'foo'");
    await expect(runtimeOf('/nowhere/foo', null)).rejects.toThrow('/nowhere/foo cannot be run: ENOENT');
  });
});
