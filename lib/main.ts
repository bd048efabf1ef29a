/**
 * The main job, `npm start`: an HTTP server on one port, shared by one worker per CPU.
 *
 *   PORT     the port, 8000 by default
 *   WORKERS  how many workers, one per CPU by default
 *
 * On SIGINT or SIGTERM it stops accepting, lets requests in progress finish, and exits 0. A second
 * signal does not wait for them.
 */
import type { ChildProcess } from 'node:child_process';
import { createServer } from 'node:http';
import { availableParallelism } from 'node:os';
import cluster from './cluster';

/** How long requests in progress may take, in milliseconds, before their workers are ended. */
const GRACE = 10_000;

if (cluster.isPrimary) runPrimary();
else runWorker();

function runPrimary(): void {
  const port = wholeNumber('PORT', 8000, 0, 65535);
  const workers = wholeNumber('WORKERS', availableParallelism(), 1, 1024);
  let leaving = false;
  /** What has to be gone before the primary is, once it leaves. */
  let processes: (ChildProcess | undefined)[] = [];

  process.on('SIGINT', leave);
  process.on('SIGTERM', leave);
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
    if (!leaving) cluster.fork({ PORT: String(port) });
  });

  for (let started = 0; started < workers; started++) cluster.fork({ PORT: String(port) });

  /** The first signal lets requests in progress finish; a second one does not. */
  function leave(signal: NodeJS.Signals): void {
    if (leaving) return killAll();
    leaving = true;
    console.log(`${signal}: no new connections, requests in progress finish`);
    processes = Object.values(cluster.workers ?? {}).map((worker) => worker?.process);
    cluster.disconnect();
    // It does not hold the primary, which ends with its last worker.
    setTimeout(killAll, GRACE).unref();
  }

  function fail(reason: string): void {
    if (leaving) return;
    leaving = true;
    console.error(reason);
    process.exitCode = 1;
    processes = Object.values(cluster.workers ?? {}).map((worker) => worker?.process);
    killAll();
  }

  function killAll(): void {
    for (const child of processes) child?.kill('SIGKILL');
  }
}

function runWorker(): void {
  // Ctrl-C and a service manager's SIGTERM come to every process of the group: the primary decides what they mean.
  process.on('SIGINT', () => undefined);
  process.on('SIGTERM', () => undefined);
  const id = cluster.worker?.id;
  const server = createServer((_request, response) => {
    // On the way out a client that keeps its connection would hold us.
    if (!server.listening) response.setHeader('Connection', 'close');
    response.end(`worker ${id} (pid ${process.pid})\n`);
  });
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
