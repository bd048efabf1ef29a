/** `cluster-internals run` from the outside: signals, exit codes, and what process 1 of a container has to do. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { get } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, expect, test } from 'vitest';
import { groupMembers } from '../main/proc';
import { untilNextLook } from '../support/live';
import { freePort } from '../support/free_port';
import { Program, dist, root, type ProgramOptions } from '../support/program';

const cli = dist('lib/cli.js');
const app = path.join(root, 'test/fixtures/operate_app.js');
const runtime = mkdtempSync(path.join(tmpdir(), 'run-'));
const started: Program[] = [];

/** In a process group of its own, so that all of it can be ended. */
function start(args: readonly string[], env: NodeJS.ProcessEnv = {}, options: ProgramOptions = {}): Program {
  const program = new Program(cli, { node: 'setsid', execArgv: [process.execPath], args, env: { XDG_RUNTIME_DIR: runtime, XDG_STATE_HOME: runtime, ...env }, ...options });
  started.push(program);
  return program;
}

afterEach(async () => {
  for (const program of started.splice(0)) {
    const group = program.child.pid as number;
    if (groupMembers(group).length > 0) process.kill(-group, 'SIGKILL');
    await program.ended.catch(() => undefined);
  }
});
afterAll(() => rmSync(runtime, { recursive: true, force: true }));

/** The body of the answer; rejects if there is none. */
function ask(port: number, url = '/'): Promise<string> {
  return new Promise((resolve, reject) => {
    get({ port, path: url, agent: false, host: '127.0.0.1' }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (text: string) => { body += text; }).on('end', () => resolve(body)).on('error', reject);
    }).on('error', reject);
  });
}

const codeOf = (failed: Promise<unknown>): Promise<unknown> => failed.then(() => 'an answer', (error: NodeJS.ErrnoException) => error.code);

const ready = (program: Program, count: number): Promise<unknown> => program.prints(new RegExp(`(^worker \\d+ \\(pid \\d+\\): ready$[^]*?){${count}}`, 'm'));

test('arguments and variables reach the app; at SIGTERM a request in progress finishes, new ones are refused, exit 0', async () => {
  const port = await freePort();
  const program = start(['run', app, '-i', '2', '--env', `PORT=${port}`, '--env', 'VERSION=2', '--cwd', '/', '--', '-x', '--json']);
  await ready(program, 2);
  expect(JSON.parse(await ask(port))).toMatchObject({ version: '2', args: ['-x', '--json'], cwd: '/' });
  const slow = ask(port, '/slow');
  await new Promise((resolve) => setImmediate(resolve));
  await ask(port); // An answer that was asked for later: the slow request is in a worker.
  program.child.kill('SIGTERM');
  expect(await slow).toBe('slow\n');
  const { code, stderr } = await program.ended;
  expect(code).toBe(0);
  expect(stderr.split('\n')).toEqual([expect.stringMatching(/^operate_app: starting 2 workers \(primary \d+\)$/), 'operate_app: SIGTERM, stopping; no new connections, requests in progress finish', '']);
  expect(await codeOf(ask(port))).toBe('ECONNREFUSED');
  expect(groupMembers(program.child.pid as number)).toEqual([]);
});

test('--drain-delay: workers accept while load balancers learn of it; the end comes within that time and --leave-timeout; a killed worker is exit 70', async () => {
  const port = await freePort();
  const program = start(['run', app, '--env', `PORT=${port}`, '--env', 'MODE=stuck', '--drain-delay', '2s', '--leave-timeout', '500ms']);
  await ready(program, 1);
  const never = codeOf(ask(port, '/never'));
  await ask(port);
  const began = performance.now();
  program.child.kill('SIGTERM');
  await program.prints(/leaving \(stopped\), told$/m);
  expect(JSON.parse(await ask(port))).toMatchObject({ version: '1' });
  const { code } = await program.ended;
  expect([code, await never]).toEqual([70, 'ECONNRESET']);
  const took = performance.now() - began;
  expect([took > 2_450, took < 15_000], 'that time, and not the 20 s that a worker has by default').toEqual([true, true]);
});

test('an app that throws is exit 69, and the reason is on stderr', async () => {
  const { code, stderr } = await start(['run', app, '--env', 'MODE=throws', '--max-restarts', '1']).ended;
  expect(code).toBe(69);
  expect(stderr).toContain('the configuration is missing');
  expect(stderr).toMatch(/its last workers: exited with 1 \(\d\)/);
});

