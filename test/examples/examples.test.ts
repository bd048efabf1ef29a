/**
 * Every example is run to its end, and has to print what it promises. One is run by the command in its header. The
 * others are compiled once, all together, and run on dist/: with tsx each process of an example takes three times as
 * long to start.
 */
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { freePort } from '../support/free_port';
import { Program, dist, root, run } from '../support/program';

/** What each example prints: its lines in order. Lines between braces come in any order. */
type Line = string | RegExp;
const expectations: Record<string, (lines: string[]) => void> = {
  hello(lines) {
    const answers = lines.slice(0, 6).map((line) => line.replace(/^request \d: hello from /, ''));
    expect([...answers].sort()).toEqual(['worker 1', 'worker 1', 'worker 2', 'worker 2', 'worker 3', 'worker 3']);
    expect(answers.slice(3), 'the second round is in the order of the first').toEqual(answers.slice(0, 3));
    inAnyOrder(lines.slice(6), ['worker 1 left with 0', 'worker 2 left with 0', 'worker 3 left with 0']);
  },
  listen(lines) {
    inAnyOrder(lines, [
      'the listening socket is in: the primary',
      'the primary is told: worker 1 listens on the port of its choice: true',
      "the server of worker 1 emits 'listening': true",
      'worker 1 left with 0',
    ]);
  },
  one_connection(lines) {
    inOrder(lines, ['the client got: hello', 'both workers have left']);
  },
  killed_in_flight(lines) {
    inOrder(lines, ['one client has its answer', '1 of 2 clients have an answer, one has waited in vain']);
  },
  sent_handle(lines) {
    inOrder(lines, ['the client reads: worker 1 was given {"yours":"a connection"}', 'worker 1 left with 0']);
  },
  blocked_worker(lines) {
    inOrder(lines, [
      '8 clients have an answer while or after one worker was blocked',
      'more than half of them from the other worker: true',
      'none of these waited for the end of the block: true',
    ]);
  },
  thundering_herd(lines) {
    inOrder(lines, [/^none: \d+\.\d wake-ups of workers for each connection$/]);
  },
  behind_a_proxy(lines) {
    inOrder(lines, ['client 1: hello', 'client 2: hello', 'client 3: hello', 'client 4: hello', 'sockets of the primary for 4 clients: 8']);
  },
  shared_server(lines) {
    inOrder(lines, [
      'child A holds the server',
      'child B holds the server',
      /^20 connections for three: 20 answers from (child A|child B|parent)(, (child B|parent))*$/,
      /^20 connections for two: 20 answers from (child A|child B|child A, child B)$/,
      'and without children: ECONNREFUSED',
    ]);
  },
  sent_sockets(lines) {
    inOrder(lines, [
      "normal read 'one'", "special read 'two'", "normal read 'three'", "special read 'four'", 'no connection is left',
    ]);
  },
  life_events(lines) {
    inOrder(lines, [
      'fork() returned worker 1, connected: true, dead: false',
      'setup, for a-worker',
      'setup, for a-worker',
      'cluster: fork, worker 1 is none',
      'worker: online',
      'cluster: online, worker 1 is online',
      "cluster: message 'hello'",
      'worker: message',
      'worker: listening',
      'cluster: listening on 127.0.0.1 (IPv4)',
      'worker: disconnect',
      'cluster: disconnect, of its own will: true',
      'worker: exit',
      'cluster: exit, code 0, signal null',
    ]);
  },
  udp(lines) {
    inOrder(lines, [
      /^both workers have port \d+: true$/,
      '10 of 10 questions are answered',
      'worker 2 got the last one',
    ]);
  },
  moving(lines) {
    inOrder(lines, [
      'before: the first worker',
      'after: the other worker, the same connection: true',
      'it gives back 1',
      'and again: the first worker',
      'with a property of the app: it gives back 0',
    ]);
  },
  refork(lines) {
    inOrder(lines.slice(0, 5), [
      'before: worker 1, worker 2',
      'worker 1 was killed by SIGKILL',
      'worker 3 takes its place',
      'meanwhile: worker 2',
      'after: worker 2, worker 3',
    ]);
    inAnyOrder(lines.slice(5), ['worker 2 has left', 'worker 3 has left']);
  },
  leader(lines) {
    inOrder(lines, ['a worker leads: true', 'it was killed, and another leads: true', '3 workers have counted themselves']);
  },
  messages(lines) {
    inOrder(lines, [
      'worker 1 says ready',
      "worker 1 says { thanks: 'first', year: 1970, double: 6n }",
      'worker 1 has left',
      'worker 2 says ready',
      "worker 2 says { thanks: 'second', year: 1970, double: 6n }",
      'worker 2 has left',
    ]);
  },
  graceful_exit(lines) {
    inOrder(lines.slice(0, 10), [
      'worker 1 failed: a bug',
      'worker 3 is its successor',
      'a new request: worker 2',
      'the slow one: worker 1, connection: close',
      'worker 1 ended with 1',
      'worker 3 failed: a bug',
      'worker 4 is its successor',
      'worker 3 ended with 2',
      'the endless one: ECONNRESET',
      'a new request: worker 2',
    ]);
    inAnyOrder(lines.slice(10), ['worker 2 ended with 0', 'worker 4 ended with 0']);
  },
  reload(lines) {
    // The second new worker can be ready while the first old one is still leaving; none leaves before its successor is ready.
    const ofWorkers = lines.filter((line) => line.startsWith('a worker ')).map((line) => line.split(' ')[2]);
    expect(['ready left ready left', 'ready ready left left']).toContain(ofWorkers.join(' '));
    inOrder(lines.filter((line) => !line.startsWith('a worker ')), [
      'reload started', 'reload rolling', 'reload done',
      'reload started', 'reload aborted', 'release 3 is refused',
      'answers from release 1 and release 2, 0 failed',
    ]);
  },
  guard(lines) {
    inOrder(lines, [
      'worker 1 killed by SIGKILL',
      'worker 3 exited with 1', 'its place backs off after 2 deaths in a row',
      'worker 4 exited with 1', 'its place backs off after 3 deaths in a row',
      'worker 5 exited with 1', 'its place backs off after 4 deaths in a row',
      'place 1 is given up after SIGKILL, 1, 1, 1: Error: the database is gone',
      'the other one: served',
      'repaired: done, 2 ready',
    ]);
  },
  graceful(lines) {
    // The answer and the news of the failure come on two ways.
    expect(lines).toContain('soon');
    inOrder(lines.filter((line) => line !== 'soon'), [
      'a successor is started', 'the successor is ready', 'the worker leaves: uncaught exception: a bug', 'the worker ended with 1',
      'served; never fewer than 2 ready',
    ]);
  },
};

