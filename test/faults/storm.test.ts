/**
 * Two hundred connections while workers kill themselves and are forked anew: each client is served or
 * cut off, none waits for good, and the primary has in the end what it had in the beginning.
 */
import { expect, test } from 'vitest';
import { get, many, tally } from '../interop/load';
import { freePort } from '../support/free_port';
import { withCluster, type Options } from './cluster';

const WORKERS = 3;
const CONNECTIONS = 200;
/** Every so many connections one ends its worker. */
const DEADLY = 25;

const runs: Omit<Options, 'workers'>[] = [{}, { dialect: 'node' }, { policy: 'none' }];

for (const run of runs) {
  test(`storm, ${run.policy ?? 'rr'} ${run.dialect ?? 'pipelined'}`, async () => {
    await withCluster({ workers: WORKERS, ...run, env: { PORT: String(await freePort()) } }, async (cluster) => {
      const { fds } = cluster;
      // All at once: `get` rejects when it has waited for its deadline.
      const outcomes = await many(CONNECTIONS, CONNECTIONS, (index) =>
        get(cluster.port, index % DEADLY === DEADLY - 1 ? '/die' : '/').then(() => 'served', (error: NodeJS.ErrnoException) => error.code ?? error.name));
      const { served = 0, ECONNRESET: reset = 0, ...others } = tally(outcomes);
      // Between the end of the last worker and the start of the next nobody listens.
      const { ECONNREFUSED: refused = 0, ...unexpected } = others;
      expect(unexpected).toEqual({});
      expect(served + reset + refused).toBe(CONNECTIONS);
      expect(served, `reset ${reset}, refused ${refused}`).toBeGreaterThan(0);

      // Each worker that ended has a successor by now, or soon.
      const ends = (): number => cluster.count(/^exit \d+ SIGKILL/gm);
      await cluster.until(() => ends() > 0 && cluster.count(/^listening /gm) - ends() === WORKERS, 'every successor listens');
      await cluster.until(() => cluster.fds === fds, 'its fds are those of the beginning');
      const after = await many(30, 10, () => get(cluster.port));
      expect(after).toHaveLength(30);
      await cluster.end();
    });
  });
}

test('a client of a worker that is killed is reset or served by another, and none is served twice', async () => {
  await withCluster({ workers: 4 }, async (cluster) => {
    const { fds } = cluster;
    // The primary's own view: while 200 clients come, 16 at a time, two workers are killed from outside.
    const victims = [await cluster.listens(1), await cluster.listens(2)];
    const outcomes = await many(CONNECTIONS, 16, async (index) => {
      if (index === 60 || index === 120) process.kill(victims.pop() as number, 'SIGKILL');
      return get(cluster.port).then(() => 'served', (error: NodeJS.ErrnoException) => error.code ?? error.name);
    });
    const { served = 0, ECONNRESET: reset = 0, ...unexpected } = tally(outcomes);
    expect(unexpected).toEqual({});
    expect(served + reset).toBe(CONNECTIONS);
    expect(reset, 'only those that the two had taken over').toBeLessThanOrEqual(32);
    await Promise.all([cluster.listens(5), cluster.listens(6)]);
    await cluster.until(() => cluster.fds === fds, 'its fds are those of the beginning');
    await cluster.end();
  });
});
