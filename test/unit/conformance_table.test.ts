// Guards what `npm run conformance` prints: no failure is hidden in a sum, and every table fits 100 columns.
import { describe, expect, test } from 'vitest';
import { clauses } from '../differential/clauses';
import { clauseTable, counts, isFine, sums, type Outcome, type Version } from '../differential/conformance_table';
import { coveredClauses, scenarios } from '../support/scenarios';

const versions: Version[] = [20, 22, 24, 26].map((major) => ({ major, node: 'node', exact: `${major}.20.20` }));
const names = scenarios();
const alike: Outcome[] = names.flatMap((scenario) => versions.map((version) => ({ scenario, version, differences: [] })));
const observable = clauses.filter((clause) => clause.observable);

const withFailure = (name: string, major: number): Outcome[] =>
  alike.map((outcome) => (outcome.scenario === name && outcome.version.major === major ? { ...outcome, differences: ['P: 1 line more'] } : outcome));

describe('sums', () => {
  test('one line for each chapter; together they count every clause that can be observed, on each Node', () => {
    const [head, ...rows] = sums(alike, versions).split('\n').filter((line) => !/^ /.test(line) || line.includes('chapter'));
    expect(head).toMatch(/chapter +clauses +20\.20\.20 +22\.20\.20 +24\.20\.20 +26\.20\.20$/);
    expect(rows).toHaveLength(new Set(observable.map(({ id }) => id.split('-')[0])).size);
    expect(rows.every(isFine)).toBe(true);
    expect(rows.map((row) => Number(/ (\d+) {2}/.exec(row)?.[1])).reduce((sum, count) => sum + count, 0)).toBe(observable.length);
    const last = rows.map((row) => row.split(/ {2,}/).at(-1) as string).flatMap((cell) => cell.split(', ')).map((part) => Number.parseInt(part, 10));
    expect(last.reduce((sum, count) => sum + count, 0)).toBe(observable.length);
  });

  test('a difference is counted in its chapter, and each of its clauses has a line of its own', () => {
    const name = names.find((one) => coveredClauses(one).length > 1) as string;
    const lines = sums(withFailure(name, 24), versions).split('\n').filter((line) => !isFine(line));
    for (const id of coveredClauses(name)) expect(lines.some((line) => line.startsWith(`${id} `) && /FAIL/.test(line))).toBe(true);
    expect(lines.some((line) => /^[A-Z] .* FAIL/.test(line))).toBe(true);
  });

  test('so is a clause without a scenario', () => {
    const [clause] = observable;
    const others = alike.filter(({ scenario }) => !coveredClauses(scenario).includes(clause?.id ?? ''));
    expect(sums(others, versions)).toMatch(new RegExp(`^${clause?.id} +NONE +NONE +NONE +NONE +`, 'm'));
  });
});

test('clause by clause: the scenarios, and FAIL on the Node where one differs', () => {
  const name = names.find((one) => coveredClauses(one).length > 0) as string;
  const [id] = coveredClauses(name);
  const table = clauseTable(withFailure(name, 22), versions, true);
  expect(table).toMatch(new RegExp(`^${id} +(ok|D\\d+( D\\d+)*) +FAIL +(ok|D)`, 'm'));
  expect(table.replace(/\s+/g, ' ')).toContain(name);
  const one = alike.filter(({ scenario }) => scenario === name);
  expect(clauseTable(one, versions, false).split('\n').filter((line) => /^[A-Z]-\d/.test(line))).toHaveLength(new Set(coveredClauses(name)).size);
});

test('every line fits 100 columns', () => {
  const text = [sums(alike, versions), clauseTable(alike, versions, true), counts(alike, names, 1_140_000)].join('\n');
  expect(text.split('\n').filter((line) => line.length > 100)).toEqual([]);
  expect(text).toMatch(/ runs in 19 min: \d+ alike, \d+ deliberately different, 0 different$/);
});
