/**
 * The main job, `npm start`: an HTTP server on one port, shared by one worker per CPU, and supervised.
 *
 *   PORT     the port, 8000 by default
 *   WORKERS  how many workers, one per CPU by default
 *
 * SIGHUP replaces all workers without a lost request, SIGTTIN and SIGTTOU add one and take one away. On
 * SIGINT or SIGTERM it stops accepting, lets requests in progress finish, and exits 0, or 70 if they took
 * more than GRACE; a second signal, a second later or more, does not wait for them. If no worker can be
 * kept alive it exits 69. Every transition of a worker is a line.
 */
import { createServer } from 'node:http';
import { availableParallelism } from 'node:os';
import type { Cluster } from 'node:cluster';
import cluster from './cluster';
import { supervise, type Transition } from './supervisor';

/** How long requests in progress may take, in milliseconds, before their workers are ended. */
const GRACE = 10_000;
/** How long a client that keeps its connection may use it once more. */
const IDLE_GRACE = 500;

if (cluster.isPrimary) runPrimary();
else runWorker();

function runPrimary(): void {
  const port = wholeNumber('PORT', 8000, 0, 65535);
  const workers = wholeNumber('WORKERS', availableParallelism(), 1, 1024);
  let failed = false;
  const supervisor = supervise({
    cluster: cluster as Cluster, exec: __filename, workers, env: { PORT: String(port) }, leaveTimeoutMs: GRACE, idleGraceMs: IDLE_GRACE,
  });
  console.log(`primary ${process.pid} starts ${workers} workers for port ${port}`);
  cluster.on('online', (worker) => console.log(`worker ${worker.id} (pid ${worker.process.pid}) is online`));
  cluster.on('listening', (worker, { port: bound }) => {
    console.log(`worker ${worker.id} (pid ${worker.process.pid}) listens on http://localhost:${bound}`);
  });
  cluster.on('disconnect', (worker) => console.log(`worker ${worker.id} disconnected`));
  cluster.on('message', (_worker, message: { cannotListen?: string }) => {
    if (message.cannotListen) fail(`cannot listen on port ${port}: ${message.cannotListen}`);
  });
  cluster.on('exit', (worker, code, signal) => {
    console.log(`worker ${worker.id} (pid ${worker.process.pid}) exited with ${signal ?? code}`);
  });
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => console.log(`${signal}: no new connections, requests in progress finish`));
  }

  supervisor.on('transition', (transition) => console.log(inWords(transition)));
  supervisor.on('reload', ({ state, reason }) => console.log(`reload ${state}${reason && `: ${reason}`}`));
  supervisor.on('giveup', ({ place, what, reason, exits }) => {
    if (what === 'recycling') console.error(reason);
    else console.error(`place ${place} is given up after ${exits.map(({ code, signal }) => signal ?? code).join(', ')}`);
  });

  function fail(reason: string): void {
    if (failed) return;
    failed = true;
    console.error(reason);
    process.exitCode = 1;
    void supervisor.stop({ now: true });
  }
}

function inWords({ place, worker, state }: Transition): string {
  const who = worker === null ? `place ${place}` : `worker ${worker}`;
  switch (state.is) {
    case 'leaving': return `${who} is leaving (${state.reason}): ${state.phase}`;
    case 'backing off': return `${who} backs off after ${state.failures} failures`;
    case 'gone': return `${who} is gone: ${state.reason}`;
    default: return `${who} is ${state.is}`;
  }
}

function runWorker(): void {
  const id = cluster.worker?.id;
  const server = createServer((_request, response) => response.end(`worker ${id} (pid ${process.pid})\n`));
  server.on('error', (error: NodeJS.ErrnoException) => process.send?.({ cannotListen: error.code ?? error.message }));
  server.listen(Number(process.env['PORT']));
}

/** An environment variable that has to be a whole number; one clear line and exit 1 if it is not. */
function wholeNumber(name: string, otherwise: number, lowest: number, highest: number): number {
  const text = process.env[name];
  if (text === undefined) return otherwise;
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= lowest && value <= highest) return value;
  console.error(`${name} must be a whole number from ${lowest} to ${highest}, not '${text}'`);
  process.exit(1);
}
