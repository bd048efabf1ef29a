/** How a primary ends: with which exit code, and that it ends although a timer would keep it alive. */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, watch } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { startsInspected } from '../../internal/supervisor/debugger';
import type { CheckedOptions } from '../../internal/supervisor/options';
import { PrimaryEnd } from '../../internal/supervisor/primary_end';
import { Health } from '../../internal/supervisor/health';
import type { Pong } from '../../internal/supervisor/wire';
import { fixture, within } from '../support/children';
import { TestClock } from '../support/fleet_world';
import { freePort } from '../support/free_port';
import { Program, run } from '../support/program';

const primary = fixture('supervised_primary.js');
const broken = { workers: 1, env: { WAY: 'throws' }, restarts: { max: 1, minDelayMs: 1, maxDelayMs: 1 } };
const ends = (options: object, env: NodeJS.ProcessEnv = {}): { args: string[]; env: NodeJS.ProcessEnv } =>
  ({ args: ['ends'], env: { ...env, OPTIONS: JSON.stringify(options) } });

test('no worker can be kept running: exit code 69, also with onGiveUp and although a timer would keep the primary alive; a process.exitCode of the program holds instead', async () => {
  const codes = await Promise.all([
    run(primary, ends({ ...broken, workers: 2 })), run(primary, ends(broken, { HOLDS: '1' })),
    run(primary, ends({ ...broken, onGiveUp: 'stop' }, { HOLDS: '1' })), run(primary, ends(broken, { EXIT_CODE: '3' })),
  ]);
  expect(codes.map(({ code }) => code)).toEqual([69, 69, 69, 3]);
});

test('all workers exit with a code of stopExitCodes: 0, also with onGiveUp, and although a timer would keep the primary alive; 69 if one of them died otherwise', async () => {
  const exits = (codes: string, more: object = {}): { args: string[]; env: NodeJS.ProcessEnv } =>
    ends({ workers: 2, env: { WAY: 'code', CODES: codes }, stopExitCodes: [17], restarts: { max: 1, minDelayMs: 1, maxDelayMs: 1 }, ...more }, { HOLDS: '1' });
  const ended = await Promise.all([exits('17 17'), exits('17 17', { onGiveUp: 'stop' }), exits('17 1')].map((how) => run(primary, how)));
  expect(ended.map(({ code, stderr }) => [code, stderr])).toEqual([[0, ''], [0, ''], [69, '']]);
  expect(ended[0]?.stdout.match(/^\["exited with 17",null\]$/mg), 'each of them was started once').toHaveLength(2);
});

test('SIGTERM: exit code 0 although a timer would keep the primary alive; 70 if a worker had to be killed at its deadline', async () => {
  const port = await freePort();
  const [quiet, held] = [
    new Program(primary, ends({ workers: 1 }, { HOLDS: '1' })),
    new Program(primary, ends({ workers: 1, leaveTimeoutMs: 600, killMs: 0, idleGraceMs: 10 }, { APP_PORT: String(port) })),
  ];
  await quiet.prints(/^"ready"$/m);
  quiet.child.kill('SIGTERM');
  await held.prints(/^"ready"$/m);
  request({ port, host: '127.0.0.1', path: '/hold' }).on('error', () => undefined).end();
  await held.prints(/^"holds"$/m);
  held.child.kill('SIGTERM');
  expect([(await quiet.ended).code, (await held.ended).code]).toEqual([0, 70]);
  expect((await held.ended).stdout).toMatch(/^\["stopped","SIGKILL"\]$/m);
});

test('a worker that never listens and is never ready is ended without waiting for leaveTimeoutMs', async () => {
  const program = new Program(primary, ends({ workers: 1, env: { WAY: 'never' }, readyTimeoutMs: 2_000, leaveTimeoutMs: 60_000, killMs: 100 }));
  const began = performance.now();
  // The worker ignores SIGTERM; on a slow machine SIGTERM arrives before it has begun to.
  await program.prints(/^\["not ready within 2000 ms","SIG(KILL|TERM)"\]$/m);
  expect(performance.now() - began).toBeLessThan(30_000);
  program.child.kill('SIGTERM');
  await program.ended;
});

/** The program `script` gives the primary a terminal; without it this is skipped. When `script` is killed, that terminal is closed. */
test.skipIf(!existsSync('/usr/bin/script'))('the terminal is closed: the primary stops its workers as after SIGTERM, and exits with 0', async () => {
  const directory = mkdtempSync(path.join(tmpdir(), 'terminal-'));
  const file = path.join(directory, 'code');
  const { args, env } = ends({ workers: 1 }, { HOLDS: '1', FILE: file });
  const command = `exec '${process.execPath}' '${primary}' ${args.join(' ')}`;
  const terminal = spawn('/usr/bin/script', ['-qec', command, '/dev/null'], { env: { ...process.env, ...env, NODE_OPTIONS: '' }, stdio: ['ignore', 'pipe', 'ignore'] });
  try {
    await within<void>(20_000, 'the worker', (resolve) => {
      terminal.stdout.setEncoding('utf8').on('data', (text: string) => { if (text.includes('"ready"')) resolve(); });
    });
    const written = within<void>(20_000, 'the end of the primary', (resolve) => {
      const watching = watch(directory, () => {
        if (!existsSync(file)) return;
        watching.close();
        resolve();
      });
    });
    terminal.kill('SIGKILL');
    await written;
    expect(readFileSync(file, 'utf8')).toBe('0');
  } finally {
    terminal.kill('SIGKILL');
    rmSync(directory, { recursive: true });
  }
});

