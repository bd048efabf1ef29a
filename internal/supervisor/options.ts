/**
 * The options of `supervise`: their types, their defaults, and the check of what a program passes.
 *
 * Used by  lib/supervisor.ts, supervisor.ts, operate/app/app_spec.ts, operate/app/app_primary.ts
 * Uses     endpoint_options.ts (the check of `health` and `metrics`)
 * Never    accepts a value that would fail later in another place: a wrong value throws at once. Never reads an option
 *          twice (it may be a getter), and keeps no object of the program, which the program could change
 */
import type { Cluster } from 'node:cluster';
import { availableParallelism } from 'node:os';
import { LONGEST_DELAY } from '../clock';
import { invalidArgType, invalidArgValue, outOfRange } from '../errors';
import { ownOptions } from '../own_options';
import { checkHealth, checkMetrics, type Endpoint, type HealthEndpoint, type HealthOption, type MetricsOption } from './endpoint_options';
import { HIGHEST_PORT, checkBoolean, checkInteger, checkNames, checkNumber, checkOneOf, checkRate, checkString } from '../validate';
import { releaseParts, type Variables } from './recipe';
import { checkReleaseOptions, type ReleaseOptions } from './release_options';
import type { Rebalance } from './start_worker';
import type { RestartLimits } from './restart_budget';
import type { HttpCheck, ReadyRule } from './readiness';
import type { RestartRule } from './restart_policy';

/** The limits of recycling: a worker that reaches one is replaced, although nothing is wrong with it. Infinity: no limit. */
export interface Recycle {
  /** Its resident memory, in bytes. */
  readonly rssBytes: number;
  /** How many requests it has served: http requests, http2 streams, connections of other servers. */
  readonly requests: number;
  /** How long it has been ready, in milliseconds. */
  readonly ageMs: number;
  /** Each worker's limits are higher or lower by up to this share (0 to 0.5), so that not all workers reach them at the same time. */
  readonly jitter: number;
}

