/**
 * The program that the daemon starts for each app: it supervises the workers, writes their logs, and answers at the
 * app's control socket. It needs the daemon for nothing, so the daemon may end at any moment.
 *
 *   node …/app_primary NAME STATE SOCKET ID RUN command|restart
 *
 *   bind SOCKET ─► read the record ─► tell the parent 'ready' on fd 3 ─► supervise ─► all workers gone ─► exit
 *     └ taken: exit 75   └ not ID and RUN, or not wanted: exit 0
 *
 *   A primary that replaces another one (upgrade/) reads the record ─► supervises ─► binds SOCKET when it begins to accept
 *
 * Owns     the control server and the lock of the name (app_place.ts), the log files, fd 3 until it has written to it
 * Used by  nobody: operate/daemon/primary_process.ts starts it as a program
 * Uses     app_place.ts, app_commands.ts (the methods), app_logs.ts, first_start.ts, leftovers.ts, current_app.ts;
 *          upgrade/registry.ts (whether it replaces another primary)
 * Never    forks a worker before it has the socket and the lock of its name in STATE, unless the primary that it replaces has
 *          them: two primaries of one app cannot both serve. Never reads its directories from its environment, which is that of
 *          the app. Never writes to `current` while the primary that it replaces serves
 * Keeps    1. the socket is there before the record is read. Who stops or deletes the app writes the record first and
 *             then looks for the socket, so one of the two sees the other
 *          2. `current` says why this process ends before it does, unless it is killed
 * Exits    0 stopped, or not wanted. 1 it cannot work (stderr says why). 69 the workers could not be kept running.
 *          70 a worker had to be killed at its deadline. 75 another process has the socket
 */
import type { Cluster, Worker } from 'node:cluster';
import fs from 'node:fs';
import { epochClock, LONGEST_DELAY } from '../../clock';
import { loadRole } from '../../startup/load_role';
import { checkOptions } from '../../supervisor/options';
import { EXIT_GIVEN_UP } from '../../supervisor/primary_end';
import { Supervisor } from '../../supervisor/supervisor';
import { codeOf } from '../control/errors';
import type { Method } from '../control/server';
import { openEndpoints } from '../metrics/endpoints';
import { MetricsReader } from '../metrics/reader';
import { inheritanceHere } from '../../upgrade/registry';
import { appCommands, METHOD_NAMES } from './app_commands';
import { AppLogs } from './app_logs';
import { AppPlace } from './app_place';
import { readRecord, type AppRecord } from './app_record';
import { supervisorOptions } from './app_spec';
import { CurrentFile } from './current_app';
import { EXIT_TAKEN } from './exit_codes';
import { firstStart } from './first_start';
import { killLeftovers, leftoverWorkers, MARK } from './leftovers';

/** The fd on which the parent waits for the word 'ready'. */
const READY_FD = 3;
/** How long the last log lines may take to be written, in milliseconds. */
const LAST_LINES_MS = 5_000;

/** The arguments that the daemon passes. */
interface Arguments {
  readonly name: string;
  readonly state: string;
  readonly socket: string;
  readonly id: string;
  readonly run: number;
  readonly isRestart: boolean;
}

function readArguments([name = '', state = '', socket = '', id = '', run = '', why = '']: readonly string[]): Arguments {
  return { name, state, socket, id, run: Number(run), isRestart: why === 'restart' };
}

async function main(given: Arguments): Promise<void> {
  const cluster = loadRole().clusterObject(false) as Cluster; // First: it reads whether this process replaces another primary.
  const inheritance = inheritanceHere();
  let provide: (methods: Readonly<Record<string, Method>>) => void = () => undefined;
  const methods = new Promise<Readonly<Record<string, Method>>>((resolve) => { provide = resolve; });
  // The socket is there before the supervisor, so its first clients wait for the methods.
  const place = new AppPlace(given,
    Object.fromEntries(METHOD_NAMES.map((name) => [name, async (params, call) => (await methods)[name]?.(params, call)] satisfies [string, Method])), complain);
  if (inheritance === null) {
    try {
      await place.take(null);
    } catch (error) {
      return exit(codeOf(error) === 'ERR_ALREADY_RUNNING' ? EXIT_TAKEN : 1, error);
    }
  }
  const read = readRecord(given.state, given.name);
  const isMine = read.is === 'there' && read.content.id === given.id && read.content.run === given.run && read.content.wanted === 'running';
  if (!isMine) {
    await place.close();
    return exit(0, `the record of ${given.name} does not ask for this primary`);
  }
  try {
    provide(start(given, read.content, cluster, place));
  } catch (error) {
    await place.close();
    return exit(1, error);
  }
  if (inheritance === null) return tellParent('ready\n');
  inheritance.onServing(() => place.keepTaking(inheritance.predecessor));
}

