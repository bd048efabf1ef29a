/**
 * Every scenario of `scenarios/` runs under Node's cluster and under ours; both must show the same.
 * DIFF_NODE runs them on another Node.
 */
import { execFileSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { compare, describeDifference } from '../support/differential';
import { runScenario } from '../support/scenario_run';
import { coveredClauses, scenarioFile, scenarios } from '../support/scenarios';
import { rules } from './deliberate';

const node = process.env['DIFF_NODE'] || process.execPath;
const major = Number(execFileSync(node, ['-p', 'process.versions.node.split(".")[0]'], { encoding: 'utf8' }));

describe.concurrent('the same under node:cluster and under ours', () => {
  for (const scenario of scenarios()) {
    test(`${scenario} (${coveredClauses(scenario).join(', ')})`, async ({ expect }) => {
      const file = scenarioFile(scenario);
      const [stock, ours] = await Promise.all([
        runScenario(file, { node, implementation: 'stock' }),
        runScenario(file, { node, implementation: 'ours' }),
      ]);
      const differences = compare(stock, ours, { scenario, rules, major });
      expect(differences.map(describeDifference).join('\n\n'), ours.stderr).toBe('');
    });
  }
});

test('every rule is about a scenario that exists', () => {
  expect(rules.flatMap(({ scenario }) => scenario).filter((name) => !scenarios().includes(name))).toEqual([]);
});
