/** What another runtime is held to, and how a difference is shown: `npm run conformance -- --runtime bun`. Starts two processes, in the last test. */
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { root } from '../support/program';
import type { Played } from '../support/scenario_run';
import { OPEN } from '../differential/runtimes/allowed';
import { foreign } from '../differential/runtimes/foreign';
import { judge, markedAsOurs, measureOf, merged, type Cell, type Deviation, type Verdict } from '../differential/runtimes/judge';
import { differences, markdown, seenIn } from '../differential/runtimes/markdown';
import { clauseRows, withoutDeliberate, type Matrix } from '../differential/runtimes/matrix';
import { othersThat } from '../differential/runtimes/others';
import { Plays, type Use } from '../differential/runtimes/plays';

/** A run in which a worker saw these lines. */
const saw = (lines: readonly string[], others: Partial<Played> = {}): Played => ({ code: 0, signal: null, stdout: '', stderr: '', isLate: false, left: 0, torn: [], stopped: null, plain: (line) => line,
  place: { directory: '/tmp', port: 20_000 }, took: 1, logs: [{ name: 'W1', entries: lines.map((text) => ({ subject: 'self', text })) }], ...others });
/** The verdict of a runtime that saw `got` where Node sees `expected`. */
const verdictOf = (expected: readonly string[], got: readonly string[], others: Partial<Played> = {}): Verdict => judge(measureOf([1, 2, 3].map(() => saw(expected)), false), saw(got, others), false);
const deviationOf = (verdict: Verdict): Deviation | undefined => ('deviations' in verdict ? verdict.deviations[0] : undefined);

describe('what the documentation leaves open', () => {
  const address = "{ address: '::', family: 'IPv6', port: <port 0> }";
  const another = "{ family: 'IPv6', address: '::', port: <port 0> }";

  it.each([
    ['several of them in one line, and a key with a port', `listening ${address} '4:null:<port 0>'`, `listening ${another} undefined`],
    ['a key of IPv6 with a port', `listening ${address} '6::::<port 2>'`, `listening ${another} undefined`],
    ['errno at its place', "error [ 0, 'x' ] 'ENOTFOUND' 'getaddrinfo' -3008 undefined", "error [ 0, 'x' ] 'ENOTFOUND' 'getaddrinfo' 4 undefined"],
    ['the text of a system error at its place', "error 'EADDRINUSE' 'bind' -98 'a' -1 'bind EADDRINUSE a'", "error 'EADDRINUSE' 'bind' -98 'a' -1 'bind EADDRINUSE: address already in use a'"],
    ['the text of an error at its place', "threw 'TypeError' 'ERR_X' 'one'", "threw 'TypeError' 'ERR_X' \"it's another\""],
    ['worker.state at its place', "state 'dead'", "state 'disconnected'"],
    ['members with an underscore, and `state`, whatever the lines of the list', "Worker [ 'send', 'state' ]", "Worker [\n  '_disconnect',\n  'send'\n]"],
  ])('%s', (_what, expected, got) => {
    expect(verdictOf([expected], [got]).is).toBe('allowed');
  });

  it.each([
    ['the code of an error', "threw 'TypeError' 'ERR_X' 'one'", "threw 'TypeError' 'ERR_Y' 'one'"],
    ['the code of a system error', "error 'EADDRNOTAVAIL' 'bind' -99", "error 'EINVAL' 'bind' -22"],
    ['an address', `listening ${address} '4:null:<port 0>'`, `listening ${another.replace('::', '::1')} undefined`],
    ['a member without an underscore', "Worker [ 'send' ]", "Worker [ 'disconnect', 'send' ]"],
    ['an exit code', "worker 'exit' 0 null", "worker 'exit' 1 null"],
  ])('not %s', (_what, expected, got) => {
    expect(verdictOf([expected], [got]).is).toBe('different');
  });

  it('is the list of test/README.md', () => {
    const readme = readFileSync(path.join(root, 'test/README.md'), 'utf8').replace(/\s+/g, ' ');
    expect(OPEN.map(({ what }) => what).filter((what) => !readme.includes(what))).toEqual([]);
  });
});

