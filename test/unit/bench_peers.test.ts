/** The benchmark of peers: its table, its arithmetic, and what its report says, without a process. */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { rotated } from '../../bench/all/context';
import { listeningIn, twice } from '../../bench/all/failures';
import { bound } from '../../bench/all/handoff';
import { FIGURES, Samples, against, figuresOf, firstLine, type FigureId, type PeersOutcome } from '../../bench/all/outcome';
import { peersPage } from '../../bench/all/page';
import { fullFrom, onPaper, peersMarkdown } from '../../bench/all/report';
import { chosenBy } from '../../bench/all/run';
import { missing } from '../../bench/all/start';
import { MEASURES, peerRows, type MeasureId } from '../../bench/peers_table';
import { bootstrap, median } from '../../bench/statistics';
import { root } from '../support/program';

const machine = { node: '20.20.2', cpu: 'a CPU', cores: 2, memoryGiB: 8, kernel: '6.1', commit: 'abc', date: '2026-01-02T03:04:05Z', load: 0.25 };

/** A run with these samples of connections/s, and dashes for everything of `deno`. */
function outcome(rates: Readonly<Record<string, readonly number[]>>, quick = false): PeersOutcome {
  const samples = new Samples();
  for (const [peer, all] of Object.entries(rates)) for (const rate of all) samples.add('fresh-rate', peer, rate);
  samples.dash('fresh', 'deno', 'it has no <net>');
  const peers = peerRows.filter(({ id }) => id in rates || id === 'deno');
  return { machine, quick, pairs: 3, seconds: 60, workers: 2, peers, measures: ['fresh'], cells: samples.cells, distributions: {}, notes: [], versions: ['Bun 1.4.5'] };
}

describe('the table of peers', () => {
  test('names are unique, and what a peer lacks is a measure', () => {
    const ids = peerRows.map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids.filter((id) => id in MEASURES)).toEqual([]); // Both are words of one command line.
    expect(peerRows.flatMap(({ lacks = {} }) => Object.keys(lacks)).filter((id) => !(id in MEASURES))).toEqual([]);
    expect(peerRows.flatMap(({ lacks = {} }) => Object.values(lacks)).filter((reason) => reason === '')).toEqual([]);
  });

  test('the control is its base in all but its name', () => {
    const control = peerRows.find(({ controlOf }) => controlOf !== undefined);
    const base = peerRows.find(({ id }) => id === control?.controlOf);
    expect({ ...control, id: '', title: '', controlOf: '' }).toEqual({ ...base, id: '', title: '', controlOf: '' });
  });

  test('what a peer preloads is there', () => {
    const files = peerRows.flatMap(({ preload = [] }) => preload);
    expect(files.filter((file) => !existsSync(path.join(root, file)))).toEqual([]);
  });

  test('every figure belongs to a measure, and every measure has a figure', () => {
    expect((Object.keys(MEASURES) as MeasureId[]).filter((measure) => figuresOf(measure).length === 0)).toEqual([]);
    expect(Object.values(FIGURES).filter(({ measure }) => !(measure in MEASURES))).toEqual([]);
  });

  test('words choose measures and peers, and a wrong one is named', () => {
    expect(chosenBy(['bun', 'fresh'])).toMatchObject({ measures: ['fresh'], rows: [{ id: 'stock-rr' }, { id: 'control' }, { id: 'bun' }] });
    expect(chosenBy([])).toEqual({ measures: Object.keys(MEASURES), rows: peerRows });
    expect(() => chosenBy(['fresh', 'nonsense'])).toThrow('neither a measure nor a peer: nonsense');
  });
});

