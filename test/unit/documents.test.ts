// The documents lead where they say, keep their size, and name every option with the default that the code has.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { DEFAULT_LIMITS, keepListeningFrom } from '../../internal/limits';
import { rebalanceFrom } from '../../internal/master/rebalancing';
import { defaultLimits } from '../../internal/shared_state/values';
import { checkOptions } from '../../internal/supervisor/options';
import { anchorsOf, documents, linksOf, parts, tablesOf, textOf } from '../support/documents';
import { root } from '../support/program';

/** The path in the repository that a link of `document` leads to. */
const placeOf = (document: string, target: string): string => (target === '' ? document : path.join(path.dirname(document), target));

describe.each(documents)('%s', (document) => {
  const text = textOf(document);

  test('every link leads to a file, and every anchor to a heading', () => {
    const broken = linksOf(text).filter(({ target, anchor }) => {
      const place = placeOf(document, target);
      if (!existsSync(path.join(root, place))) return true;
      return anchor !== '' && !(place.endsWith('.md') && anchorsOf(textOf(place)).has(anchor));
    });
    expect(broken).toEqual([]);
  });

  test('a line of prose has 120 columns at most', () => {
    const long = parts(text).lines.filter((line) => line.text.length > 120 && !line.text.startsWith('|'));
    expect(long.map(({ text: line, number }) => `${number}: ${line}`)).toEqual([]);
  });

  test('the commands that it names are there', () => {
    const { scripts } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as { scripts: Record<string, string> };
    const missing = [
      ...[...text.matchAll(/npm run ([\w:]+)/g)].map(([, name = '']) => name).filter((name) => !(name in scripts)),
      ...[...text.matchAll(/npx tsx ([\w./]+\.[tj]s)/g)].map(([, file = '']) => file).filter((file) => !existsSync(path.join(root, file))),
    ];
    expect(missing).toEqual([]);
  });
});

describe('README.md', () => {
  test('has 8 to 14 KB, and no table that is longer than a screen', () => {
    const bytes = Buffer.byteLength(textOf('README.md'));
    expect(bytes).toBeGreaterThanOrEqual(8 * 1024);
    expect(bytes).toBeLessThanOrEqual(14 * 1024);
    for (const rows of tablesOf(textOf('README.md'))) expect(rows.length).toBeLessThanOrEqual(20);
  });

});

describe('lib/README.md names every option with its default', () => {
  const text = textOf('lib/README.md');

  /** The table whose head begins with this: what its first column says, and its second. */
  function table(head: string): Map<string, string> {
    const from = text.indexOf(`\n| ${head} |`);
    expect(from, `a table ${head}`).toBeGreaterThan(0);
    const [rows = []] = tablesOf(text.slice(from + 1));
    return new Map(rows.map(([name = '', second = '']) => [name.replaceAll('`', ''), second.replaceAll('`', '').replaceAll(',', '')]));
  }

  /** Every default has its row, every row its default. `calculated`: those whose row says by words what they are made of. */
  function expectDefaults(rows: ReadonlyMap<string, string>, defaults: object, calculated: readonly string[] = []): void {
    expect([...rows.keys()].sort()).toEqual(Object.keys(defaults).sort());
    for (const [name, value] of Object.entries(defaults)) {
      const isPlain = ['number', 'boolean', 'string'].includes(typeof value) && !calculated.includes(name);
      // A whole word: 10 is not the beginning of 100.
      if (isPlain) expect(rows.get(name)?.replaceAll("'", ''), name).toMatch(new RegExp(`^${String(value)}(?![\\w.])`));
    }
  }

  test('supervise', () => {
    const { restarts: { retryAfterMs, ...restarts }, ...options } = checkOptions({});
    expect(retryAfterMs).toBe(options.retryAfterMs);
    expectDefaults(table('option | default | what it is'), { ...options, restarts }, ['exec', 'workers', 'killMs']);
    expectDefaults(table('`restarts.`'), restarts, ['maxAll']);
    expectDefaults(table('`recycle.`'), options.recycle);
  });

  test('setupPrimary', () => {
    const own = /\[Name in ([^\]]+)\]/.exec(readFileSync(path.join(root, 'lib/cluster.ts'), 'utf8'))?.[1]?.match(/\w+/g) ?? [];
    const { limit, deadlineMs } = keepListeningFrom(true) ?? {};
    expect([...table('setting').keys()].sort()).toEqual([...own, 'keepListening.limit', 'keepListening.deadlineMs', 'rebalance.perSecond'].sort());
    expect(table('setting').get('keepListening.limit')).toBe(`${limit} connections`);
    expect(table('setting').get('keepListening.deadlineMs')).toBe(`${deadlineMs} ms`);
    expect(table('setting').get('rebalance.perSecond')).toBe(`${rebalanceFrom(true)?.perSecond} moves`);
  });

  test('the limits of a primary, and those of shared state', () => {
    expectDefaults(table('limit | default | unit'), DEFAULT_LIMITS);
    expectDefaults(table('limit | default | what it counts'), defaultLimits, ['keysPerProcess', 'locksPerProcess', 'bytesPerProcess']);
  });

  test('graceful', () => {
    const source = readFileSync(path.join(root, 'lib/graceful.ts'), 'utf8');
    const given = /const \{ ([^}]+) \} = ownOptions\(options, names\);/.exec(source)?.[1]?.split(', ').map((one) => one.split(' = ')) ?? [];
    const rows = [...table('option | default | what it is for a server')].map(([name, value]) => [name.replace(/\(.*/, ''), value] as const);
    const defaults = given.map(([name = '', value = '']) => [name, /^\d/.test(value) ? Number(value.replaceAll('_', '')) : value === 'true' ? true : undefined]);
    expectDefaults(new Map(rows), Object.fromEntries(defaults) as object);
  });
});

// Logs of a profile by hand were once committed beside package.json.
test('the top level has what the design card lists, and what tools force there', ({ skip }) => {
  const listed = spawnSync('git', ['ls-files', '-z'], { cwd: root, encoding: 'utf8' });
  if (listed.status !== 0) return skip('NOT TESTED: this is no checkout of git');
  const top = new Set(listed.stdout.split('\0').filter((name) => name !== '').map((name) => name.split('/')[0] ?? ''));
  const may = ['package.json', 'tsconfig.json', 'lib', 'internal', 'test', 'bench', 'README.md', 'package-lock.json', 'LICENSE'];
  expect([...top].filter((name) => !name.startsWith('.') && !may.includes(name))).toEqual([]);
});
