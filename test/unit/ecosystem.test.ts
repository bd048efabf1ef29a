/** What the report of `npm run ecosystem` counts against us, and what it does not. */
import { describe, expect, it } from 'vitest';
import { isGood, markdown, onlyOurs, type Pair, type Row } from '../ecosystem/table';
import type { Played, Side } from '../ecosystem/play';
import { directoryName, programs } from '../ecosystem/programs';

function played(side: Side, failed: readonly string[] = [], frames = side === 'ours' ? 7 : 0): Played {
  return { side, steps: ['start', 'serve'].map((name) => ({ name, failure: failed.includes(name) ? 'no answer' : null })), frames, left: 0, output: '' };
}

function row(...pairs: readonly Pair[]): Row {
  return { name: 'a', version: '1.0.0', uses: 'cluster: all', what: 'drive', pairs };
}

describe('npm run ecosystem', () => {
  it('a step that failed on ours and never on stock counts against us', () => {
    const one = row({ stock: played('stock'), ours: played('ours') }, { stock: played('stock'), ours: played('ours', ['serve']) });
    expect(onlyOurs(one)).toEqual([{ name: 'serve', failure: 'no answer' }]);
    expect(isGood(one)).toBe(false);
    expect(markdown([one])).toContain('**fails on ours only: 1**');
    expect(markdown([one])).toContain('- a, serve: no answer');
  });

  it('a step that failed on stock in another pair does not', () => {
    const one = row({ stock: played('stock', ['serve']), ours: played('ours') }, { stock: played('stock'), ours: played('ours', ['serve']) });
    expect(onlyOurs(one)).toEqual([]);
    expect(isGood(one)).toBe(true);
  });

  it('a program that never works on ours is not good, though stock fails as well', () => {
    const one = row({ stock: played('stock', ['start']), ours: played('ours', ['start']) });
    expect(isGood(one)).toBe(false);
    expect(markdown([one])).toContain('fails on both');
  });

  it('counts as nothing if our code carried no message in one run, or carried one on stock', () => {
    for (const one of [
      row({ stock: played('stock'), ours: played('ours') }, { stock: played('stock'), ours: played('ours', [], 0) }),
      row({ stock: played('stock', [], 1), ours: played('ours') }),
    ]) {
      expect(isGood(one)).toBe(false);
      expect(markdown([one])).toContain('counts as nothing');
    }
  });

  it('each program has a name, a directory and a drive of its own, and exact versions', () => {
    for (const of of [({ name }: (typeof programs)[number]) => name, directoryName, ({ drive }: (typeof programs)[number]) => drive]) {
      expect(new Set(programs.map(of)).size).toBe(programs.length);
    }
    for (const { packages } of programs) for (const one of packages) expect(one).toMatch(/.@\d+\.\d+\.\d+$/);
    expect(programs.length).toBeGreaterThanOrEqual(10);
  });
});
