/**
 * Runs in each process of the program that `watch` starts, by --require: does there what the buttons of the page ask for,
 * in the primary fork, disconnect and reload, in any process block the event loop. It talks to `watch` over a Unix
 * socket, one JSON object a line.
 *
 * Owns     one connection to `watch`, unreferenced: it keeps no process alive
 * Used by  agents.ts (names this file for --require)
 * Never    throws into the program, and does nothing unless `watch` asks
 * Wire     → hello {pid, primary}   ← {id, action, worker?, ms?}   → {id, text} or {id, error}
 */
import type { Cluster, Worker } from 'node:cluster';
import { connect } from 'node:net';
import { isMainThread } from 'node:worker_threads';

/** The environment variable that names the socket. */
const SOCKET = 'CLUSTER_INTERNALS_WATCH';

/** Milliseconds that a new worker may take until it listens. */
const LISTEN_MS = 15_000;

/** `node:cluster` as the program sees it: Node's own or ours. Loaded when it is needed: a process may have no cluster. */
const clusterOf = (): Cluster => require('node:cluster') as Cluster;

// Read now: fake timers of the program may replace them later.
const { setTimeout, clearTimeout } = globalThis;
const now = performance.now.bind(performance);

async function act({ action, worker, ms }: Record<string, unknown>): Promise<string> {
  if (action === 'block') return block(Number(ms));
  const cluster = clusterOf();
  if (!cluster.isPrimary) throw new Error('this process is no primary');
  if (action === 'fork') return `worker ${cluster.fork().id} is forked`;
  if (action === 'reload') return reload(cluster);
  if (action !== 'disconnect') throw new Error('there is no such action');
  const one = cluster.workers?.[Number(worker)];
  if (one === undefined) throw new Error(`worker ${Number(worker)} is not there`);
  one.disconnect();
  return `worker ${one.id} is asked to leave`;
}

function block(ms: number): string {
  const end = now() + Math.min(10_000, ms);
  while (now() < end) { /* This is the point: nothing else runs. */ }
  return `the event loop was blocked for ${ms} ms`;
}

/** A supervisor reloads by itself at SIGHUP; otherwise each worker gets a successor first, then it leaves. */
async function reload(cluster: Cluster): Promise<string> {
  if (process.listenerCount('SIGHUP') > 0) {
    process.kill(process.pid, 'SIGHUP');
    return 'the program reloads (SIGHUP)';
  }
  const old = Object.values(cluster.workers ?? {}).filter((worker): worker is Worker => worker !== undefined);
  for (const worker of old) {
    await listening(cluster.fork());
    worker.disconnect();
  }
  return `${old.length} workers are replaced`;
}

function listening(worker: Worker): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`worker ${worker.id} does not listen`)), LISTEN_MS);
    worker.once('listening', () => { clearTimeout(timer); resolve(); });
    worker.once('exit', () => { clearTimeout(timer); reject(new Error(`worker ${worker.id} ended before it listened`)); });
  });
}

const path = process.env[SOCKET];
// A worker thread runs --require, too: its connection would take the place of the process's own.
if (isMainThread && path !== undefined && path !== '') {
  const socket = connect(path);
  socket.unref();
  // `watch` has ended: the program goes on.
  socket.on('error', () => socket.destroy());
  socket.setEncoding('utf8');
  // A worker of cluster has this variable, Node's or ours.
  socket.write(`${JSON.stringify({ pid: process.pid, primary: process.env['NODE_UNIQUE_ID'] === undefined })}\n`);
  let rest = '';
  socket.on('data', (text: string) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      const order = JSON.parse(line) as Record<string, unknown>;
      const answer = (fields: object): void => void socket.write(`${JSON.stringify({ id: order['id'], ...fields })}\n`);
      act(order).then((done) => answer({ text: done }), (error: unknown) => answer({ error: error instanceof Error ? error.message : String(error) }));
    }
  });
}