/** The options of `supervise`. Each may be left out. Times are in milliseconds. */
export interface SuperviseOptions extends ReleaseOptions {
  /** How many workers: one for each CPU by default. */
  workers?: number;
  /** The largest number that `workers` and `scale` accept: 1024 by default. */
  maxWorkers?: number;
  /** The cluster object that forks: that of cluster-internals by default. `node:cluster` works as well. */
  cluster?: Cluster;
  /**
   * When a worker is ready. 'listening' (default): it listens where its predecessor does. 'online': its process runs.
   * 'message': its app has sent the message 'ready'. { http }: one of its http servers answers GET of this path with 2xx.
   * See readiness.ts.
   */
  ready?: 'listening' | 'online' | 'message' | { http: string | (Partial<HttpCheck> & { path: string }) };
  /**
   * How long a worker may take to become ready: 30 s by default. After that it has failed. If it does not listen yet, it is
   * ended without waiting for `leaveTimeoutMs`: its channel is closed, SIGTERM follows a second later, SIGKILL after
   * another `killMs`. A worker that was started with an inspector has no such deadline.
   */
  readyTimeoutMs?: number;
  /** How long the canary, the first worker of a new release, must stay ready before other workers are replaced: 2 s by default. */
  canaryMs?: number;
  /** How long each other new worker must stay ready before the one that it replaces leaves: 0 by default. */
  minReadyMs?: number;
  /** How many workers more than desired may run while others are being replaced: 1 by default. */
  maxSurge?: number;
  /** How long a worker may take to leave, until SIGKILL: 20 s by default. If a worker has to be killed in a stop, this process exits with 70. */
  leaveTimeoutMs?: number;
  /** The last part of `leaveTimeoutMs`, which begins with SIGTERM: a fifth of it by default, at most 2 s. */
  killMs?: number;
  /** How long an idle connection of a leaving worker may still send one request: 1 s by default. */
  idleGraceMs?: number;
  /**
   * Do idle HTTP/1 connections of a leaving worker move to the workers that stay? True by default: a reload, a recycling, a
   * smaller number of workers, and a worker that leaves by itself close no keep-alive connection, and wait for none.
   * Connections that cannot move (TLS, HTTP/2, upgraded ones, and those that the app keeps: `cluster.worker.movable`) end as
   * described at `idleGraceMs`, as all do in a stop and with Node's own cluster.
   */
  move?: boolean;
  /**
   * Do open connections move from workers that have more than their share of them to others? For workers of our cluster only;
   * see `rebalance` of setupPrimary. By default what the cluster's settings say, and true if they say nothing.
   */
  rebalance?: Rebalance;
  /**
   * How long the workers still accept connections after `stop` or a signal, while load balancers learn of it: 0 by default.
   * Responses say `Connection: close`, and `isLeaving()` of cluster-internals/graceful is true. `leaveTimeoutMs` begins
   * afterwards.
   */
  drainDelayMs?: number;
  /** How long after each answer the next ping is sent, which checks that the worker's event loop runs: 2 s by default. 0: no pings. */
  pingMs?: number;
  /** How long a worker may take to answer a ping: 10 s by default. A worker whose inspector is open has no such deadline. */
  pingTimeoutMs?: number;
  /** When a worker is replaced although it works; no limits by default. */
  recycle?: Partial<Recycle>;
  /**
   * The restart budget. Within `withinMs` (60 s) one slot may have `max` restarts (10), and all slots together `maxAll`
   * (20, twice the workers or `max`, whichever is largest); a slot without a restart in that time always gets one.
   * The first death in a slot is followed by a restart at once, the next by one after `minDelayMs` (100 ms), then after
   * twice that, and so on up to `maxDelayMs` (10 s), each delay varied by the share `jitter` (0.2). The death of a worker
   * that served for `healthyMs` (10 s) counts as a first one. Recycling is charged to the same budget; if more than three
   * workers of a slot in a row reach their limits before `healthyMs`, recycling is postponed, and 'giveup' reports it.
   */
  restarts?: Partial<RestartLimits>;
  /**
   * After how long a slot that was given up is tried again by itself, while others serve: 60 s by default, twice that the
   * next time, and so on up to an hour. Recycling that comes too often is postponed by the same times.
   */
  retryAfterMs?: number;
  /**
   * Exit codes that mean "do not restart me": when a worker that serves ends by itself with one of them, its slot is given
   * up, until a command starts it again. If all workers have ended so, this process ends with 0 and not with 69. The worker
   * has to exit while it is connected: one that has disconnected first is replaced at once. None by default.
   */
  stopExitCodes?: readonly number[];
  /**
   * What follows when a slot is given up: the other workers serve on ('go on', default), or all stop ('stop'). If all
   * slots are given up, or all workers stopped for this reason, this process exits with 69, unless the program sets
   * `process.exitCode`.
   */
  onGiveUp?: 'go on' | 'stop';
  /**
   * 'inherit' (default): the workers' stderr goes where the cluster's settings say, by default directly to that of this
   * process. 'pipe': the supervisor reads it, and writes whole lines to its own stderr. A worker has to wait while that is
   * full; what cannot be written is lost. In both cases 'giveup' has what a worker printed last: the end of its stderr if
   * that is a pipe, otherwise its uncaught error.
   */
  stderr?: 'inherit' | 'pipe';
  /**
   * Does the supervisor obey signals to this process? True by default. SIGHUP reloads (if it comes because the terminal was
   * closed, it stops), SIGTERM and SIGINT stop, SIGTTIN adds a worker, SIGTTOU removes one.
   */
  signals?: boolean;
  /**
   * Off by default. The path of a file that has the pid of this process, and a line feed, until the process ends; that of the
   * new primary from the moment at which it accepts, if this one is replaced. If it cannot be written, there is a process
   * warning, and the workers serve all the same.
   */
  pidFile?: string | null;
  /**
   * Does SIGUSR2 replace this primary, as `upgrade()` does? False by default, because programs and tools (nodemon) use this signal
   * for other things. Without `signals` it has no effect.
   */
  upgradeSignal?: boolean;
  /**
   * A primary that obeys signals ends when nothing is left to supervise, after a signal or because all slots are given up.
   * If something of the program keeps it alive, it exits after this time: 2 s by default. Infinity: never.
   */
  exitAfterMs?: number;
  /**
   * Off by default. The name of the app, or a path with a slash: this process then answers at a unix socket, which only
   * this user may open, and which the command `cluster-internals` uses (status, reload, scale, stop, …). While another
   * live process has that name or path, or if the socket cannot be made, there is a process warning, and the workers serve
   * all the same.
   */
  control?: string | null;
  /**
   * Off by default. An HTTP server of this process, at a port or at { port, host }, that answers probes. /livez: 200 while
   * workers run or will run. /readyz: 200 while at least `minReady` workers (1) are ready; 503 from the moment a stop is
   * asked for, so also during `drainDelayMs`. If it cannot listen there, the supervisor emits 'error'.
   */
  health?: HealthOption | null;
  /**
   * True by default. Where systemd has started this process, systemd is told when it is ready, reloads, stops, and that it
   * is alive (NOTIFY_SOCKET, WATCHDOG_USEC); the variables of systemd are not passed on to the workers. false: neither.
   */
  systemd?: boolean;
  /** Off by default. Likewise for /metrics, in the format OpenMetrics. The same address as that of `health` is one server. */
  metrics?: MetricsOption | null;
}