const programs = readdirSync(__dirname).filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts'));

test('every example has an expectation, and every expectation an example', () => {
  expect(programs.map((file) => path.basename(file, '.ts')).sort()).toEqual(Object.keys(expectations).sort());
});

/** The compiled examples go into a directory of this one, so that their import `../../lib/cluster` leads to dist/lib. */
const directory = ((): string => {
  mkdirSync(dist(''), { recursive: true });
  return mkdtempSync(dist('examples-'));
})();
const compiled = (name: string): string => path.join(directory, 'examples', `${name}.js`);

beforeAll(async () => {
  // Types are checked by `npm run typecheck`.
  const options = ['--ignoreConfig', '--noCheck', '--noResolve', '--types', '', '--module', 'commonjs', '--target', 'es2022', '--esModuleInterop', '--rootDir', path.join(root, 'test'), '--outDir', directory];
  await promisify(execFile)(process.execPath, [path.join(root, 'node_modules/typescript/bin/tsc'), ...options, ...programs.map((file) => path.join(__dirname, file))]);
});
afterAll(() => rmSync(directory, { recursive: true }));

describe.concurrent('examples', () => {
  for (const [name, check] of Object.entries(expectations)) {
    test(name, async ({ onTestFinished }) => {
      // shared_server asks what is at its port when it is closed.
      const env = name === 'shared_server' ? { PORT: String(await freePort(onTestFinished)) } : {};
      const { code, stdout, stderr } = await run(compiled(name), { env });
      expect(stderr).toBe('');
      check(stdout.trimEnd().split('\n'));
      expect(code).toBe(0);
    });
  }

  // Programs that use node:cluster run on ours, too; one of them then ends otherwise.
  const onOurs: Record<string, (lines: string[]) => void> = {
    ...Object.fromEntries(['listen', 'one_connection', 'sent_handle'].map((name) => [name, expectations[name] as (lines: string[]) => void])),
    killed_in_flight: (lines) => inOrder(lines, ['one client has its answer', '2 of 2 clients have an answer']),
  };
  for (const [name, check] of Object.entries(onOurs)) {
    test(`${name}, on our cluster`, async () => {
      const { code, stdout, stderr } = await run(compiled(name), { execArgv: ['--require', './dist/lib/register.js'] });
      expect(stderr).toBe('');
      check(stdout.trimEnd().split('\n'));
      expect(code).toBe(0);
    });
  }

  test('hello, by the command in its header', async () => {
    const program = new Program(path.join(root, 'node_modules/tsx/dist/cli.mjs'), { args: ['test/examples/hello.ts'] });
    const { code, stdout, stderr } = await program.ended;
    expect(stderr).toBe('');
    expectations['hello']?.(stdout.trimEnd().split('\n'));
    expect(code).toBe(0);
  });
});

function inOrder(lines: string[], expected: Line[]): void {
  // Where a line matches its pattern the pattern takes its place, so that a difference shows all lines.
  const seen = lines.map((line, at) => {
    const pattern = expected[at];
    return pattern instanceof RegExp && pattern.test(line) ? pattern : line;
  });
  expect(seen).toEqual(expected);
}

function inAnyOrder(lines: string[], expected: string[]): void {
  expect([...lines].sort()).toEqual(expected);
}
