// Guards what is published: the tarball holds what a program needs and nothing of the build; an installed copy's
// stack traces, breakpoints, "go to definition" and READMEs lead to files that its user has; and each entry is found,
// with its types, by every way in which TypeScript looks for a module.
import { execFile } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { documents, linksOf, textOf } from '../support/documents';
import { root, run } from '../support/program';

interface Seen {
  readonly primary: { readonly online: string; readonly message: string };
  readonly worker: string;
  readonly breakpoint?: readonly string[];
}

const directory = realpathSync(mkdtempSync(path.join(tmpdir(), 'package-')));
const packing = path.join(directory, 'where-it-was-packed');
const app = path.join(directory, 'app');
const installed = path.join(app, 'node_modules/cluster-internals');

const npm = (cwd: string, ...args: string[]): Promise<{ stdout: string }> => promisify(execFile)('npm', args, { cwd, env: { ...process.env, npm_config_update_notifier: 'false' } });

async function seen(execArgv: readonly string[] = [], args: readonly string[] = []): Promise<Seen> {
  const { code, stdout, stderr } = await run(path.join(app, 'app.js'), { cwd: app, execArgv, args });
  expect([code, stderr]).toEqual([0, '']);
  return JSON.parse(stdout) as Seen;
}

beforeAll(async () => {
  mkdirSync(packing);
  for (const name of ['lib', 'internal', 'package.json', 'tsconfig.json', 'LICENSE', 'test/tour/picture.svg', 'bench/sharing_over_time.svg', 'bench/sharing_throughput.svg', 'test/examples/redis', ...documents]) cpSync(path.join(root, name), path.join(packing, name), { recursive: true });
  symlinkSync(path.join(root, 'node_modules'), path.join(packing, 'node_modules'));
  // What an earlier build has left behind.
  mkdirSync(path.join(packing, 'dist/test'), { recursive: true });
  writeFileSync(path.join(packing, 'dist/test/some.test.js'), '');
  writeFileSync(path.join(packing, 'dist/tsconfig.tsbuildinfo'), '');
  await npm(packing, 'pack', '--silent');
  const tarball = readdirSync(packing).find((name) => name.endsWith('.tgz')) as string;
  mkdirSync(app);
  writeFileSync(path.join(app, 'package.json'), '{ "name": "app", "version": "1.0.0" }');
  cpSync(path.join(packing, tarball), path.join(app, 'package.tgz'));
  rmSync(packing, { recursive: true });
  await npm(app, 'install', '--offline', '--no-audit', '--no-fund', '--silent', './package.tgz');
  cpSync(path.join(root, 'test/fixtures/installed_app.js'), path.join(app, 'app.js'));
  symlinkSync(path.join(root, 'node_modules/@types'), path.join(app, 'node_modules/@types'));
}, 180_000); // It builds the whole project.

afterAll(() => rmSync(directory, { recursive: true, force: true }));

test('the tarball holds the sources, what the compiler made of them, the bundles with their maps, and the documents', () => {
  const files = (readdirSync(installed, { recursive: true, encoding: 'utf8' })).filter((name) => /\.\w+$/.test(name));
  expect(files).toEqual(expect.arrayContaining([...documents]));
  expect(files.filter((name) => !documents.includes(name) && !/^(package\.json|(lib|internal)\/.*\.ts|internal\/page\/client\/\w+\.(js|html|css)|internal\/page\/texts\/\w+\.json|internal\/recording\/\w+\.lua|test\/examples\/redis\/store\.(ts|lua)|test\/tour\/picture\.svg|bench\/sharing_(over_time|throughput)\.svg|dist\/(lib|internal)\/.*\.(js|d\.ts|js\.map|d\.ts\.map))$/.test(name))).toEqual([]);
  // What `view` puts into a page, and the dissector for tshark.
  expect(files).toEqual(expect.arrayContaining(['internal/page/client/index.html', 'internal/page/client/main.js', 'internal/page/texts/en.json', 'internal/recording/cluster_internals.lua']));
  expect(files.filter((name) => /(^|\/)bundle\./.test(name))).toEqual([]);
  expect(files).toEqual(expect.arrayContaining(['dist/internal/startup/role.bundle.js', 'dist/internal/startup/role.bundle.js.map', 'dist/internal/startup/entry.bundle.js', 'dist/internal/startup/preload.bundle.js.map']));
});

test.each(['README.md', 'lib/README.md'])('the links of %s lead to files that are in it', (document) => {
  expect(deadEnds(document)).toEqual([]);
});

test.each(documents)('%s is in it, and says at its head where the files are that it links to and that are not', (document) => {
  const head = textOf(document).split('\n').slice(0, 20).join(' ').replaceAll(/[\s>]+/g, ' ');
  if (deadEnds(document).length > 0) expect(head).toMatch(/npm package.*in the repository/);
});