test('--json: each event is one line of JSON, and nothing else is printed', async () => {
  const program = start(['run', app, '--json']);
  await program.prints(/"is":"ready"/);
  const { stdout, stderr, code } = await program.stop();
  expect([code, stderr]).toEqual([0, '']);
  const events = stdout.trim().split('\n').map((line) => JSON.parse(line) as { event: string; state: { is: string } });
  expect([...new Set(events.map(({ event, state }) => `${event} ${state.is}`))]).toEqual(['transition starting', 'transition ready', 'transition leaving', 'transition gone']);
});

// ── process 1 ──────────────────────────────────────────────────────────────────────────────────────

/** The tests below need a namespace of processes, which root may make, and the first two a Node that has `process.execve`. Without these they are skipped. */
const canUnshare = spawnSync('unshare', ['--pid', '--fork', '--mount-proc', 'true']).status === 0;
const newer = path.join(root, '.nodes/22/node_modules/node/bin/node');
const canReplaceItself = 'execve' in process ? process.execPath : existsSync(newer) ? newer : null;

/** The children of a process. */
const childrenOf = (pid: number): number[] => readdirSync('/proc').map(Number).filter((one) => one > 0 && statOf(one)?.parent === pid);

function statOf(pid: number): { readonly state: string; readonly parent: number; readonly command: string } | null {
  try {
    const [, command = '', state = '', parent = ''] = /^\d+ \((.*)\) (\S) (\d+)/s.exec(readFileSync(`/proc/${pid}/stat`, 'utf8')) ?? [];
    return { command, state, parent: Number(parent) };
  } catch {
    return null; // It has ended.
  }
}

/** Starts `run` as process 1 of a pid namespace of its own. */
async function asFirst(node: string, port: number, args: readonly string[] = []): Promise<{ readonly program: Program; readonly first: number }> {
  const program = start(['run', app, '--env', `PORT=${port}`, ...args], {}, { node: 'setsid', execArgv: ['unshare', '--pid', '--fork', '--mount-proc', node] });
  await ready(program, 1);
  const [unshare] = statOf(program.child.pid as number)?.command === 'unshare' ? [program.child.pid as number] : childrenOf(program.child.pid as number);
  return { program, first: childrenOf(unshare as number)[0] as number };
}

test.runIf(canUnshare && canReplaceItself !== null)('process 1: orphans are waited for, signals arrive, and the exit code is that of run', async () => {
  const port = await freePort();
  const { program, first } = await asFirst(canReplaceItself as string, port, ['--canary', '0']);
  expect(statOf(first)?.command).toBe('sh');
  const [own] = childrenOf(first);
  for (let n = 0; n < 3; n++) expect(await ask(port, '/orphan')).toBe('done\n');
  const others = (): number[] => childrenOf(first).filter((pid) => pid !== own);
  expect(others()).toHaveLength(3);
  for (const orphan of others()) process.kill(orphan, 'SIGKILL');
  const deadline = performance.now() + 20_000;
  while (others().length > 0 && performance.now() < deadline) await untilNextLook();
  expect(others().map(statOf)).toEqual([]);

  process.kill(first, 'SIGHUP');
  await program.prints(/^operate_app: reload started$/m);
  await program.prints(/^operate_app: reload done$/m);
  const slow = ask(port, '/slow');
  await ask(port);
  process.kill(first, 'SIGTERM');
  expect(await slow).toBe('slow\n');
  expect((await program.ended).code).toBe(0);
});

test.runIf(canUnshare && canReplaceItself !== null)('process 1: the exit codes 70 and 69 come through the shell', async () => {
  const port = await freePort();
  const { program, first } = await asFirst(canReplaceItself as string, port, ['--env', 'MODE=stuck', '--leave-timeout', '300ms']);
  const never = codeOf(ask(port, '/never'));
  await ask(port);
  process.kill(first, 'SIGINT');
  const [stuck, gaveUp] = await Promise.all([program.ended, start(['run', app, '--env', 'MODE=throws', '--max-restarts', '1'], {},
    { node: 'setsid', execArgv: ['unshare', '--pid', '--fork', '--mount-proc', canReplaceItself as string] }).ended]);
  expect([stuck.code, gaveUp.code, await never]).toEqual([70, 69, 'ECONNRESET']);
});

test.runIf(canUnshare && !('execve' in process))('process 1 on a Node that cannot replace itself: it says that zombies will stay, and obeys signals', async () => {
  const { program, first } = await asFirst(process.execPath, await freePort());
  expect(program.output).toContain('cluster-internals: run is process 1, and processes whose parents have ended will stay as zombies');
  expect(program.output).toContain('docker run --init');
  process.kill(first, 'SIGTERM');
  expect((await program.ended).code).toBe(0);
});
