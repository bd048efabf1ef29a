/**
 * What `supervise` takes: every option, its default, and what is no option at all.
 *
 * Used by  lib/supervisor.ts
 * Never    lets a value through that would fail later and elsewhere: a wrong one is an error at once; reads
 *          an option twice, or keeps an object of the program's, which it may change
 */
import type { Cluster } from 'node:cluster';
import { availableParallelism } from 'node:os';
import { LONGEST_DELAY } from '../clock';
import { invalidArgType, invalidArgValue, outOfRange } from '../errors';
import { ownOptions } from '../own_options';
import { HIGHEST_PORT, checkBoolean, checkInteger, checkNames, checkNumber, checkOneOf, checkString } from '../validate';
import type { RestartLimits } from './restart_budget';
import type { HttpCheck, ReadyRule } from './readiness';
import type { RestartRule } from './restart_policy';

/** When a worker is replaced though nothing is wrong with it: by a new one first. Infinity: never. */
export interface Recycle {
  /** Its resident memory, in bytes. */
  readonly rssBytes: number;
  /** Requests served: http requests, http2 streams, connections of other servers. */
  readonly requests: number;
  /** Since it was ready, in milliseconds. */
  readonly ageMs: number;
  /** Each worker's limits are more or less by up to this share, so that not all reach them at once. */
  readonly jitter: number;
}

/** The options of `supervise`. Each may be left out; times are milliseconds. */
export interface SuperviseOptions {
  /** The script of the workers; this program's own by default. Its symlinks are followed anew at each reload. */
  exec?: string;
  /**
   * The working directory of the workers; cluster.settings.cwd by default, else the directory of this program
   * as it was named (see release.ts). Its symlinks are followed anew together with those of `exec`.
   */
  cwd?: string;
  /** Its arguments, Node's flags, and more environment for it. */
  args?: readonly string[];
  execArgv?: readonly string[];
  env?: NodeJS.ProcessEnv;
  /** How many; one per CPU by default. */
  workers?: number;
  /** The most that `scale` takes: 1024. */
  maxWorkers?: number;
  /** The cluster object: that of cluster-internals by default. `node:cluster` works as well. */
  cluster?: Cluster;
  /**
   * When a worker is ready: it listens where its predecessor does (default), its process runs, its app has sent
   * the message 'ready', or one of its http servers answers a GET of this path with 2xx. See readiness.ts.
   */
  ready?: 'listening' | 'online' | 'message' | { http: string | (Partial<HttpCheck> & { path: string }) };
  /**
   * A worker that is not ready by then has failed: 30 s. If it does not listen yet it is ended without
   * waiting for `leaveTimeoutMs`: disconnected, SIGTERM a second later, SIGKILL after `killMs` more.
   * A worker that was started with an inspector has no such deadline.
   */
  readyTimeoutMs?: number;
  /** How long the first worker of a new release must stay ready before any other is replaced: 2 s. */
  canaryMs?: number;
  /** How long each further one must, before the one that it replaces leaves: 0. */
  minReadyMs?: number;
  /** How many more than wanted a reload may start at a time: 1. */
  maxSurge?: number;
  /** The deadline of a leaving worker, with everything: 20 s. If one has to be killed in a stop, this process exits with 70. */
  leaveTimeoutMs?: number;
  /** The part of it at its end that SIGTERM has before SIGKILL: a fifth of it, 2 s at most. */
  killMs?: number;
  /** How long an idle connection may ask once more: 1 s. */
  idleGraceMs?: number;
  /**
   * How long the workers go on accepting when everything stops, while load balancers learn of it: 0. Answers say
   * `Connection: close` then, and `isLeaving()` of cluster-internals/graceful is true. `leaveTimeoutMs` begins afterwards.
   */
  drainDelayMs?: number;
  /** How often a worker is asked whether its event loop runs: 2 s; 0: never. */
  pingMs?: number;
  /** How long it may take to answer: 10 s. A worker whose inspector is open may stand at a breakpoint, and has no deadline. */
  pingTimeoutMs?: number;
  recycle?: Partial<Recycle>;
  /**
   * At most `max` restarts of one place in `withinMs`, and `maxAll` of all together, though each place may
   * have one. The first death of a worker is repaired at once, the next waits for `minDelayMs`, then twice
   * that and so on up to `maxDelayMs`, each more or less by `jitter`; one that served for `healthyMs`
   * begins anew. A worker that is recycled is replaced under the same rule; where more than three in a row
   * reach their limits before `healthyMs`, recycling is put off, and 'giveup' tells it. Defaults: 10; the larger of 20
   * and twice the workers, or `max` if that is more; 60 s; 10 s; 100 ms; 10 s; 0.2.
   */
  restarts?: Partial<RestartLimits>;
  /**
   * When a place that was given up is tried again by itself, while others serve: 60 s, twice that the next
   * time and so on, up to an hour. Recycling that comes too often is put off for as long.
   */
  retryAfterMs?: number;
  /**
   * What follows when a place is given up: the others go on (default), or everything stops. When everything
   * was given up or stopped for it, this process exits with 69, unless the program has set `process.exitCode`.
   */
  onGiveUp?: 'go on' | 'stop';
  /**
   * 'inherit' (default): the workers' stderr goes where the cluster's settings say, by default straight to
   * that of this process. 'pipe': the supervisor reads it, and writes whole lines to its own stderr; a
   * worker waits while nobody takes them, and what cannot be written is lost. With either, 'giveup' tells
   * the last words of a worker: the end of stderr if that is a pipe, else its uncaught error.
   */
  stderr?: 'inherit' | 'pipe';
  /**
   * SIGHUP, SIGTERM, SIGINT, SIGTTIN and SIGTTOU of this process: true by default. A SIGHUP because the
   * terminal was closed stops as SIGTERM does.
   */
  signals?: boolean;
  /**
   * A primary that obeys signals ends when nothing is left to supervise, after a signal or because all was
   * given up. If something of the program's keeps it alive, it is ended so much later: 2 s. Infinity: never.
   */
  exitAfterMs?: number;
}