/** Where a document of the installed copy links to something that is not there. */
function deadEnds(document: string): string[] {
  const file = path.join(installed, document);
  return linksOf(readFileSync(file, 'utf8')).map(({ target }) => target).filter((target) => target !== '' && !existsSync(path.resolve(path.dirname(file), target)));
}

test('no file of it names the directory in which it was packed', () => {
  const files = readdirSync(installed, { recursive: true, withFileTypes: true, encoding: 'utf8' }).filter((entry) => entry.isFile());
  expect(files.filter((entry) => readFileSync(path.join(entry.parentPath, entry.name)).includes('where-it-was-packed'))).toEqual([]);
});

test('each declaration has a map, and the source that it names is there', () => {
  const dist = path.join(installed, 'dist');
  const declarations = readdirSync(dist, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.d.ts'));
  expect(declarations).toContain('lib/cluster.d.ts');
  const missing = declarations.flatMap((name) => {
    const { sources } = JSON.parse(readFileSync(path.join(dist, `${name}.map`), 'utf8')) as { sources: string[] };
    return sources.map((source) => path.resolve(dist, path.dirname(name), source)).filter((source) => !existsSync(source));
  });
  expect(missing).toEqual([]);
});

/** The ways in which TypeScript looks for a module, with the name of the program's file: .mts is an ES module. */
const resolutions = {
  'node16, CommonJS': [{ module: 'node16' }, 'app.cts'],
  'node16, ES module': [{ module: 'node16' }, 'app.mts'],
  'nodenext, ES module': [{ module: 'nodenext' }, 'app.mts'],
  'bundler': [{ module: 'esnext', moduleResolution: 'bundler' }, 'app.ts'],
  'commonjs': [{ module: 'commonjs' }, 'app.ts'],
} as const;

describe.concurrent('types', () => {
  test.each(Object.entries(resolutions))('every entry is found with its types under %s', async (name, [options, file]) => {
    const project = path.join(app, name.replace(/\W+/g, '_'));
    mkdirSync(project);
    // The declarations themselves are checked once; that they are found under the other resolutions, the program shows.
    const skipLibCheck = name !== 'node16, CommonJS';
    writeFileSync(path.join(project, 'tsconfig.json'), JSON.stringify({ compilerOptions: { ...options, target: 'es2022', lib: ['es2023'], types: ['node'], strict: true, esModuleInterop: true, noEmit: true, skipLibCheck }, files: [file] }));
    cpSync(path.join(root, 'test/fixtures/package_types.txt'), path.join(project, file));
    const { stdout } = await promisify(execFile)(process.execPath, [path.join(root, 'node_modules/typescript/bin/tsc'), '-p', project]).catch((error: { stdout: string }) => error);
    expect(stdout).toBe('');
  });

  test('the program that is compiled names every entry of package.json', () => {
    const { exports } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as { exports: Record<string, unknown> };
    const text = readFileSync(path.join(root, 'test/fixtures/package_types.txt'), 'utf8');
    const entries = Object.keys(exports).filter((name) => name !== './package.json');
    expect(entries.filter((name) => !text.includes(`'cluster-internals${name.slice(1)}'`))).toEqual([]);
  });
});

test('stack traces of an installed copy name its own files', async () => {
  const { primary, worker } = await seen();
  for (const stack of [primary.online, primary.message, worker]) {
    expect(stack).not.toContain('where-it-was-packed');
    expect(stack).toMatch(/node_modules\/cluster-internals\/dist\/internal\/startup\/(role|preload)\.bundle\.js:\d+/);
  }
});

test('under --enable-source-maps they name the TypeScript of channel, master and child', async () => {
  const { primary, worker } = await seen(['--enable-source-maps']);
  const source = (file: string): string => `${path.join(installed, 'internal', file)}:`;
  expect(primary.online).toContain(source('master/index.ts'));
  expect(primary.message).toContain(source('channel/incoming.ts'));
  expect(worker).toContain(source('child/index.ts'));
});

test('a breakpoint in master/index.ts, set with the help of the bundle’s source map, is hit', async () => {
  expect((await seen([], ['breakpoint'])).breakpoint).toEqual(['fork']);
});

test('code that V8 compiled elsewhere is not used: it would bring the other directory’s name', async () => {
  // What a copy of a built clone is: the bundles, and the compiled code that was made at another place.
  for (const name of ['startup/role.bundle.js', 'startup/preload.bundle.js']) {
    const compiled = path.join(root, 'dist/internal', `${name}.${process.version}-${process.arch}`);
    cpSync(compiled, path.join(installed, 'dist/internal', path.relative(path.join(root, 'dist/internal'), compiled)));
    cpSync(path.join(root, 'dist/internal', name), path.join(installed, 'dist/internal', name));
  }
  const { primary, worker } = await seen();
  for (const stack of [primary.online, primary.message, worker]) expect(stack).not.toContain(path.join(root, 'dist'));
});