describe('the line that is shown', () => {
  it('is the first that is not allowed, after any number of allowed ones', () => {
    const allowed = (order: readonly string[]): string[] => Array.from({ length: 6 }, () => `listening { ${order.join(', ')} }`);
    const verdict = verdictOf([...allowed(['a: 1', 'b: 2']), "error 'EADDRNOTAVAIL' 'bind' -99"], [...allowed(['b: 2', 'a: 1']), "error 'EINVAL' 'bind' -22"]);
    expect(deviationOf(verdict)?.line).toEqual(["error 'EADDRNOTAVAIL' 'bind' <errno>", "error 'EINVAL' 'bind' <errno>"]);
    expect(deviationOf(verdict)?.expected).toContain("► error 'EADDRNOTAVAIL'");
  });

  it('is cut around its difference', () => {
    const long = 'x'.repeat(200);
    const [expected = '', got = ''] = deviationOf(verdictOf([`${long} one ${long}`], [`${long} other ${long}`]))?.line ?? [];
    expect([expected.length < 100, expected.includes(' one '), got.includes(' other ')]).toEqual([true, true, true]);
  });

  it('of a run that hangs is not how it was ended', () => {
    const verdict = verdictOf(["worker 'online'"], [], { stopped: 'asleep', isLate: true, left: 1, code: 1 });
    expect(seenIn(verdict, 'Foo 1')).toBe("all its processes slept; 1 process had to be ended. W1 self: Node `worker 'online'`, Foo `(nothing more)`");
  });
});

describe('a runtime says that it lacks something', () => {
  const of = (stderr: string): Verdict => verdictOf(['one'], ['other'], { stderr });

  it('in its own words, without colours', () => {
    expect(of('\u001B[0m\u001B[31merror\u001B[0m: process.channel is not supported in workers\n')).toEqual({ is: 'missing', what: 'error: process.channel is not supported in workers' });
  });

  it("not with an error that Node has too, but for the codes that say so", () => {
    expect(of("error: [ERR_UNSUPPORTED_DIR_IMPORT] Directory import '/x' is not supported resolving ES modules").is).toBe('different');
    expect(of("[ERR_UNSUPPORTED_DIR_IMPORT] is not supported\nError [ERR_NOT_IMPLEMENTED]: x").is).toBe('missing');
  });
});

describe('two whole runs', () => {
  const different = (...places: readonly string[]): Cell => ({ is: 'different', plays: 2, deviations: places.map((where) => ({ where, weight: 'values', expected: 'a', got: 'b' })) });

  it('with two results are flaky, though each of them was sure of its own', () => {
    const hangs: Cell = { is: 'hangs', left: 1, how: 'x', deviations: [], plays: 2 };
    expect(merged([hangs, { is: 'like', plays: 1 }])).toMatchObject({ is: 'flaky', plays: 3, verdicts: [{ is: 'hangs' }, { is: 'like' }] });
    expect(merged([different('P'), different('W1 self')])).toMatchObject({ is: 'flaky', plays: 4 });
  });

  it('with one result have what both have, and the plays of both', () => {
    expect(merged([{ is: 'like', plays: 1 }, { is: 'like', plays: 1 }])).toEqual({ is: 'like', plays: 2 });
    expect(merged([different('P', 'W1 self'), different('P')])).toEqual({ ...different('P'), plays: 4 });
    expect(merged([{ is: 'unjudged', reason: 'not played' }, { is: 'like', plays: 1 }])).toEqual({ is: 'like', plays: 1 });
  });
});

describe('where ours differs deliberately', () => {
  const node = measureOf([1, 2, 3].map(() => saw(["client 'hangs'"])), false);
  const served = saw(["client 'served'"]);
  const cellOf = (played: Played): Cell => ({ ...markedAsOurs(judge(node, played, false), [served], [played], false), rules: ['D3'] });
  const matrixOf = (cells: readonly Cell[]): Matrix => ({ date: '2026-11-29', wire: false, unusable: [], columns: [{ runtime: 'Foo 1', measure: 'Node 26', left: 0 }, { runtime: 'ours on Node 26.1', measure: 'Node 26.1', left: 0 }],
    rows: cells.map((cell, at) => ({ scenario: ['killed-with-a-connection-in-flight', 'round-robin-order'][at] ?? '', cells: [cell, { is: 'like' }] })) });

  it('a runtime that does what ours does is marked so, and one that does a third thing is not', () => {
    expect(deviationOf(cellOf(served) as Verdict)?.isAsOurs).toBe(true);
    expect(deviationOf(cellOf(saw(["client 'refused'"])) as Verdict)?.isAsOurs).toBeUndefined();
  });

  it('is summed up apart, and named in the cells of the clauses', () => {
    const { rules: _rules, ...own } = cellOf(saw(["client 'refused'"]));
    const matrix = matrixOf([cellOf(served), own as Cell]);
    expect(withoutDeliberate(matrix)[0]).toEqual({ own: 1, deliberate: 1, asOurs: 1 });
    expect(clauseRows(matrix).find(({ id }) => id === 'R-8')?.deliberate).toEqual(['D3', '']);
    expect(markdown(matrix)).toContain('| R-8 | ✗ (D3) | ✓ |');
    expect(differences(matrix)).toContain('| D3, as cluster-internals |');
  });

  it('its scenarios are listed, with the numbers and the versions of Node', () => {
    const { columns, rows, ...rest } = matrixOf([{ is: 'like' }, { is: 'like' }]);
    const [row] = rows;
    const matrix = { ...rest, columns: [...columns, { runtime: 'ours on Node 20.1', measure: 'Node 20.1', left: 0 }], rows: [{ scenario: row?.scenario ?? '', cells: [{ is: 'like' }, cellOf(served), { is: 'like' }] as Cell[] }] };
    expect(differences(matrix)).toContain('| ✗ | killed-with-a-connection-in-flight | D3 | 26 |');
  });
});

