/** How another runtime is judged: `npm run conformance -- --runtime bun`. */
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { play, tracesOf, type Played } from '../support/scenario_run';
import type { Entry } from '../support/trace_lines';
import type { Bounds } from '../support/run_watch';
import { runningProcesses } from '../support/marked';
import { compareRuns } from '../differential/runtimes/compare';
import { foreign } from '../differential/runtimes/foreign';
import { combined, judge, measureOf, type Cell, type Verdict } from '../differential/runtimes/judge';
import { markdown } from '../differential/runtimes/markdown';
import type { Matrix } from '../differential/runtimes/matrix';
import { page } from '../differential/runtimes/page';
import { runtimeOf, whyUnusable } from '../differential/runtimes/runtime';

/** A run in which the primary saw these texts about a subject. */
function played(texts: Readonly<Record<string, readonly string[]>>, others: Partial<Played> = {}, entries: readonly Entry[] = []): Played {
  const own = Object.entries(texts).flatMap(([subject, lines]) => lines.map((text): Entry => ({ subject, text })));
  return { code: 0, signal: null, stdout: '', stderr: '', isLate: false, left: 0, torn: [], stopped: null, plain: (line) => line,
    place: { directory: '/tmp', port: 20_000 }, took: 1, logs: [{ name: 'P', entries: [...own, ...entries] }], ...others };
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

  it('allowed, if the members of an address come in another order, or server._connectionKey is not there; not if a value differs', () => {
    const listening = (text: string): Played => played({ 'W1 self': [`listening ${text}`] });
    const expected = measureOf([1, 2, 3].map(() => listening("{ address: '::', family: 'IPv6', port: 1 } '4:null:0'")), false);
    expect(judge(expected, listening("{ family: 'IPv6', address: '::', port: 1 } undefined"), false).is).toBe('allowed');
    expect(judge(expected, listening("{ family: 'IPv4', address: '::', port: 1 } undefined"), false).is).toBe('different');
  });

  it("'exit' before 'disconnect' can be a race wherever it happens", () => {
    const ends = ["worker 'disconnect'", "worker 'exit' 0 null"];
    expect(judge(measureOf([played({ W1: ends }), played({ W1: ends })], false), played({ W1: [...ends].reverse() }), false)).toEqual({ is: 'like' });
  });

  it('hangs, missing, crashes: each with its reason', () => {
    expect(judge(measure, played({ W1: [] }, { isLate: true, stopped: 'asleep', left: 3, code: null, signal: 'SIGKILL' }), false)).toMatchObject({ is: 'hangs', left: 3, how: 'all its processes slept' });
    expect(judge(measure, played({}, { code: 1, stderr: 'x\nError: cluster.setupPrimary is not yet implemented in Foo\n  at y' }), false)).toEqual({ is: 'missing', what: 'Error: cluster.setupPrimary is not yet implemented in Foo' });
    expect(judge(measure, played({}, { code: null, signal: 'SIGSEGV' }), false)).toEqual({ is: 'crashes', how: 'SIGSEGV' });
  });

  it('not at all where a scenario is about messages alone', () => {
    expect(measureOf([played({}, {}, [sent])], false).isEmpty).toBe(true);
    expect(measureOf([played({}, {}, [sent])], true).isEmpty).toBe(false);
  });
});

describe('all runs of a scenario together', () => {
  const like: Verdict = { is: 'like' };
  const hangs = (how: string): Verdict => ({ is: 'hangs', left: 1, how, deviations: [] });
  const different = (...places: readonly string[]): Verdict => ({ is: 'different', deviations: places.map((where) => ({ where, weight: 'values', expected: 'a', got: 'b' })) });

  it('are flaky if two of them have two results, or nothing in common', () => {
    expect(combined([different('P W1'), like])).toMatchObject({ is: 'flaky' });
    expect(combined([different('P W1'), different('P W2')])).toMatchObject({ is: 'flaky' });
    expect(combined([different('P W1', 'P W2'), different('P W2')])).toEqual(different('P W2'));
  });

  it('hang only if the run alone hangs too; a run that was merely slow under load does not count', () => {
    const [slow, asleep] = [hangs('it was still busy at the deadline'), hangs('all its processes slept')];
    expect(combined([asleep], asleep)).toEqual(asleep);
    expect(combined([slow], slow)).toEqual(slow);
    expect(combined([slow], like)).toEqual(like);
    expect(combined([asleep], like)).toMatchObject({ is: 'flaky' });
  });
});

