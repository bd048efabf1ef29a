/** What the header of a file names: paths exist, "Used by" and "Uses" are the imports, names in backticks are in the code. */
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { root } from '../support/program';

const filesIn = (directory: string): string[] => (readdirSync(path.join(root, directory), { recursive: true, encoding: 'utf8' }))
  .filter((file) => /\.(ts|js|mjs)$/.test(file)).map((file) => `${directory}/${file}`).sort();
/** Each pair of files is looked at: what depends on one of them alone is found once. */
function once<Value>(of: (file: string) => Value): (file: string) => Value {
  const known = new Map<string, Value>();
  return (file) => {
    if (!known.has(file)) known.set(file, of(file));
    return known.get(file) as Value;
  };
}
const read = once((file) => readFileSync(path.join(root, file), 'utf8'));
const sources = [...filesIn('lib'), ...filesIn('internal')].filter((file) => file.endsWith('.ts'));
const everything = [...sources, ...filesIn('test'), ...filesIn('bench')];

const withoutComments = (text: string): string => text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/^\s*\/\/.*$/gm, '');

/** The first comment of a file, without its stars. */
const headerOf = (text: string): string => (/^\/\*\*([\s\S]*?)\*\//.exec(text)?.[1] ?? '').replace(/^ ?\* ?/gm, '');

/** The text of one rubric of a header, up to the next one. */
function rubric(header: string, name: string): string {
  const lines = header.split('\n');
  const at = lines.findIndex((line) => line.startsWith(`${name} `));
  if (at === -1) return '';
  let end = at + 1;
  while (end < lines.length && /^\s/.test(lines[end] as string)) end++;
  return lines.slice(at, end).join(' ').slice(name.length);
}

/** The files that a text names. */
const namesIn = (text: string): string[] => [...text.matchAll(/(?<![\w./'"`-])(?:[\w-]+\/)*[\w-]+\.(?:test\.)?(?:ts|js)\b/g)].map((match) => match[0]);

/** The file that a header means: beside it, above it, or from one of the tops. Null if there is none. */
function resolve(name: string, from: string): string | null {
  const places = [path.dirname(from), path.dirname(path.dirname(from)), 'internal', 'internal/supervisor', 'internal/shared_state', 'test', '.'];
  return places.map((place) => path.normalize(path.join(place, name))).find((file) => existsSync(path.join(root, file))) ?? null;
}

const codeOf = once((file) => withoutComments(read(file)));
const codeWithoutTypes = once((file) => codeOf(file)
  .replace(/^import type [^;]*;$|^import \{(?:\s*type \w+(?: as \w+)?,?)+\s*\} from [^;]*;$|^export type [^;]* from [^;]*;$|\bimport\('[^']*'\)/gm, ''));

/** Does `file` load `target`, by an import or by its path in a string? `values`: imports of types alone do not count. */
function loads(file: string, target: string, values = false): boolean {
  const code = values ? codeWithoutTypes(file) : codeOf(file);
  const bare = target.replace(/\.ts$/, '').replace(/\/index$/, '');
  const relative = path.relative(path.dirname(file), bare);
  const own = relative.startsWith('.') ? relative : `./${relative}`;
  const names = [own, `${own}/index`, bare, `${bare}.js`, `${own}.js`, `${bare}.bundle.js`, `dist/${bare}`];
  return names.some((name) => code.includes(`'${name}'`) || (file.includes('/startup/') && code.includes(`${path.basename(bare)}.bundle.js`)) || code.includes(`${name}.js`) || code.includes(`'${name}.js'`));
}

/** Those that run its code: an import of types alone is no use of a file. */
const importersOf = (target: string): string[] => sources.filter((file) => file !== target && loads(file, target, true));

test('the reader of headers finds rubrics and names', () => {
  const header = headerOf('/**\n * Does this.\n *\n * Used by  a.ts, b/c.ts (which\n *          says so)\n * Never    x.ts\n */');
  expect(namesIn(rubric(header, 'Used by'))).toEqual(['a.ts', 'b/c.ts']);
  expect(rubric(header, 'Uses')).toBe('');
});

test.each(sources)('%s', (file) => {
  const header = headerOf(read(file));
  const gone = namesIn(header).filter((name) => !EXAMPLES.has(path.basename(name)) && !name.startsWith('lib/internal/') && resolve(name, file) === null);
  expect(gone, 'the header names files that do not exist').toEqual([]);

  const users = rubric(header, 'Used by');
  const named = namesIn(users).map((name) => resolve(name, file) as string);
  expect(named.filter((user) => user.startsWith('lib/') || user.startsWith('internal/')).filter((user) => !loads(user, file)), '"Used by" names files that do not load this one').toEqual([]);
  const directories = [...users.matchAll(/(?<![\w./])((?:[\w-]+\/)+)(?![\w])/g)].map((match) => match[1] as string);
  const isNamed = (user: string): boolean => named.includes(user)
    || directories.some((directory) => ['internal/', path.dirname(file) + '/', path.dirname(path.dirname(file)) + '/', ''].some((place) => user.startsWith(place + directory)));
  if (users !== '' && !/\b(all|every|everybody|most|whoever|public classes|the client gives out)\b/.test(users)) {
    expect(importersOf(file).filter((user) => !isNamed(user)), 'files load this one that "Used by" does not name').toEqual([]);
  }

  const used = namesIn(rubric(header, 'Uses')).map((name) => resolve(name, file) as string);
  expect(used.filter((target) => target.startsWith('internal/') && !loads(file, target)), '"Uses" names files that this one does not load').toEqual([]);
});

/** Names of files in example commands. */
const EXAMPLES = new Set(['app.js', 'preload.js']);

/** Names of Node and of the language that our code does not contain. */
const NODES = new Set(['execvp']);

test('each name in backticks in a header is in the code', () => {
  const words = new Set(everything.flatMap((file) => codeOf(file).match(/[A-Za-z_$][\w$]*/g) ?? []));
  const strangers = sources.flatMap((file) => [...headerOf(read(file)).matchAll(/`#?([A-Za-z_]\w*)(?:\(\))?`/g)].map((match) => match[1] as string)
    .filter((name) => !words.has(name) && !NODES.has(name)).map((name) => `${file}: ${name}`));
  expect(strangers).toEqual([]);
});
