/**
 * A worker that is killed, frozen or stuck at a bad moment: every client is served by another worker
 * or told, and the primary keeps nothing of it.
 */
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { WINDOW } from '../../internal/master/scheduling';
import { get, many, tally } from '../interop/load';
import { root, run } from '../support/program';
import { withCluster } from './cluster';

/** More than the window of a worker by those four, and some. */
const CLIENTS = WINDOW + 8;

describe.concurrent('killed', () => {
  for (const moment of ['afterFork', 'online', 'beforeQuery', 'afterQuery', 'afterListening']) {
    for (const policy of ['rr', 'none']) {
      test(`during the handshake: ${moment}, ${policy}`, async () => {
        const { code, stdout, stderr } = await run(path.join(root, 'test/fixtures/faults_killed_early.js'), { args: [moment, policy] });
        expect(stderr).toBe('');
        expect(stdout.trimEnd().split('\n')).toEqual([
          'exit SIGKILL exitedAfterDisconnect=false', 'table: 0, sockets left: 0', 'served by 2', 'in the end: 0',
        ]);
        expect(code).toBe(0);
      });
    }
  }

  for (const dialect of ['pipelined', 'node'] as const) {
    test(`with a connection in flight (a worker that loops), ${dialect}: another worker serves it`, async () => {
      await withCluster({ workers: 2, dialect, env: { REFORK: 'no' } }, async (cluster) => {
        const fds = cluster.fds;
        const looping = await get(cluster.port, '/loop');
        const other = looping === '1' ? '2' : '1';
        const { served, clients, some } = severalClients(cluster.port);
        await some;
        // Of two connections one goes to the worker that loops.
        expect(served.length, 'somebody waits for the worker that loops').toBeLessThan(CLIENTS);
        process.kill(await cluster.listens(Number(looping)), 'SIGKILL');
        await Promise.all(clients);
        expect(tally(served)).toEqual({ [other]: CLIENTS });
        await cluster.program.prints(new RegExp(`^exit ${looping} SIGKILL table=${other}$`, 'm'));
        await cluster.program.prints(new RegExp(`^disconnect ${looping}$`, 'm'));
        await cluster.until(() => cluster.fds === fds - 1, 'the channel of the dead worker, and nothing else, is gone');
        expect(reclaimed(await cluster.end())).toBeGreaterThan(0);
      });
    });

    test(`with connections in flight and no other worker, ${dialect}: they are closed`, async () => {
      await withCluster({ workers: 1, dialect, env: { REFORK: 'no' } }, async (cluster) => {
        const fds = cluster.fds;
        await get(cluster.port, '/loop');
        const outcomes = Array.from({ length: 4 }, () => get(cluster.port).catch((error: NodeJS.ErrnoException) => error.code));
        // The primary accepts in order: when a connection after them has been made they are its own.
        await cluster.until(() => cluster.fds >= fds + 4, 'the primary holds all four');
        process.kill(await cluster.listens(1), 'SIGKILL');
        expect(await Promise.all(outcomes)).toEqual(Array(4).fill('ECONNRESET'));
        await cluster.until(() => cluster.fds === fds - 2, 'its channel and the listening socket are gone');
        await cluster.alive();
        await cluster.end();
      });
    });
  }

  test('frozen by SIGSTOP: the others serve, and after SIGCONT it serves what it had', async () => {
    await withCluster({ workers: 2 }, async (cluster) => {
      const frozen = await cluster.listens(1);
      process.kill(frozen, 'SIGSTOP');
      let served: string[];
      try {
        const several = severalClients(cluster.port);
        served = several.served;
        await several.some;
        expect(tally(served)).toEqual({ 2: served.length });
        expect(served.length).toBeLessThan(CLIENTS);
        process.kill(frozen, 'SIGCONT');
        await Promise.all(several.clients);
      } finally {
        process.kill(frozen, 'SIGCONT');
      }
      expect(tally(served)).toEqual({ 1: expect.any(Number), 2: expect.any(Number) });
      const after = await many(10, 1, () => get(cluster.port));
      expect(tally(after)).toEqual({ 1: 5, 2: 5 });
      expect(await cluster.end()).not.toMatch(/SIGKILL/);
    });
  });
});

/** Requests at once; `some` is fulfilled when four of them are answered: one worker alone cannot have taken the others. */
function severalClients(port: number): { served: string[]; clients: Promise<void>[]; some: Promise<void> } {
  const served: string[] = [];
  let clients: Promise<void>[] = [];
  const some = new Promise<void>((resolve, reject) => {
    clients = Array.from({ length: CLIENTS }, async () => {
      served.push(await get(port));
      if (served.length === 4) resolve();
    });
    Promise.all(clients).catch(reject);
  });
  return { served, clients, some };
}

function reclaimed(output: string): number {
  return Number((/^reclaimed (\d+)$/m.exec(output) ?? [])[1]);
}
