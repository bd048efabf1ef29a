/**
 * Guards what holds the documents and the code together: the clauses of the specification are those that scenarios
 * may cite, each deliberate difference has its row, and a function that a README places in a file is there.
 */
import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { clauses } from '../differential/clauses';
import { rules } from '../differential/deliberate';
import { root } from '../support/program';

const read = (file: string): string => readFileSync(path.join(root, file), 'utf8');

/** Without comments: a function that only a comment speaks of is not there. */
const code = (text: string): string => text.replace(/\/\*[^]*?\*\//g, '').replace(/(^|[^:'"`])\/\/.*$/gm, '$1');

/** The first group of each match. */
const all = (text: string, pattern: RegExp): string[] => [...text.matchAll(pattern)].map((match) => match[1] as string);

/** "c-12" for C-12 and D38 for d38: an id and its anchor. */
const anchored = (text: string, pattern: RegExp): { readonly ids: string[]; readonly wrong: string[] } => {
  const found = [...text.matchAll(pattern)].map(([, anchor, id]) => ({ anchor: anchor as string, id: id as string }));
  return { ids: found.map(({ id }) => id), wrong: found.filter(({ anchor, id }) => anchor !== id.toLowerCase()).map(({ id }) => id) };
};

const specification = anchored(read('test/differential/SPEC.md'), /^<a id="(.+?)"><\/a>\*\*(.+?)\*\*/gm);
const differences = anchored(read('test/README.md'), /^\| <a id="(d\d+)"><\/a>(D\d+) \|/gm);

test('each clause of SPEC.md has its anchor, and is in clauses.ts; and the other way round', () => {
  expect(specification.wrong).toEqual([]);
  expect(specification.ids).toEqual([...new Set(specification.ids)]);
  expect([...specification.ids].sort()).toEqual(clauses.map(({ id }) => id).sort());
});

test('the table of differences in test/README.md: an anchor for each, in order, none twice', () => {
  expect(differences.wrong).toEqual([]);
  const numbers = differences.ids.map((id) => Number(id.slice(1)));
  expect(numbers).toEqual([...new Set(numbers)].sort((a, b) => a - b));
});

test('each rule of deliberate.ts, and each D number that a source names, has a row in test/README.md', () => {
  const sources = ['lib', 'internal', 'test'].flatMap((directory) => (readdirSync(path.join(root, directory), { recursive: true }) as string[])
    .filter((file) => /\.[jt]s$/.test(file)).map((file) => `${directory}/${file}`));
  expect(sources.length).toBeGreaterThan(200);
  const named = sources.flatMap((file) => all(read(file), /(?<![\w'"-])(D[1-9]\d?)(?![\w'"])/g).map((id) => `${id} in ${file}`));
  const known = (text: string): boolean => differences.ids.includes(text.split(' ')[0] as string);
  expect(rules.map(({ number, scenario }) => `${number} in the rule for ${String(scenario)}`).filter((text) => !known(text))).toEqual([]);
  expect([...new Set(named)].filter((text) => !known(text))).toEqual([]);
});

test('each clause that a row of test/README.md cites is in SPEC.md', () => {
  const cited = all(read('test/README.md'), /\[([A-Z]-\d+\w?)\]\(differential\/SPEC\.md#/g);
  expect(cited.length).toBeGreaterThan(50);
  expect(cited.filter((id) => !specification.ids.includes(id))).toEqual([]);
});

test.each(['internal/README.md', 'test/README.md'])('%s: "`name` in [file]" names something of that file', (document) => {
  const text = read(document).replace(/\s+/g, ' ');
  const placed = [...text.matchAll(/`(?:\w+\.)?(#?\w+)` in \[[^\]]+\]\(([^)#]+\.ts)\)/g)].map(([, name, file]) => ({ name: name as string, file: file as string }));
  expect(placed.length).toBeGreaterThan(3);
  const missing = placed.filter(({ name, file }) => !new RegExp(`(?<![\\w#])${name}\\b`).test(code(read(path.join(path.dirname(document), file)))));
  expect(missing.map(({ name, file }) => `${name} in ${file}`)).toEqual([]);
});