/** Starts the workers. Throws what `supervise` throws. */
function start({ state, socket, name, isRestart }: Arguments, record: AppRecord, cluster: Cluster, place: AppPlace): Readonly<Record<string, Method>> {
  const inheritance = inheritanceHere();
  /** Does the predecessor of this primary serve, so that this one may end without a trace? */
  const isOnTrial = (): boolean => inheritance?.isServing === false;
  const current = new CurrentFile(state, record, complain);
  const { spec } = current;
  const logs = new AppLogs(spec.logs, complain);
  cluster.setupPrimary({ silent: true });
  const places = new Map<number, number>();
  cluster.on('fork', (worker: Worker) => logs.add(worker, () => places.get(worker.id) ?? null));
  // The workers of the predecessor are no leftovers: it makes them leave.
  const left = isRestart && inheritance === null ? leftoverWorkers(socket) : [];
  const options = checkOptions({ ...supervisorOptions(current.startSpec), exitAfterMs: Infinity });
  process.env[MARK] = socket; // The workers inherit it.
  const supervisor = new Supervisor(cluster, options);
  current.noteScale(options.workers);
  const reader = new MetricsReader(supervisor, cluster);
  supervisor.on('transition', ({ worker, place, state: { is } }) => {
    if (worker === null) return;
    if (is === 'gone') places.delete(worker);
    else places.set(worker, place);
    current.noteScale(supervisor.status().desired);
  });
  if (left.length > 0) setTimeout(() => killLeftovers(socket, left), Math.min(options.leaveTimeoutMs, LONGEST_DELAY)).unref();

  let isEnding = false;
  const end = async (code?: number): Promise<void> => {
    if (isEnding) return;
    isEnding = true;
    const late = setTimeout(() => process.exit(), LAST_LINES_MS);
    if (code !== undefined) process.exitCode = code;
    await place.close();
    await logs.end();
    clearTimeout(late);
    process.exit();
  };
  /** The error of the workers first: it is what a person looks for. */
  const explain = (reason: string): string => (logs.lastError === '' ? reason : `${logs.lastError} (${reason})`);
  const giveUp = (reason: string): string => {
    const text = explain(reason);
    if (!isOnTrial()) current.end('given up', text);
    return text;
  };
  supervisor.on('stopped', () => void end(current.isGivenUp ? EXIT_GIVEN_UP : undefined));
  supervisor.on('error', (error: Error) => {
    giveUp(error.message);
    void supervisor.stop({ now: true });
  });
  let lastReason = '';
  /** Every slot is given up: by the restart budget, or because each worker has exited with one of `stopExitCodes`. */
  const endIfExhausted = (): void => {
    const { desired, workers } = supervisor.status();
    if (desired === 0 || !workers.every((worker) => worker.state.is === 'given up')) return;
    if (isOnTrial()) return; // The supervisor has told the predecessor.
    if (process.exitCode === EXIT_GIVEN_UP) giveUp(lastReason);
    else current.end('stopped', lastReason);
    void end();
  };
  supervisor.on('giveup', ({ what, reason }) => {
    if (what === 'recycling') return;
    lastReason = reason;
    if (options.onGiveUp === 'stop') giveUp(reason);
    setImmediate(endIfExhausted);
  });
  supervisor.on('transition', ({ state: { is } }) => { if (is === 'gone') setImmediate(endIfExhausted); });
  openEndpoints(supervisor, reader, options);
  const started = firstStart(supervisor, { isStrict: !isRestart && inheritance === null, readyTimeoutMs: options.readyTimeoutMs }, epochClock).then((reason) => {
    if (reason === null || isRestart || inheritance !== null) return reason;
    const text = giveUp(reason);
    void supervisor.stop({ now: true });
    return text;
  });
  inheritance?.onServing(() => logs.reopen()); // The predecessor may have renamed them meanwhile.
  return appCommands({ name, supervisor, reader, logs, current, started, replaced: place.left });
}

function tellParent(text: string): void {
  try {
    fs.writeSync(READY_FD, text);
    fs.closeSync(READY_FD);
  } catch {
    return; // The parent is gone. The next daemon finds this process by its socket.
  }
}

/** Writes a line to stderr, which is a file. It may be on a full disk, and that must not end this process. */
function complain(what: unknown): void {
  try {
    fs.writeSync(2, `${new Date().toISOString()} ${what instanceof Error ? what.stack ?? what.message : String(what)}\n`);
  } catch {
    return; // There is nowhere to say it.
  }
}

function exit(code: number, why: unknown): void {
  complain(why);
  process.exit(code);
}

main(readArguments(process.argv.slice(2))).catch((error: unknown) => exit(1, error));
