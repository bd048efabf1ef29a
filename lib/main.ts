/**
 * `npm start`: an HTTP server on one port, shared by one worker per CPU, with a supervisor that keeps the
 * workers alive. The port and the number of workers come from --port and --workers, or from the environment
 * (PORT, WORKERS).
 *
 * SIGHUP replaces all workers without a lost request. SIGTTIN adds a worker, SIGTTOU takes one away. SIGINT and
 * SIGTERM stop: no new connections, and requests in progress finish within LEAVE_TIMEOUT; a second signal, a
 * second later or more, kills what is left.
 *
 * Exit codes: 0 all workers have left. 1 it cannot listen, or PORT or WORKERS is wrong. 2 a wrong argument.
 * 69 no worker can be kept alive. 70 a worker had to be killed at its deadline.
 *
 * Each step of a worker is one line, in this order: starting, listening, ready, leaving (in phases), gone.
 * Failures go to stderr, and each begins with its reason.
 */
import { createServer } from 'node:http';
import { availableParallelism } from 'node:os';
import { parseArgs, styleText } from 'node:util';
import type { Address, Cluster } from 'node:cluster';
import cluster from './cluster';
import { eventLines } from '../internal/operate/cli/event_lines';
import { supervise } from './supervisor';

/** Milliseconds that requests in progress may take before their workers are killed. */
const LEAVE_TIMEOUT = 10_000;
/** Milliseconds in which a client may send one more request on an idle connection of a leaving worker. */
const IDLE_GRACE = 500;

const HELP = `npm start -- [options]

Runs an HTTP server on one port, shared by several workers. It runs until Ctrl-C.
Example  npm start -- --port 3000 --workers 2

  --port N     the port; PORT, or 8000, by default. 0 takes a free one
  --workers N  how many workers; WORKERS, or one per CPU, by default
  --help       prints this text
`;

if (cluster.isPrimary) runPrimary();
else runWorker();

function runPrimary(): void {
  const given = commandLine();
  if (given.help === true) return void process.stdout.write(HELP);
  const port = wholeNumber(given.port, 'port', 'PORT', 8000, 0, 65535);
  const workers = wholeNumber(given.workers, 'workers', 'WORKERS', availableParallelism(), 1, 1024);
  let failed = false;
  const supervisor = supervise({
    cluster: cluster as Cluster, exec: __filename, args: [], workers, env: { PORT: String(port) },
    leaveTimeoutMs: LEAVE_TIMEOUT, idleGraceMs: IDLE_GRACE,
  });
  const self = `primary (pid ${process.pid})`;
  console.log(`${self}: starting ${workers} ${workers === 1 ? 'worker' : 'workers'} for port ${port}`);
  cluster.on('listening', (worker, address) => {
    console.log(`worker ${worker.id} (pid ${worker.process.pid}): listening on ${addressText(address)}`);
  });
  cluster.on('message', (_worker, message: { cannotListen?: string }) => {
    if (message.cannotListen) fail(`cannot listen on *:${port}: ${message.cannotListen}${ADVICE[message.cannotListen] ?? ''}`);
  });
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => console.log(`${self}: ${signal}, stopping; no new connections, requests in progress finish`));
  }

  eventLines(supervisor, self, {
    line: (text) => console.log(text),
    failure: (text) => console.error(paint('red', text, process.stderr)),
  }, paint);

  function fail(reason: string): void {
    if (failed) return;
    failed = true;
    console.error(paint('red', reason, process.stderr));
    process.exitCode = 1;
    void supervisor.stop({ now: true });
  }
}

/** What to do about the usual errors of `listen`. */
const ADVICE: Readonly<Record<string, string>> = {
  EADDRINUSE: ', another program uses this port; choose a free one with --port',
  EACCES: ', this port needs more rights; choose one from 1024 on with --port',
};

/** "*:8000", "127.0.0.1:8000", "[::1]:8000"; * stands for every address of this machine. */
function addressText({ address, port }: Address): string {
  return `${!address ? '*' : address.includes(':') ? `[${address}]` : address}:${port}`;
}

function runWorker(): void {
  const id = cluster.worker?.id;
  const server = createServer((_request, response) => response.end(`worker ${id} (pid ${process.pid})\n`));
  server.on('error', (error: NodeJS.ErrnoException) => process.send?.({ cannotListen: error.code ?? error.message }));
  server.listen(Number(process.env['PORT']));
}

/** The arguments; one line and exit 2 if one is wrong. */
function commandLine(): { readonly port?: string; readonly workers?: string; readonly help?: boolean } {
  try {
    return parseArgs({ options: { port: { type: 'string' }, workers: { type: 'string' }, help: { type: 'boolean' } } }).values;
  } catch (error) {
    return wrong((error as Error).message.split('\n')[0] as string, 2);
  }
}

/** An option, or the environment variable of that purpose, that has to be a whole number; one line and exit 2 or 1 if it is not. */
function wholeNumber(option: string | undefined, name: string, variable: string, otherwise: number, lowest: number, highest: number): number {
  const text = option ?? process.env[variable];
  if (text === undefined) return otherwise;
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= lowest && value <= highest) return value;
  return wrong(`${option === undefined ? variable : `--${name}`} must be a whole number from ${lowest} to ${highest}, not '${text}'`, option === undefined ? 1 : 2);
}

function wrong(text: string, code: 1 | 2): never {
  console.error(text);
  process.exit(code);
}

/** Text in colour, if it goes to a terminal and NO_COLOR is not set. */
function paint(style: 'red' | 'green' | 'dim', text: string, stream: NodeJS.WriteStream = process.stdout): string {
  return stream.isTTY === true && (process.env['NO_COLOR'] ?? '') === '' ? styleText(style, text, { validateStream: false }) : text;
}