describe('a runtime that misbehaves', () => {
  const directory = mkdtempSync(path.join(tmpdir(), 'runtimes-'));
  afterAll(() => rmSync(directory, { recursive: true }));
  /** Plays a scenario on a runtime that is this shell script. */
  const playOn = (script: string, deadline: number, bounds?: Bounds): Promise<Played> =>
    play(path.join(directory, 'scenario.js'), { command: [runtimeThat(script)], deadline, ...(bounds === undefined ? {} : { bounds }) });
  const runtimeThat = (script: string, name = 'runtime'): string => {
    const file = path.join(directory, name);
    writeFileSync(file, `#!/bin/sh\n${script}\n`);
    chmodSync(file, 0o755);
    return file;
  };
  const bounds: Bounds = { asleepMs: 30_000, processes: 100, bytes: 1 << 30 };
  const leftOf = ({ place }: Played): number => runningProcesses('DIFF_TRACE', place.directory).filter(({ isMarked }) => isMarked).length;

  it('it sleeps and ignores SIGTERM: it is ended long before the deadline, with what it started', async () => {
    const played = await playOn("trap '' TERM; sleep 100 & sleep 100", 60_000, { ...bounds, asleepMs: 1000 });
    expect(played).toMatchObject({ isLate: true, stopped: 'asleep', left: 3 });
    expect([played.took < 30_000, leftOf(played)]).toEqual([true, 0]);
  });

  it('one that works is not asleep', async () => {
    expect(await playOn('while :; do :; done', 3500, { ...bounds, asleepMs: 1000 })).toMatchObject({ stopped: 'deadline' });
  });

  it('it starts processes without end: all of them are ended', async () => {
    const played = await playOn('while :; do sleep 100 & sleep 0.02; done', 60_000, { ...bounds, processes: 20 });
    expect([played.stopped, played.left > 20, leftOf(played)]).toEqual(['processes', true, 0]);
  });

  it('it fills the disk: it is ended', async () => {
    expect(await playOn('head -c 100000000 /dev/zero > "$DIFF_TRACE/P.log"; sleep 100', 60_000, { ...bounds, bytes: 1 << 20 })).toMatchObject({ stopped: 'files' });
  });

  it('what has cleared its environment is ended with the process group', async () => {
    const file = path.join(directory, 'pid');
    await playOn(`env -i sleep 100 & echo $! > ${file}; wait`, 1000);
    // It is dead, or a zombie that nobody has waited for yet.
    const pid = Number(readFileSync(file, 'utf8'));
    expect(runningProcesses('DIFF_TRACE', '').filter((one) => one.pid === pid)).toEqual([]);
  });

  it('it prints nothing, is no program, may not be run, or is not there: a reason, and the others are judged', async () => {
    const unusable = async (file: string): Promise<string | null> => {
      const runtime = await runtimeOf(file, null);
      return typeof runtime === 'string' ? runtime : whyUnusable(runtime);
    };
    expect(await unusable(runtimeThat('exit 0', 'silent'))).toContain('probe.js: exit code 0, nothing printed');
    expect(await unusable(runtimeThat('echo no such file >&2; exit 3', 'failing'))).toContain('probe.js: exit code 3, no such file');
    const plain = path.join(directory, 'plain');
    writeFileSync(plain, 'no program', { mode: 0o644 });
    expect(await unusable(plain)).toBe('cannot be run: EACCES');
    writeFileSync(`${plain}.x`, '#!/nowhere/interpreter\n', { mode: 0o755 });
    expect(await unusable(`${plain}.x`)).toBe('cannot be started: ENOENT');
  });

  it('a whole run: a column for each runtime that can be run, a reason for the others; a run that goes on plays nothing again', async () => {
    const count = path.join(directory, 'count');
    const good = runtimeThat(`case "$1" in --version) ;; *) echo >> ${count};; esac; exec ${process.execPath} "$@"`, 'good');
    const measure = `node@${process.versions.node.split('.')[0]}`;
    const options = { runtimes: [good, '/nowhere/foo'], scenarios: ['setup-primary', 'wire-numbers'], measure, preload: null, wire: false, jobs: 2, out: path.join(directory, 'out'), measures: null, judgeOnly: false };
    const matrix = await foreign(options);
    expect(matrix.unusable).toEqual([{ runtime: '/nowhere/foo', reason: 'cannot be run: ENOENT' }]);
    expect(matrix.columns.map(({ runtime }) => runtime)).toEqual([`good ${process.versions.node}`]);
    expect(matrix.rows.map(({ scenario, cells }) => [scenario, cells[0]?.is])).toEqual([['setup-primary', 'like'], ['wire-numbers', 'unjudged']]);
    const played = (): number => readFileSync(count, 'utf8').length;
    const before = played();
    writeFileSync(path.join(directory, 'out/plays.jsonl'), '{"runtime":"good', { flag: 'a' }); // A line that is not whole.
    expect(await foreign(options)).toEqual(matrix);
    expect(played()).toBe(before + 1); // The probe.
  });

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
    date: '2026-11-28', wire: false, columns: [{ runtime: 'Foo 1', measure: 'Node 26', left: 2 }], unusable: [{ runtime: '/nowhere/foo', reason: hostile }],
    rows: [{ scenario: 'round-robin-order', cells: [{ is: 'different', deviations: [{ where: 'P W1', weight: 'events', expected: 'a', got: hostile }] }] },
      { scenario: 'wire-numbers', cells: [{ is: 'unjudged', reason: 'x' }] }],
  };

  it('has a cell for each clause, the worst of its scenarios', () => {
    expect(markdown(matrix)).toMatch(/\| R-4 \| ✗ \|/);
    expect(markdown(matrix)).toContain('| Foo 1 | Node 26 | 1 | 0 | 0 | 0 | 0 | 1 | 0 | 0 | 2 |');
  });

  it('shows what a runtime wrote and never runs it', () => {
    expect(page(matrix).split('<script>')).toHaveLength(2); // Its own.
    expect(page(matrix)).toContain('&#60;script&#62;alert(1)&#60;/script&#62;');
  });

  it('refuses what is no runtime', async () => {
    await expect(runtimeOf('foo', null)).rejects.toThrow("--runtime takes node@26, ours@26, bun, deno or a path, not 'foo'");
    expect(await runtimeOf('/nowhere/foo', null)).toBe('cannot be run: ENOENT');
  });
});

describe('two runs are compared', () => {
  const run = (cells: Readonly<Record<string, Cell>>, runtime = 'Foo 1'): Matrix =>
    ({ date: '2026-11-29', wire: false, columns: [{ runtime, measure: 'Node 26', left: 0 }], unusable: [], rows: Object.entries(cells).map(([scenario, cell]) => ({ scenario, cells: [cell] })) });
  const like: Cell = { is: 'like' };
  const flaky: Cell = { is: 'flaky', verdicts: [] };

  it('equal, but for what either of them has marked flaky', () => {
    expect(compareRuns(run({ a: like, b: flaky }), run({ a: like, b: like }))).toEqual({ cells: 2, flaky: 1, differences: [] });
    expect(compareRuns(run({ a: like }), run({ a: { is: 'missing', what: 'x' } })).differences).toEqual(['Foo 1, measured by Node 26, a: like, then missing']);
  });

  it('what only one of them has is a difference', () => {
    expect(compareRuns(run({ a: like }), run({})).differences).toEqual(['Foo 1, measured by Node 26, a: like, then not there']);
    expect(compareRuns(run({ a: like }), run({ a: like }, 'Foo 2')).differences).toHaveLength(2);
  });
});
