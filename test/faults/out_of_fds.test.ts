/**
 * The primary or a worker has no fd left for the next connection. The clients wait, no process uses much CPU
 * meanwhile, and all clients are served when fds are free again.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { get, many, tally } from '../interop/load';
import { root } from '../support/program';
import { withCluster } from './cluster';

/** Runs node with at most 64 fds for each process: the primary, and each worker. */
const node = path.join(root, 'test/fixtures/faults_limited.sh');

/** Processor time that a process has used, in milliseconds (a tick of the kernel is 10). */
function used(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\) /, '').split(' ');
  return 10 * (Number(fields[11]) + Number(fields[12]));
}

describe.concurrent('no more fds', () => {
  test('in the primary, whose worker is frozen: 100 clients wait, none is lost', async () => {
    await withCluster({ workers: 1, node }, async (cluster) => {
      const { fds } = cluster;
      const frozen = await cluster.listens(1);
      process.kill(frozen, 'SIGSTOP');
      let served: Promise<string[]>;
      try {
        served = many(100, 100, () => get(cluster.port));
        served.catch(() => undefined);
        // The primary accepts connections until it has no fd left. Then it stops accepting for a while.
        await cluster.until(() => cluster.count(/^state \S+ accept paused$/gm) > 0, 'a pause');
        const [before, began] = [used(cluster.pid), performance.now()];
        const held = cluster.fds;
        await new Promise((resolve) => setTimeout(resolve, 1000)); // A measurement, over a time.
        const busy = (used(cluster.pid) - before) / (performance.now() - began);
        expect(busy, 'of a processor').toBeLessThan(0.2);
        // The pause lasts while a connection is queued (acceptor.ts). If none is queued when it ends, one more is accepted.
        expect(cluster.fds - held, 'accepted meanwhile').toBeLessThanOrEqual(2);
      } finally {
        process.kill(frozen, 'SIGCONT');
      }
      expect(tally(await served)).toEqual({ 1: 100 });
      await cluster.until(() => cluster.fds === fds, 'its fds are those of the beginning');
      await cluster.end();
    });
  });

  test('in the only worker: it refuses what comes without its fd, and takes it when it can', async () => {
    await withCluster({ workers: 1 }, async (cluster) => {
      const worker = await cluster.listens(1);
      await get(cluster.port, '/hoard');
      await cluster.program.prints(/^hoarded$/m);
      const served = many(10, 10, () => get(cluster.port));
      served.catch(() => undefined);
      await cluster.until(() => cluster.count(/^handle rejected$/gm) >= 3, 'refusals');
      const [before, began] = [used(cluster.pid) + used(worker), performance.now()];
      await new Promise((resolve) => setTimeout(resolve, 1000)); // A measurement, over a time.
      const busy = (used(cluster.pid) + used(worker) - before) / (performance.now() - began);
      expect(busy, 'of a processor').toBeLessThan(0.3);
      process.kill(worker, 'SIGUSR2'); // The worker closes the fds that it has hoarded.
      expect(tally(await served)).toEqual({ 1: 10 });
      await cluster.end();
    });
  });
});