/** Options that were checked, with their defaults. */
export interface Checked extends Readonly<Required<Omit<SuperviseOptions, 'cluster' | 'cwd' | 'ready' | 'recycle' | 'restarts'>>> {
  /** undefined: nobody has said. */
  readonly cwd: string | undefined;
  readonly ready: ReadyRule;
  readonly recycle: Recycle;
  readonly restarts: RestartRule;
}

/** The greatest number that `restarts.max` may be: far more than any program restarts. */
const MOST_RESTARTS = 2 ** 31 - 1;

const times = ['readyTimeoutMs', 'canaryMs', 'minReadyMs', 'leaveTimeoutMs', 'killMs', 'idleGraceMs', 'drainDelayMs', 'pingMs', 'pingTimeoutMs', 'retryAfterMs'] as const;
const known: (keyof SuperviseOptions)[] = [...times, 'exec', 'cwd', 'args', 'execArgv', 'env', 'workers', 'maxWorkers', 'cluster', 'ready', 'maxSurge',
  'recycle', 'restarts', 'onGiveUp', 'stderr', 'signals', 'exitAfterMs'];

/** Throws ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE or ERR_OUT_OF_RANGE for what makes no sense. */
export function checkOptions(options: SuperviseOptions): Checked & { readonly cluster: Cluster | undefined } {
  checkNames('options', options, known);
  const given = ownOptions(options, known);
  const maxWorkers = checkInteger('options.maxWorkers', given.maxWorkers ?? 1024, 1, 65_536);
  const workers = checkCount('options.workers', given.workers ?? Math.min(maxWorkers, availableParallelism()), maxWorkers);
  const leaveTimeoutMs = time('leaveTimeoutMs', given.leaveTimeoutMs ?? 20_000, 1);
  const retryAfterMs = time('retryAfterMs', given.retryAfterMs ?? 60_000, 1);
  const checked = {
    exec: text('options.exec', given.exec ?? process.argv[1]),
    cwd: given.cwd === undefined ? undefined : text('options.cwd', given.cwd, 'directory'),
    args: texts('options.args', given.args ?? process.argv.slice(2)),
    execArgv: texts('options.execArgv', given.execArgv ?? process.execArgv),
    env: environment(given.env ?? {}),
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
    onGiveUp: checkOneOf('options.onGiveUp', given.onGiveUp ?? 'go on', ['go on', 'stop'] as const),
    stderr: checkOneOf('options.stderr', given.stderr ?? 'inherit', ['inherit', 'pipe'] as const),
    signals: checkBoolean('options.signals', given.signals ?? true),
    exitAfterMs: given.exitAfterMs === Infinity ? Infinity : time('exitAfterMs', given.exitAfterMs ?? 2_000),
  };
  if (checked.killMs > leaveTimeoutMs) throw outOfRange('options.killMs', `<= leaveTimeoutMs (${leaveTimeoutMs})`, checked.killMs);
  return checked;
}

/** How many workers there may be. */
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

const time = (name: string, value: unknown, lowest = 0): number => checkNumber(`options.${name}`, value, lowest, LONGEST_DELAY);

function text(name: string, value: unknown, what = 'script'): string {
  const path = checkString(name, value);
  if (path === '' || path.includes('\0')) throw invalidArgValue(name, path, `must be the path of a ${what}`);
  return path;
}

function texts(name: string, value: unknown): readonly string[] {
  const all: unknown[] = Array.isArray(value) ? [...value] : [null];
  if (!all.every((one) => typeof one === 'string')) throw invalidArgType(name, 'an array of strings', value);
  return all;
}

function environment(value: unknown): NodeJS.ProcessEnv {
  if (typeof value !== 'object') throw invalidArgType('options.env', 'of type object', value);
  return { ...value };
}
