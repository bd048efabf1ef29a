/**
 * E2, E10: connections that came together do not share a fate. A 'connection' listener throws, exits, closes its
 * server, leaves, or changes the async context: that concerns its own connection, and no other is lost.
 */
import net from 'node:net';
import path from 'node:path';
import { expect, test, vi } from 'vitest';
import { Program, dist, root, run } from '../support/program';

/** Milliseconds; it takes two seconds. On a machine with much other work to do each of its thirty processes waits to start. */
vi.setConfig({ testTimeout: 120_000 });

const fixture = (name: string): string => path.join(root, 'test/fixtures', name);
const execArgv = ['--require', dist('lib/register.js')];

interface Round {
  readonly what: string;
  readonly first: number;
  readonly other: number;
  readonly lost: number;
  readonly hangs: number;
  readonly foreign?: number;
}

async function rounds(what: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Round[]> {
  const { code, stdout, stderr } = await run(fixture('faults_one_by_one.js'), { execArgv, args: what, env, deadline: 110_000 });
  expect(code, stderr).toBe(0);
  const seen = stdout.trimEnd().split('\n').map((line) => JSON.parse(line) as Round);
  expect(seen.map((round) => round.what)).toEqual(what);
  for (const { first, other, lost, hangs } of seen) expect([first + other + lost + hangs, hangs]).toEqual([60, 0]);
  return seen;
}

test.concurrent.each([
  ['pipelined', ['crash', 'exit', 'kill', 'close', 'leave', 'destroy'], {}], ['node', ['crash', 'close'], { DIALECT: 'node' }],
])('of 60 connections at once nobody hangs; who crashes in a listener takes one with it: %s', async (_dialect, ways, env) => {
  const [throws, store, ...others] = await rounds(['throws', 'store', ...ways], env);
  expect(throws).toMatchObject({ lost: 0 });
  expect(store).toMatchObject({ lost: 0, foreign: 0 });
  for (const { what, first, lost } of others) {
    const crashes = ['crash', 'exit', 'kill'].includes(what);
    expect(lost, `${what} loses`).toBeLessThanOrEqual(crashes ? 1 : 0);
    if (what !== 'destroy') expect(first, `${what} ends it`).toBeLessThanOrEqual(crashes ? 1 : 2);
  }
});

test.concurrent('a request that ends its worker takes its own connection with it, and none that came at the same time', async () => {
  for (const { what, first, lost } of await rounds(['requestThrows', 'requestExits', 'requestKills'])) expect([what, first, lost]).toEqual([what, 1, 1]);
});

test.concurrent('nor when it ends a little later, or its channel, or the whole cluster', async () => {
  const [rejects, exitLater, channel] = await rounds(['rejects', 'exitLater', 'channel', 'primary']);
  for (const round of [rejects, exitLater, channel]) expect(round).toMatchObject({ lost: 0 });
});

/** Three clients of a worker whose channel is full; what its server saw, and what they got. */
async function fullPipe(what: string): Promise<{ lines: string[]; answers: string[] }> {
  const program = new Program(fixture('faults_full_pipe.js'), { execArgv, args: [what] });
  try {
    const [, port] = await program.prints(/^port (\d+)$/m);
    const clients = Array.from({ length: what === 'close' ? 2 : 3 }, () => new Promise<string>((resolve) => {
      let text = '';
      net.connect(Number(port), '127.0.0.1').on('data', (data) => { text += String(data); }).on('error', () => {}).on('close', () => resolve(text));
    }));
    await program.prints(/^nothing came$/m);
    program.child.kill('SIGCONT');
    const answers = await Promise.all(clients);
    if (what === 'close') await program.prints(/^close$/m);
    const { stdout } = await program.stop();
    return { lines: stdout.trimEnd().split('\n').slice(1), answers };
  } finally {
    program.child.kill('SIGCONT');
    await program.stop('SIGKILL');
  }
}

test.concurrent('a server that is closed while its connections cannot be acknowledged gets them before it emits close', async () => {
  const { lines, answers } = await fullPipe('close');
  const connection = expect.stringMatching(/^connection, [12] open$/) as string; // The first may have been served already.
  expect(lines).toEqual(['waits', 'nothing came', connection, connection, 'close']);
  expect(answers).toEqual(['served', 'served']);
});

test.concurrent('maxConnections holds there as well, and who is over it is served later', async () => {
  const { lines, answers } = await fullPipe('limit');
  expect(lines).toEqual(['waits', 'nothing came', ...Array.from({ length: 3 }, () => 'connection, 1 open')]);
  expect(answers).toEqual(['served', 'served', 'served']);
});

test.concurrent('E4: what a worker calls of the app may throw: indexes are given back, all servers are closed, the worker leaves', async () => {
  const { code, stdout, stderr } = await run(fixture('faults_child_throws.js'), { execArgv, deadline: 110_000 });
  expect([stdout.trimEnd().split('\n'), code, stderr]).toEqual([[
    'leaves uncaught no data', 'leaves asks with index 0', 'leaves uncaught no text',
    ...[0, 1, 2, 3].map((index) => `leaves asks with index ${index}`), 'leaves uncaught data',
    'leaves uncaught in close', 'leaves uncaught in close', 'leaves exit 0',
    ...[0, 1, 2].map((index) => `cut asks with index ${index}`), 'cut exit 0',
  ], 0, '']);
});