describe('the arithmetic', () => {
  test('the bootstrap: it holds the median, is the same each time, and is narrow where samples agree', () => {
    const spreading = [90, 95, 100, 105, 200];
    const [low, high] = bootstrap(spreading);
    expect(low).toBeLessThan(median(spreading));
    expect(high).toBeGreaterThan(median(spreading));
    expect([low, high].every((end) => end >= 90 && end <= 200)).toBe(true);
    expect(bootstrap(spreading)).toEqual([low, high]);
    expect(bootstrap([7, 7, 7])).toEqual([7, 7]);
    const many = bootstrap(Array.from({ length: 400 }, (_, at) => at));
    expect(many[1] - many[0]).toBeLessThan(80); // The interval of the sign test is 180 … 220.
    expect(many[1] - many[0]).toBeGreaterThan(20);
    expect(() => bootstrap([])).toThrow('no samples');
  });

  test('in rotation each peer is first once, and the order is turned round each time', () => {
    expect([0, 1, 2, 3, 4, 5].map((round) => rotated(['A', 'B', 'C'], round).join(''))).toEqual(['ABC', 'CBA', 'BCA', 'ACB', 'CAB', 'BAC']);
    expect(rotated([], 3)).toEqual([]);
  });

  test('a ratio is taken round by round', () => {
    expect(against(outcome({ 'stock-rr': [100, 200, 400], 'ours-rr': [150, 300, 600] }), 'fresh-rate', 'ours-rr')).toEqual({ ratio: 1.5, low: 1.5, high: 1.5 });
    expect(against(outcome({ 'stock-rr': [100] }), 'fresh-rate', 'deno')).toBeNull();
  });

  test('on paper: the cores are the limit until one process is full', () => {
    expect(onPaper(4, 100, 20)).toEqual({ rate: 40_000, by: 'the cores' });
    expect(onPaper(16, 100, 20)).toEqual({ rate: 50_000, by: 'the primary' });
    expect(onPaper(64, 100, null)).toEqual({ rate: 640_000, by: 'the cores' });
    expect(fullFrom(100, 20)).toBe(5);
  });

  test('requests that were served twice are those whose id stands there twice; warm-up without an id does not count', () => {
    expect(twice('1\n2\n3\n')).toBe(0);
    expect(twice('1\n2\n1\n2\n2\n')).toBe(3);
    expect(twice('0\n0\n\n')).toBe(0);
    expect(twice('listening 7\nlistening 7\n1\n')).toBe(0);
  });

  test('a worker may be killed when it has written that it listens', () => {
    expect([...listeningIn('listening 12\n5\n13\nlistening 13\nlistening')]).toEqual([12, 13]);
  });

  test('a quantile of a histogram is the bound of its bucket', () => {
    const buckets = [{ upTo: 0.001, count: 50 }, { upTo: 0.01, count: 99 }, { upTo: null, count: 100 }];
    expect([50, 51, 99, 100].map((wanted) => bound(buckets, wanted))).toEqual([1, 10, 10, Infinity]);
  });
});

describe('the first line', () => {
  test('says that the control is within its bound, or off and by how much', () => {
    expect(firstLine(outcome({ 'stock-rr': [100, 100, 100], 'control': [101, 99, 102] }))).toMatch(/^The control is within its bound: this run cannot tell peers apart that differ by less than 2 %\. .*connections\/s 1\.010 \(0\.990 … 1\.020\)/);
    const off = firstLine(outcome({ 'stock-rr': [100, 100, 100], 'control': [80, 81, 82] }));
    expect(off).toMatch(/^THE CONTROL IS OFF: this run cannot tell peers apart that differ by less than 20 %/);
    expect(off).toContain('connections/s 0.810 (0.800 … 0.820), OFF by more than 0.05');
    expect(peersMarkdown(outcome({ 'stock-rr': [100, 100, 100], 'control': [80, 81, 82] })).split('\n')[0]).toBe(`**${off}**`);
  });

  test('says that a run has no control, or is not to be believed at all', () => {
    expect(firstLine(outcome({ 'stock-rr': [100] }))).toContain('Without a control');
    expect(firstLine(outcome({ 'stock-rr': [100], 'control': [100] }, true))).toContain('Do not believe its figures');
  });
});

