/** D63: what a program sees of its cluster under `scheduling: 'shared'` is what it sees under round robin. All scenarios: all_programs.ts. */
import { describe, expect, test } from 'vitest';
import { describeDifference } from '../support/differential';
import { scenarios } from '../support/scenarios';
import { MAY_DIFFER, compareRules } from './same_programs';

/** Those that are about what listens, and how it ends. */
const SAMPLE = [
  'abort-a-listen', 'abstract-path', 'address-kept-for-the-next-worker', 'block-list', 'close-and-listen-again', 'close-while-asking', 'close-while-asking-in-vain',
  'cluster-disconnect', 'drop-max-connection', 'exclusive-listen', 'ipv6-only', 'killed-with-a-connection-in-flight', 'listen-on-a-path',
  'listen-on-an-fd', 'listen-twice', 'leaving-twice', 'many-servers-in-a-worker', 'max-connections-of-the-only-worker', 'more-clients-than-descriptors', 'options-of-a-server', 'port-in-use',
  'same-port-twice-in-one-worker', 'states-of-a-worker', 'two-servers-on-port-0', 'what-keeps-a-worker-alive',
];

/** From Node 22 on, the server of this program that would share an address listens with `reusePort`, so nothing goes through the primary. */
const WITHOUT_SHARED: readonly string[] = Number(process.versions.node.split('.')[0]) >= 22 ? ['exclusive-listen'] : [];

describe.concurrent('the same under round robin and under shared', () => {
  test.each(SAMPLE)('%s', { timeout: 60_000 }, async (scenario) => {
    const { differences, shared } = await compareRules(scenario);
    expect(differences.map(describeDifference).join('\n\n')).toBe('');
    expect(shared).toBe(!WITHOUT_SHARED.includes(scenario));
  });
});

test('what may differ is about scenarios that exist', () => {
  expect(Object.keys(MAY_DIFFER).filter((name) => !scenarios().includes(name))).toEqual([]);
});
