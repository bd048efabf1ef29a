/**
 * One worker does what only one may do, and all count together: shared state.
 *
 *   npx tsx test/examples/leader.ts
 *
 * The primary holds the state and calls `sharedState()` like everybody. Three workers stand for
 * election; the leader does the job that must not be done twice. When it is killed the next one
 * leads, and finds the job where its predecessor left it.
 */
import { once } from 'node:events';
import type { Worker } from 'node:cluster';
import cluster from '../../lib/cluster';
import { sharedState, type Lease } from '../../lib/shared_state';

const state = sharedState();

if (cluster.isPrimary) void runPrimary();
else void runWorker();

async function runWorker(): Promise<void> {
  await state.increment('workers');
  state.elect('job').on('elected', (lease: Lease) => {
    work(lease).catch((error: NodeJS.ErrnoException) => {
      // Elected while the cluster ends, since the leader before has left already: nothing is to be done any more.
      if (error.code !== 'ERR_SHARED_STATE_DISCONNECTED') throw error;
    });
  });
}

/** With the lease a write counts only as long as this worker leads: one that hung and woke up too late changes nothing. */
async function work(lease: Lease): Promise<void> {
  await state.set('leader', cluster.worker?.id, { lease });
  await state.increment('steps', 1, { lease });
}

async function runPrimary(): Promise<void> {
  const forked = [cluster.fork(), cluster.fork(), cluster.fork()];
  const first = await stepsTo(1);
  console.log(`a worker leads: ${forked.some(({ id }) => id === first)}`);

  (cluster.workers?.[first] as Worker).process.kill('SIGKILL');
  const second = await stepsTo(2);
  console.log(`it was killed, and another leads: ${forked.some(({ id }) => id === second) && second !== first}`);

  for await (const event of state.watch('workers')) {
    const value = event.type === 'reset' ? event.entries[0]?.value : event.type === 'set' ? event.value : 0;
    if (value === forked.length) break;
  }
  console.log(`${(await state.get('workers'))?.value} workers have counted themselves`);

  cluster.disconnect();
  await Promise.all(Object.values(cluster.workers ?? {}).map((worker) => once(worker as Worker, 'exit')));
}

/** Waits until the job has come so far; who leads then. The watch begins with what is there: nothing is missed. */
async function stepsTo(count: number): Promise<number> {
  for await (const event of state.watch('steps')) {
    const value = event.type === 'reset' ? event.entries[0]?.value : event.type === 'set' ? event.value : 0;
    if (value === count) break;
  }
  return (await state.get<number>('leader'))?.value ?? 0;
}
