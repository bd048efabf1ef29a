/** The scheduling rules with real workers and clients (D30), and 'drain' (D31). The rules alone: test/unit/scheduling.test.ts. */
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { root, run } from '../support/program';

const fixture = (name: string): string => path.join(root, 'test/fixtures', name);

async function linesOf(file: string, ...args: string[]): Promise<string[]> {
  const { code, stdout, stderr } = await run(fixture(file), { args });
  expect(stderr.replace(/\(node:\d+\).*\n\(Use .*\n/g, '')).toBe('');
  expect(code).toBe(0);
  return stdout.trimEnd().split('\n');
}

describe('D30', () => {
  test('sticky: of 1,000 clients over 8 workers all stay but those of the one that is replaced, who go to its successor', async () => {
    const [stayed = '', went = ''] = await linesOf('scheduling_cluster.js', 'sticky');
    const [kept, lost] = (stayed.match(/\d+/g) ?? []).map(Number) as [number, number, number];
    expect(kept).toBeGreaterThanOrEqual(850);
    expect(stayed).toBe(`stayed ${kept} of 1000, the replaced one had ${1000 - kept}`);
    expect(lost).toBe(1000);
    expect(went).toBe('its clients went to 9');
  });

  test('least-connections: slow arrivals, long and short, leave the workers even; who has none gets the next', async () => {
    expect(await linesOf('scheduling_cluster.js', 'least')).toEqual(['long and short ones: differ by at most 1', 'all of 2 have left: the next as many go to 2']);
  });

  test('a weight of 3 gets three of four', async () => {
    expect(await linesOf('scheduling_cluster.js', 'weight')).toEqual(['{"1":6,"2":2}']);
  });

  test('a function decides', async () => {
    expect(await linesOf('scheduling_cluster.js', 'picks')).toEqual(['2 2 2 2 2 2']);
  });

  test.each([['throws', 'threw Error: no idea'], ['dead', 'named worker 99, which does not listen there']])('a function that %s: round robin, one warning, nothing lost', async (what, told) => {
    expect(await linesOf('scheduling_cluster.js', what)).toEqual([
      `ClusterSchedulingWarning: The scheduling function ${told}; such connections go by round robin`, '1 1 2 2 3 3',
    ]);
  });

  test('ESM sets it through a named import', async () => {
    expect(await linesOf('scheduling_esm.mjs')).toEqual(['sticky function object']);
  });
});

test.each(['json', 'advanced'])('D31: send() that returned false is followed by one drain, %s', async (serialization) => {
  expect(await linesOf('drain.js', 'parent', serialization)).toEqual(['drained after 1', 'all came: true, drains: 1']);
});