/** The options after the check, with all defaults. */
export interface CheckedOptions extends Readonly<Required<Omit<SuperviseOptions, keyof ReleaseOptions | 'cluster' | 'ready' | 'recycle' | 'restarts' | 'health' | 'metrics' | 'rebalance'>>> {
  readonly exec: string;
  /** undefined: the option was not given. */
  readonly cwd: string | undefined;
  readonly args: readonly string[];
  readonly execArgv: readonly string[];
  readonly env: Variables;
  readonly ready: ReadyRule;
  readonly rebalance: Rebalance;
  readonly recycle: Recycle;
  readonly restarts: RestartRule;
  /** null: off. */
  readonly health: HealthEndpoint | null;
  readonly metrics: Endpoint | null;
}

/** The greatest number that `restarts.max` may be: far more than any program restarts. */
const MOST_RESTARTS = 2 ** 31 - 1;

/** The options that are times of at most LONGEST_DELAY. */
const times = ['readyTimeoutMs', 'canaryMs', 'minReadyMs', 'leaveTimeoutMs', 'killMs', 'idleGraceMs', 'drainDelayMs', 'pingMs', 'pingTimeoutMs', 'retryAfterMs'] as const;
const known: (keyof SuperviseOptions)[] = [...times, ...releaseParts, 'workers', 'maxWorkers', 'cluster', 'ready', 'maxSurge',
  'recycle', 'restarts', 'stopExitCodes', 'onGiveUp', 'stderr', 'signals', 'upgradeSignal', 'pidFile', 'exitAfterMs', 'health', 'metrics', 'control', 'move', 'rebalance', 'systemd'];

/** Returns all options with their defaults. Throws ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE or ERR_OUT_OF_RANGE for a wrong one. */
export function checkOptions(options: SuperviseOptions): CheckedOptions & { readonly cluster: Cluster | undefined } {
  checkNames('options', options, known);
  const given = ownOptions(options, known);
  const maxWorkers = checkInteger('options.maxWorkers', given.maxWorkers ?? 1024, 1, 65_536);
  const workers = checkCount('options.workers', given.workers ?? Math.min(maxWorkers, availableParallelism()), maxWorkers);
  const leaveTimeoutMs = time('leaveTimeoutMs', given.leaveTimeoutMs ?? 20_000, 1);
  const retryAfterMs = time('retryAfterMs', given.retryAfterMs ?? 60_000, 1);
  const { exec, cwd, args, execArgv, env } = checkReleaseOptions({ ...given, exec: given.exec ?? process.argv[1] });
  const checked = {
    exec: checkString('options.exec', exec),
    cwd,
    args: args ?? process.argv.slice(2),
    execArgv: execArgv ?? process.execArgv,
    env: env ?? {},
    cluster: given.cluster,
    workers,
    maxWorkers,
    ready: checkReady(given.ready ?? 'listening'),
    readyTimeoutMs: time('readyTimeoutMs', given.readyTimeoutMs ?? 30_000, 1),
    canaryMs: time('canaryMs', given.canaryMs ?? 2_000),
    minReadyMs: time('minReadyMs', given.minReadyMs ?? 0),
    maxSurge: checkInteger('options.maxSurge', given.maxSurge ?? 1, 1, maxWorkers),
    leaveTimeoutMs,
    killMs: time('killMs', given.killMs ?? Math.min(2_000, leaveTimeoutMs / 5)),
    idleGraceMs: time('idleGraceMs', given.idleGraceMs ?? 1_000),
    drainDelayMs: time('drainDelayMs', given.drainDelayMs ?? 0),
    pingMs: time('pingMs', given.pingMs ?? 2_000),
    pingTimeoutMs: time('pingTimeoutMs', given.pingTimeoutMs ?? 10_000, 1),
    recycle: checkRecycle(given.recycle ?? {}),
    restarts: { ...checkRestarts(given.restarts ?? {}, workers), retryAfterMs },
    retryAfterMs,
    stopExitCodes: exitCodes(given.stopExitCodes ?? []),
    onGiveUp: checkOneOf('options.onGiveUp', given.onGiveUp ?? 'go on', ['go on', 'stop'] as const),
    stderr: checkOneOf('options.stderr', given.stderr ?? 'inherit', ['inherit', 'pipe'] as const),
    signals: checkBoolean('options.signals', given.signals ?? true),
    upgradeSignal: checkBoolean('options.upgradeSignal', given.upgradeSignal ?? false),
    pidFile: given.pidFile == null ? null : checkString('options.pidFile', given.pidFile),
    exitAfterMs: given.exitAfterMs === Infinity ? Infinity : time('exitAfterMs', given.exitAfterMs ?? 2_000),
    rebalance: checkRebalance(given.rebalance),
    move: checkBoolean('options.move', given.move ?? true),
    systemd: checkBoolean('options.systemd', given.systemd ?? true),
    health: checkHealth(given.health, maxWorkers),
    metrics: checkMetrics(given.metrics),
    control: given.control == null ? null : checkString('options.control', given.control),
  };
  if (checked.killMs > leaveTimeoutMs) throw outOfRange('options.killMs', `<= leaveTimeoutMs (${leaveTimeoutMs})`, checked.killMs);
  return checked;
}

