/**
 * Prints which scenario covers which clause, and whether it is the same on each Node:
 *
 *   npx tsx test/differential/table.ts [name pattern] [node …]
 *
 * Without a Node: this one. Ends with 1 if anything differs.
 */
import { execFileSync } from 'node:child_process';
import { compare, coveredClauses, describeDifference, runScenario, scenarioFile, scenarios } from '../support/differential';
import { rules } from './deliberate';

async function main(): Promise<void> {
  const [pattern = '.', ...given] = process.argv.slice(2);
  const nodes = given.length > 0 ? given : [process.execPath];
  const versions = nodes.map((node) => execFileSync(node, ['-p', 'process.versions.node'], { encoding: 'utf8' }).trim());
  const names = scenarios().filter((name) => new RegExp(pattern).test(name));
  const details: string[] = [];
  console.log(`| scenario | clauses | ${versions.join(' | ')} |\n| --- | --- |${' --- |'.repeat(versions.length)}`);
  for (const scenario of names) {
    const cells: string[] = [];
    for (const [at, node] of nodes.entries()) {
      const file = scenarioFile(scenario);
      const major = Number((versions[at] as string).split('.')[0]);
      const differences = await Promise.all([
        runScenario(file, { node, implementation: 'stock' }), runScenario(file, { node, implementation: 'ours' }),
      ]).then(([stock, ours]) => compare(stock, ours, { scenario, rules, major }).map(describeDifference), (error: Error) => [error.message]);
      const rule = rules.filter((one) => [one.scenario].flat().includes(scenario) && (one.versions?.includes(major) ?? true));
      cells.push(differences.length > 0 ? 'DIFFERS' : rule.length > 0 ? [...new Set(rule.map(({ number }) => number))].join(' ') : 'same');
      if (differences.length > 0) details.push(`${scenario} on ${versions[at]}\n${differences.join('\n')}`);
    }
    console.log(`| ${scenario} | ${coveredClauses(scenario).join(' ')} | ${cells.join(' | ')} |`);
  }
  if (details.length > 0) console.error(`\n${details.join('\n\n')}`);
  process.exitCode = details.length > 0 ? 1 : 0;
}

void main();
