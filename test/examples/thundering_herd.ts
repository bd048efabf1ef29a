/**
 * The thundering herd: if all workers wait at one listening socket, a connection wakes more than the one that gets it.
 *
 *   npx tsx test/examples/thundering_herd.ts none     SCHED_NONE: the kernel gives connections to whoever is first
 *   npx tsx test/examples/thundering_herd.ts rr       round robin: the primary accepts, and wakes one worker
 *
 * How often a process was woken is in /proc: each time that it had gone to sleep by itself is a voluntary switch. The
 * clients come one after another, so that all workers sleep when the next one comes.
 */
import { readFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import cluster from '../../lib/cluster';

const WORKERS = 4;
const CLIENTS = 40;
const policy = process.argv[2] === 'rr' ? 'rr' : 'none';

if (cluster.isPrimary) {
  cluster.schedulingPolicy = policy === 'rr' ? cluster.SCHED_RR : cluster.SCHED_NONE;
  let listening = 0;
  cluster.on('listening', (_worker, { port }) => {
    if (++listening === WORKERS) void run(port);
  });
  for (let started = 0; started < WORKERS; started++) cluster.fork();
} else {
  createServer((socket) => socket.end('hello')).listen(0, '127.0.0.1');
}

async function run(port: number): Promise<void> {
  const before = wakeUps();
  for (let client = 0; client < CLIENTS; client++) await visit(port);
  const perConnection = (wakeUps() - before) / CLIENTS;
  console.log(`${policy}: ${perConnection.toFixed(1)} wake-ups of workers for each connection`);
  cluster.disconnect();
}

/** How often all workers together have been woken. */
function wakeUps(): number {
  return Object.values(cluster.workers ?? {}).reduce((sum, worker) => {
    const status = readFileSync(`/proc/${worker?.process.pid}/status`, 'utf8');
    return sum + Number(/^voluntary_ctxt_switches:\s*(\d+)/m.exec(status)?.[1] ?? 0);
  }, 0);
}

function visit(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    connect(port, '127.0.0.1').on('error', reject).on('close', () => resolve()).resume();
  });
}
