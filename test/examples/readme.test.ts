/**
 * The code blocks of the documents: each program is run as it stands there, everything else is checked by the compiler.
 *
 * A js block whose first line is a comment that names a file, `// reload.js: …`, is a program, and needs a test here.
 */
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import { connect } from 'node:net';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, describe, expect, test } from 'vitest';
import { get } from '../interop/load';
import { groupMembers } from '../main/proc';
import { documents, parts, textOf, type Block } from '../support/documents';
import { Program, dist, root, run } from '../support/program';

interface Placed extends Block {
  readonly document: string;
}

const blocks: readonly Placed[] = documents.flatMap((document) => parts(textOf(document)).blocks.map((block) => ({ ...block, document })));
const nameOf = ({ language, code }: Block): string | undefined => (language === 'js' ? /^\/\/ ([\w-]+\.m?js)\b/.exec(code)?.[1] : undefined);

/** In this package, so that the programs find `cluster-internals`. */
const directory = ((): string => {
  mkdirSync(dist(''), { recursive: true });
  return mkdtempSync(dist('readme-'));
})();
afterAll(() => rmSync(directory, { recursive: true }));

/** The file of a program. */
function fileOf(name: string): string {
  const block = blocks.find((one) => nameOf(one) === name);
  expect(block, `a block that begins with // ${name}`).toBeDefined();
  const file = path.join(directory, name);
  writeFileSync(file, (block as Block).code);
  return file;
}

/** A program that ends by itself: what it printed. */
async function printed(name: string): Promise<string> {
  const { code, stdout, stderr } = await run(fileOf(name));
  expect([code, stderr]).toEqual([0, '']);
  return stdout;
}

/** Runs a program in a group of its own; `body` gets the port that so many workers listen on. */
async function serving(name: string, workers: number, body: (program: Program, port: number) => Promise<void>): Promise<void> {
  const tellPort = path.join(__dirname, '../fixtures/tell_port.js');
  const program = new Program(fileOf(name), { node: 'setsid', execArgv: [process.execPath, '--require', tellPort], env: { PORT: '0' } });
  const group = program.child.pid as number;
  try {
    const [, port] = await program.prints(new RegExp(`^port (\\d+)$(?:[^]*^port \\d+$){${workers - 1}}`, 'm'));
    await body(program, Number(port));
    await program.stop();
  } finally {
    if (groupMembers(group).length > 0) process.kill(-group, 'SIGKILL');
  }
}

/** One that is supervised leaves nothing behind when it is stopped. */
async function supervised(name: string, body: (program: Program, port: number) => Promise<void>): Promise<void> {
  await serving(name, 2, async (program, port) => {
    await body(program, port);
    const { code, signal } = await program.stop();
    expect({ code, signal }).toEqual({ code: 0, signal: null });
    expect(groupMembers(program.child.pid as number)).toEqual([]);
  });
}

const programs: Record<string, () => Promise<void>> = {
  // README.md
  'hello.js': () => serving('hello.js', 2, async (_program, port) => expect(await get(port)).toMatch(/^worker [12]$/m)),
  'hello.mjs': () => serving('hello.mjs', 2, async (_program, port) => expect(await get(port)).toMatch(/^worker [12]$/m)),
  'supervised.js': () => supervised('supervised.js', async (program, port) => {
    const before = await get(port);
    program.child.kill('SIGHUP');
    await program.prints(/^reload done $/m);
    expect(await get(port)).not.toBe(before);
  }),
  'shared.js': async () => expect(await printed('shared.js')).toBe('2 workers were here\n'),
  // lib/README.md
  'modules.mjs': async () => expect(await printed('modules.mjs')).toBe('5 functions\n'),
  'http.js': () => serving('http.js', 2, async (_program, port) => expect(await get(port)).toBe('hello\n')),
  'http.mjs': () => serving('http.mjs', 2, async (_program, port) => expect(await get(port)).toBe('hello\n')),
  'child.js': async () => expect(await printed('child.js')).toBe('the child says: 42\n'),
  'sticky.js': () => serving('sticky.js', 4, async (_program, port) => {
    const first = await get(port);
    expect(first).toMatch(/^worker [1-4]\n$/);
    for (let again = 0; again < 4; again++) expect(await get(port)).toBe(first);
  }),
  'shared_accept.js': () => serving('shared_accept.js', 4, async (_program, port) => expect(await get(port)).toMatch(/^worker [1-4]\n$/)),
  'reload.js': () => supervised('reload.js', async (program, port) => {
    const before = await get(port);
    program.child.kill('SIGHUP');
    await program.prints(/^reload done $/m);
    expect(await get(port)).not.toBe(before);
    expect(program.output).toMatch(/^worker 1: leaving out of rotation$/m);
  }),
  'upgrade.js': async () => {
    const { code, stdout, stderr } = await run(fileOf('upgrade.js'), { env: { ...process.env, PORT: '0' } });
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(/^replaced by process \d+\n$/);
  },
  'guard.js': () => supervised('guard.js', async (program, port) => {
    expect(await get(port, '/bug')).toBe('soon');
    await program.prints(/^place \d, worker \d \(\d+\): gone$/m);
    expect(await get(port)).toBe('soon');
    expect(program.output).toMatch(/Error: a bug/);
  }),
  'counter.js': async () => expect(await printed('counter.js')).toBe('counted: 4000\n'),
  'watch.js': () => serving('watch.js', 1, async (program, port) => {
    const client = connect(port, '127.0.0.1');
    client.resume();
    await once(client, 'close');
    await program.prints(/^descriptor \d+ of .+ goes to a worker$/m);
  }),
};