/** Returns `value` if it is a number of workers, 1 to `most`; throws otherwise. */
export function checkCount(name: string, value: unknown, most: number): number {
  return checkInteger(name, value, 1, most, '; stop() ends all workers');
}

function checkReady(given: NonNullable<SuperviseOptions['ready']>): ReadyRule {
  if (typeof given !== 'object') return checkOneOf('options.ready', given, ['listening', 'online', 'message'] as const, 'an object { http } or ');
  checkNames('options.ready', given, ['http']);
  const { http: check } = ownOptions(given, ['http']);
  const asked = typeof check === 'string' ? { path: check } : check;
  const names = ['path', 'port', 'intervalMs', 'timeoutMs'] as const;
  checkNames('options.ready.http', asked, names);
  const http = ownOptions(asked, names);
  const path = checkString('options.ready.http.path', http.path);
  if (!/^\/[\x21-\x7e]*$/.test(path)) throw invalidArgValue('options.ready.http.path', path, 'must be a path of a URL, for example /health');
  return {
    http: {
      path,
      port: http.port == null ? null : checkInteger('options.ready.http.port', http.port, 1, HIGHEST_PORT),
      intervalMs: time('ready.http.intervalMs', http.intervalMs ?? 250, 1),
      timeoutMs: time('ready.http.timeoutMs', http.timeoutMs ?? 2_000, 1),
    },
  };
}

function checkRebalance(given: Rebalance): Rebalance {
  if (given === undefined || typeof given === 'boolean') return given;
  checkNames('options.rebalance', given, ['perSecond']);
  const { perSecond } = ownOptions(given, ['perSecond']);
  return perSecond === undefined ? true : { perSecond: checkRate('options.rebalance.perSecond', perSecond) };
}

function checkRecycle(options: Partial<Recycle>): Recycle {
  const names = ['rssBytes', 'requests', 'ageMs', 'jitter'] as const;
  checkNames('options.recycle', options, names);
  const given = ownOptions(options, names);
  return {
    rssBytes: checkNumber('options.recycle.rssBytes', given.rssBytes ?? Infinity, 1, Infinity),
    requests: checkNumber('options.recycle.requests', given.requests ?? Infinity, 1, Infinity),
    ageMs: given.ageMs === undefined || given.ageMs === Infinity ? Infinity : time('recycle.ageMs', given.ageMs, 1),
    jitter: checkNumber('options.recycle.jitter', given.jitter ?? 0.1, 0, 0.5),
  };
}

function checkRestarts(options: Partial<RestartLimits>, workers: number): RestartLimits {
  const names = ['max', 'maxAll', 'withinMs', 'healthyMs', 'minDelayMs', 'maxDelayMs', 'jitter'] as const;
  checkNames('options.restarts', options, names);
  const given = ownOptions(options, names);
  const max = checkInteger('options.restarts.max', given.max ?? 10, 1, MOST_RESTARTS);
  return {
    max,
    maxAll: checkInteger('options.restarts.maxAll', given.maxAll ?? Math.max(20, 2 * workers, max), 1, MOST_RESTARTS),
    withinMs: time('restarts.withinMs', given.withinMs ?? 60_000, 1),
    healthyMs: time('restarts.healthyMs', given.healthyMs ?? 10_000),
    minDelayMs: time('restarts.minDelayMs', given.minDelayMs ?? 100),
    maxDelayMs: time('restarts.maxDelayMs', given.maxDelayMs ?? 10_000),
    jitter: checkNumber('options.restarts.jitter', given.jitter ?? 0.2, 0, 1),
  };
}

// ── kinds of values ────────────────────────────────────────────────────────────────────────────────

function exitCodes(value: unknown): readonly number[] {
  const all: unknown[] = Array.isArray(value) ? [...value] : [null];
  return all.map((code) => {
    if (code === null) throw invalidArgType('options.stopExitCodes', 'an array of exit codes', value);
    return checkInteger('options.stopExitCodes', code, 0, 255);
  });
}

const time = (name: string, value: unknown, lowest = 0): number => checkNumber(`options.${name}`, value, lowest, LONGEST_DELAY);