it('programs of others/ are chosen by name', () => {
  expect(othersThat(/^ipv6-only$/).map(({ name }) => name)).toEqual(['ipv6-only']);
  expect(() => othersThat(/no such program/)).toThrow("--only 'no such program' matches no program of test/differential/others");
});

describe('what was played is judged again', () => {
  const directory = mkdtempSync(path.join(tmpdir(), 'judged-'));
  afterAll(() => rmSync(directory, { recursive: true }));

  it('though the scenario is another by now; two runs, in two checkouts; the own program of a runtime is no difference', async () => {
    const runtime = path.join(directory, 'foo');
    writeFileSync(runtime, "#!/bin/sh\ntest \"$1\" = --version || printf 'runs CommonJS\\n/own/foo\\n'\n");
    chmodSync(runtime, 0o755);
    const run = (name: string, last: string): string => {
      const { plain: _plain, ...kept } = saw([]);
      const place = { ...kept.place, root: `/${name}` };
      const line = (title: string, use: string, text: string): string => JSON.stringify({ runtime: title, scenario: 'setup-primary', digest: 'ab12', use, played: { ...kept, place, logs: [{ name: 'P', entries: [{ subject: 'main', text }] }] } });
      const out = path.join(directory, name);
      const stock = `error 'spawn ${process.execPath}' '/one/a.js'`;
      const plays = [...[1, 2, 3].map(() => line(`Node ${process.versions.node}`, 'measure', stock)), line('foo', 'first', last)];
      rmSync(out, { recursive: true, force: true });
      return mkdirAndWrite(out, `${plays.join('\n')}\n`);
    };
    const judged = async (also: string): Promise<Cell | undefined> => (await foreign({ runtimes: [runtime], scenarios: ['setup-primary'], measure: `node@${process.versions.node}`, preload: null, wire: false, jobs: 1,
      out: run('one', "error 'spawn /own/foo' '/one/a.js'"), measures: null, judgeOnly: true, also: run('two', also) })).rows[0]?.cells[0];
    expect(await judged("error 'spawn /own/foo' '/two/a.js'")).toEqual({ is: 'like', plays: 2 });
    expect(await judged("error 'spawn /another' '/two/a.js'")).toMatchObject({ is: 'flaky', plays: 2, verdicts: [{ is: 'like' }, { is: 'different' }] });
  });

  // A scenario was mended and was like Node at once: the plays of the old one, played again and alone, made it flaky.
  it('by the plays of the last text of the scenario only, once its first play is there', () => {
    const play = (digest: string, use: Use, took: number): string => JSON.stringify({ runtime: 'foo', scenario: 'setup-primary', digest, use, played: { ...saw([]), took } });
    const old = [play('01', 'first', 1), play('01', 'again', 2), play('01', 'alone', 3)];
    const of = (name: string, lines: readonly string[], digest: string): (number | undefined)[] => {
      const plays = new Plays(mkdirAndWrite(path.join(directory, name), `${lines.join('\n')}\n`));
      return (['first', 'again', 'alone'] as const).map((use) => plays.getLast({ runtime: 'foo', scenario: 'setup-primary', digest, use })[0]?.took);
    };
    expect(of('old', old, '03')).toEqual([1, 2, 3]);
    for (const digest of ['02', '03']) expect(of(`mended ${digest}`, [...old, play('02', 'first', 4)], digest)).toEqual([4, undefined, undefined]);
    expect(of('not played since', [play('02', 'first', 4), ...old], '02')).toEqual([4, undefined, undefined]);
  });
});

/** Writes the plays of a run. Returns its directory. */
function mkdirAndWrite(out: string, plays: string): string {
  mkdirSync(out, { recursive: true });
  writeFileSync(path.join(out, 'plays.jsonl'), plays);
  return out;
}