describe('the report', () => {
  test('a peer that has no figure gets a dash and its reason', () => {
    const report = peersMarkdown(outcome({ 'stock-rr': [100, 100, 100], 'ours-rr': [160, 170, 180] }));
    expect(report).toContain('| Deno cluster | – |');
    expect(report).toContain('A dash: Deno cluster: it has no <net>.');
    expect(report).toContain('| ours RR | 170 /s (160 … 180), 1.70 × |');
  });

  test('it says what the noise or the size of the machine makes meaningless', () => {
    const noisy = peersMarkdown(outcome({ 'stock-rr': [100, 100, 100], 'ours-rr': [100, 170, 400] }));
    expect(noisy).toContain('Too noisy to be read, the interval is wider than a fifth of the median: connections/s of ours RR.');
    expect(noisy).toContain('This machine has 2 CPUs, so all servers share one');
    const calm = peersMarkdown({ ...outcome({ 'stock-rr': [100, 100, 100] }), machine: { ...machine, cores: 8 } });
    expect(calm).not.toMatch(/Too noisy|This machine has/);
  });

  test('its head names the versions of the peers, and the load of the machine before', () => {
    expect(peersMarkdown(outcome({ 'stock-rr': [100, 100, 100] }))).toContain('Node 20.20.2, Bun 1.4.5; 2 CPUs (a CPU), 8 GiB, Linux 6.1; commit abc, 2026-01-02. 2 workers, 3 rounds, 1 minutes; load average before it 0.3.');
  });

  test('it names the peers whose CPU was not full, and grows no peer on paper in which one worker had all the work', () => {
    const run = outcome({ 'stock-rr': [10_000, 10_000], 'bun': [10_000, 10_000] });
    const of = (stock: number, bun: number) => ({ 'stock-rr': { samples: [stock, stock] }, 'bun': { samples: [bun, bun] } });
    const report = peersMarkdown({ ...run, cells: { ...run.cells, 'fresh-cpu': of(95, 50), 'fresh-jain': of(1, 0.5) } });
    expect(report).toContain("The servers' CPU was less than 90 % busy with Bun cluster: there the load generator is the limit.");
    expect(report).toMatch(/\| Bun cluster \| 50 µs \| – \| – \(one worker had all the work\) \| – \| – \| – \|/);
    expect(report).toMatch(/\| stock RR \| 95 µs \| – \| never \| 42,105 \/s/);
  });

  test('a peer of its own runtime is its path; a runtime that is neither that nor known is an error, one that is not there a dash', () => {
    const mine = { id: 'mine', title: 'my runtime', form: 'app', runtime: process.execPath as `/${string}` } as const;
    expect(missing(mine)).toBeNull();
    expect(missing({ ...mine, runtime: '/nowhere/mine' })).toBe('/nowhere/mine cannot be executed');
    expect(() => missing({ ...mine, runtime: 'mine' as never })).toThrow("peer mine: runtime must be 'node', 'bun', 'deno' or an absolute path, and is \"mine\"");
  });

  test('what was measured and failed later is a dash, not half a figure', () => {
    const samples = new Samples();
    samples.add('fresh-rate', 'bun', 100);
    samples.dash('fresh', 'bun', 'failed: it ended');
    samples.add('fresh-rate', 'bun', 200);
    expect(samples.cells['fresh-rate']?.['bun']).toEqual({ dash: 'failed: it ended' });
  });

  test('the growth on paper stands in it, with the peer whose primary is full', () => {
    const run = outcome({ 'stock-rr': [100, 100, 100] });
    const cell = (value: number) => ({ 'stock-rr': { samples: [value] } });
    const cells: Partial<Record<FigureId, object>> = { ...run.cells, 'fresh-cpu': cell(200), 'fresh-primary': cell(50), 'fresh-limit': cell(20_000) };
    expect(peersMarkdown({ ...run, cells: cells as PeersOutcome['cells'] })).toContain('| stock RR | 200 µs | 50 µs | 4 cores | 20,000 /s | 20,000 /s (the primary) | 20,000 /s (the primary) |');
  });

  test('the page needs no network and runs no script', () => {
    const page = peersPage(outcome({ 'stock-rr': [100, 100, 100], 'ours-rr': [160, 170, 180] }));
    const [, style = ''] = /<style>([\s\S]*)<\/style>/.exec(page) ?? [];
    const hash = createHash('sha256').update(style).digest('base64');
    expect(page).toContain(`content="default-src 'none'; style-src 'sha256-${hash}'; base-uri 'none'; form-action 'none'"`);
    expect(page).not.toMatch(/<script|<link|<img|<iframe|\bsrc=|\bhref=|@import|url\(|https?:/i);
    expect(page.replace(/<style>[\s\S]*<\/style>/, '')).not.toMatch(/ style=/); // The policy forbids it.
    expect(style).toContain('--ground: light-dark('); // The style sheet of the page that shows recordings.
  });

  test('what a peer says does not become markup', () => {
    const page = peersPage(outcome({ 'stock-rr': [100] }));
    expect(page).toContain('Deno cluster: it has no &#60;net&#62;');
    expect(page).not.toContain('<net>');
  });
});