describe.concurrent('programs', () => {
  test('each has a name of its own and a test', () => {
    expect(blocks.map(nameOf).filter((name) => name !== undefined).sort()).toEqual(Object.keys(programs).sort());
  });

  test.each(Object.keys(programs))('%s', async (name) => programs[name]?.());
});

/** What fragments of programs are about, without saying where it comes from. */
const SURROUNDINGS = `
import type { SharedState, SharedStore } from 'cluster-internals/shared_state';
import type { Supervisor } from 'cluster-internals/supervisor';
declare global {
  const cluster: typeof import('cluster-internals');
  const state: SharedState;
  const supervisor: Supervisor;
  const sharedState: typeof import('cluster-internals/shared_state').sharedState;
  const createClient: (options: { url: string }) => import('node:events').EventEmitter & { connect(): Promise<unknown> };
  const redisStore: (client: unknown, options: { prefix: string }) => SharedStore;
  const db: { query(text: string, values: unknown[]): Promise<{ rows: { data: unknown }[] }> };
}
`;

/** For users' code, which has no strict types. What stands there for an answer of JSON is anything. */
const OPTIONS = { module: 'node16', moduleResolution: 'node16', moduleDetection: 'force', target: 'es2022', esModuleInterop: true, noEmit: true, skipLibCheck: true, types: ['node'], strict: false };

/** What the compiler says about these blocks, each with the place where it stands; empty if nothing. */
async function compiled(of: readonly Placed[], options: object): Promise<string> {
  const files = mkdtempSync(path.join(directory, 'checked-'));
  of.forEach(({ document, line, language, code }) => {
    const extension = /^\s*(import|export) /m.test(code) ? `m${language}` : language;
    writeFileSync(path.join(files, `${document.replaceAll(/\W/g, '_')}_${line}.${extension}`), code);
  });
  writeFileSync(path.join(files, 'surroundings.d.ts'), SURROUNDINGS);
  writeFileSync(path.join(files, 'tsconfig.json'), JSON.stringify({ compilerOptions: { ...OPTIONS, ...options }, include: ['*'] }));
  const tsc = path.join(root, 'node_modules/typescript/bin/tsc');
  return promisify(execFile)(process.execPath, [tsc, '-p', files]).then(() => '', (error: { stdout: string }) => error.stdout);
}

test('the blocks of README.md and lib/README.md use our modules as their types allow', async () => {
  const ours = blocks.filter(({ document, language }) => ['README.md', 'lib/README.md'].includes(document) && language === 'js');
  expect(ours.length).toBeGreaterThan(10);
  expect(await compiled(ours, { allowJs: true, checkJs: true })).toBe('');
});

test('every js and ts block is one that can be parsed', async () => {
  const code = blocks.filter(({ language }) => ['js', 'ts'].includes(language));
  expect(await compiled(code, { allowJs: true, noCheck: true })).toBe('');
});