describe('the exit code', () => {
  const world = (code: number | undefined): { code: typeof process.exitCode; end: PrimaryEnd } => {
    const state = { code: code as typeof process.exitCode, end: undefined as unknown as PrimaryEnd };
    state.end = new PrimaryEnd(Infinity, { get: () => state.code, set: (next) => { state.code = next; }, exit: () => undefined });
    return state;
  };

  test('the first reason sets the code; a command takes it back; a code that the program has set is never changed', () => {
    const state = world(undefined);
    state.end.setCode(69);
    state.end.setCode(70);
    expect(state.code).toBe(69);
    state.end.cancel();
    expect(state.code).toBeUndefined();
    state.end.setCode(70);
    state.code = 0; // The program sets its own code after ours.
    state.end.cancel();
    expect(state.code).toBe(0);
    const own = world(5);
    own.end.setCode(69);
    own.end.cancel();
    expect(own.code).toBe(5);
  });
});

describe('a worker at a breakpoint', () => {
  /** What the next looks for a debugger find; none by default. */
  const isDebugged: boolean[] = [];
  const watched = (inspected: boolean): { health: Health; clock: TestClock; pings: number[]; silences: number[] } => {
    const clock = new TestClock();
    const [pings, silences]: number[][] = [[], []];
    const recycle = { rssBytes: Infinity, requests: Infinity, ageMs: Infinity, jitter: 0 };
    const health = new Health({ pingMs: 100, pingTimeoutMs: 500, recycle } as unknown as CheckedOptions, {
      clock, random: () => 0.5, ping: (seq) => void pings?.push(seq), tooOld: () => undefined, isDebugged: (answer) => answer(isDebugged.shift() ?? false), silent: () => void silences?.push(clock.now()),
    });
    health.start(inspected);
    return { health, clock, pings: pings ?? [], silences: silences ?? [] };
  };
  const pong = (inspected: boolean): Pong => ({ act: 'pong', seq: 1, inspected, connections: 1, requests: 1, rss: 1, cpu: 0, eventLoopDelayMs: 0 });

  test('does not count as hung, whether it was started with an inspector or its last pong reported one', () => {
    const started = watched(true);
    started.clock.pass(60_000);
    expect([started.pings, started.silences]).toEqual([[1], []]);
    started.health.pong(pong(false));
    started.clock.pass(600);
    expect(started.silences, 'its inspector is closed').toEqual([60_600]);

    const opened = watched(false);
    opened.clock.pass(100);
    opened.health.pong(pong(true));
    opened.clock.pass(60_000);
    expect([opened.pings, opened.silences]).toEqual([[1, 2], []]);
  });

  test('does not count as hung if a debugger is found at the deadline; from its next answer on it has deadlines again', () => {
    isDebugged.push(true);
    const { health, clock, pings, silences } = watched(false);
    clock.pass(60_000);
    expect([pings, silences]).toEqual([[1], []]);
    health.pong(pong(false));
    clock.pass(600);
    expect([pings, silences]).toEqual([[1, 2], [60_600]]);
  });

  test('an answer, or the end of the watch, that comes while a debugger is looked for', () => {
    for (const meanwhile of [(health: Health) => health.pong(pong(false)), (health: Health) => health.stop()]) {
      const clock = new TestClock();
      const answers: ((is: boolean) => void)[] = [];
      let silences = 0;
      const recycle = { rssBytes: Infinity, requests: Infinity, ageMs: Infinity, jitter: 0 };
      const health = new Health({ pingMs: 100, pingTimeoutMs: 500, recycle } as unknown as CheckedOptions, {
        clock, random: () => 0.5, ping: () => undefined, tooOld: () => undefined, isDebugged: (answer) => void answers.push(answer), silent: () => void silences++,
      });
      health.start(false);
      clock.pass(600);
      meanwhile(health);
      answers[0]?.(false);
      expect([answers.length, silences]).toEqual([1, 0]);
    }
  });

  test('startsInspected reads the flags of Node', () => {
    expect(['--inspect', '--inspect-brk=0', '--inspect-port=9230'].map((flag) => startsInspected(['node', flag, 'app.js']))).toEqual([true, true, true]);
    expect(startsInspected(['node', '--inspector-like', '--no-warnings', 'app.js'].slice(2))).toBe(false);
  });
});
