/**
 * D36, the listening gap: all workers die at once. With `keepListening` the address waits for the next
 * worker, up to a limit and a deadline; without it, as in Node, clients are refused meanwhile.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { get, many, tally } from '../interop/load';
import { freePort } from '../support/free_port';
import { Program } from '../support/program';
import { withCluster, type FaultyCluster } from './cluster';

const settings = (keepListening: unknown): NodeJS.ProcessEnv => ({ SETTINGS: JSON.stringify({ keepListening }) });

const outcome = (port: number): Promise<string> => get(port).then(() => 'served', (error: NodeJS.ErrnoException) => error.code ?? error.name);

/** Every worker is killed at the same time; under load when `clients` are asking. */
async function killAll(cluster: FaultyCluster, workers: number): Promise<void> {
  for (let id = 1; id <= workers; id++) process.kill(await cluster.listens(id), 'SIGKILL');
}

describe.concurrent('all workers die at once, and new ones are started', () => {
  for (const [policy, dialect] of [['rr', 'pipelined'], ['rr', 'node'], ['none', 'pipelined']] as const) {
    test(`no client is refused: ${policy}, ${dialect}`, async () => {
      await withCluster({ workers: 3, policy, dialect, env: settings({ deadlineMs: 60_000 }) }, async (cluster) => {
        const { fds, port } = cluster;
        let killed: Promise<void> | undefined;
        const outcomes = await many(300, 32, (index) => {
          if (index === 100) killed = killAll(cluster, 3);
          return outcome(port);
        });
        await killed;
        const { served = 0, ECONNRESET: reset = 0, ...unexpected } = tally(outcomes);
        expect(unexpected).toEqual({});
        expect(served, `and ${reset} reset, which a worker had`).toBeGreaterThanOrEqual(300 - 32);
        await Promise.all([4, 5, 6].map((id) => cluster.listens(id)));
        expect(cluster.port, 'the same port').toBe(port);
        await cluster.until(() => cluster.fds === fds, 'its fds are those of the beginning');
        await cluster.end();
      });
    });
  }

  test('without it they are', async ({ onTestFinished }) => {
    await withCluster({ workers: 1, env: { REFORK: 'no', PORT: String(await freePort(onTestFinished)) } }, async (cluster) => {
      await killAll(cluster, 1);
      await cluster.program.prints(/^disconnect 1$/m);
      expect(await outcome(cluster.port)).toBe('ECONNREFUSED');
      await cluster.end();
    });
  });
});

describe.concurrent('kept for nobody', () => {
  test('at the deadline what waits is closed, and then clients are refused', async ({ onTestFinished }) => {
    await withCluster({ workers: 1, env: { REFORK: 'no', PORT: String(await freePort(onTestFinished)), ...settings({ deadlineMs: 2_000 }) } }, async (cluster) => {
      const { fds } = cluster;
      await killAll(cluster, 1);
      await cluster.program.prints(/^disconnect 1$/m);
      const began = performance.now();
      expect(await outcome(cluster.port)).toBe('ECONNRESET');
      expect(performance.now() - began, 'not the 10 s that are the default').toBeLessThan(9_000);
      expect(await outcome(cluster.port)).toBe('ECONNREFUSED');
      await cluster.until(() => cluster.fds === fds - 2, 'the channel and the listening socket are closed');
      await cluster.end();
    });
  });

  // The timer came before the query that lay in the pipe: the address was closed, and with it what waited there.
  test('a primary that stood still beyond the deadline reads what the next worker has asked meanwhile', async ({ onTestFinished }) => {
    const directory = mkdtempSync(path.join(tmpdir(), 'late-query-'));
    const program = new Program(path.join(__dirname, '../fixtures/late_query.js'), { args: [directory, '300'] });
    onTestFinished(async () => {
      await program.stop();
      rmSync(directory, { recursive: true });
    });
    const [, port] = await program.prints(/^(\d+)\n/);
    expect(await outcome(Number(port))).toBe('served');
    expect(await program.ended).toMatchObject({ code: 0, stderr: '' });
  });

  test('it holds no primary that has nothing else to do, and is closed when the cluster is disconnected', async () => {
    await withCluster({ workers: 1, env: { REFORK: 'no', ...settings({ deadlineMs: 3_600_000 }) } }, async (cluster) => {
      await killAll(cluster, 1);
      await cluster.program.prints(/^disconnect 1$/m);
      const { fds } = cluster;
      const waiting = outcome(cluster.port);
      await cluster.until(() => cluster.fds === fds + 1, 'it is accepted');
      await cluster.end();
      expect(await waiting).toBe('ECONNRESET');
    });
  });

  test('a worker that was told to leave takes the address with it', async ({ onTestFinished }) => {
    await withCluster({ workers: 1, env: { PORT: String(await freePort(onTestFinished)), ...settings(true) } }, async (cluster) => {
      const { port } = cluster;
      await cluster.end();
      expect(await outcome(port)).toBe('ECONNREFUSED');
    });
  });
});

test('more than its limit wait in the kernel, and a worker that comes serves them all', async () => {
  await withCluster({ workers: 1, env: { REFORK: 'no', ...settings({ limit: 3 }) } }, async (cluster) => {
    await killAll(cluster, 1);
    await cluster.program.prints(/^disconnect 1$/m);
    const { fds } = cluster;
    const served = many(20, 20, () => get(cluster.port));
    served.catch(() => undefined);
    await cluster.program.prints(/^state \S+ accept full$/m);
    for (let turn = 0; turn < 20; turn++) await cluster.alive();
    expect(cluster.fds - fds).toBe(3);
    process.kill(cluster.pid, 'SIGUSR2');
    expect(tally(await served)).toEqual({ 2: 20 });
    await cluster.end();
  });
});
