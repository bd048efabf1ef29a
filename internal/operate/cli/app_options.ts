/**
 * The options of an app on the command line (`run` and `start`), and what they mean: the app's spec.
 *
 * Used by  run.ts, and every command that has options of an app
 * Uses     arguments.ts, app/app_spec.ts
 * Keeps    a script or directory under the name by which the user called it: symlinks in it are followed at each reload,
 *          so that `reload` finds the release that a link `current` leads to by then
 */
import { realpathSync, statSync } from 'node:fs';
import path from 'node:path';
import { count, flag, oneOf, size, text, texts, time, wholeNumber, wrong, type Option, type Values } from './arguments';
import type { GivenSpec } from '../app/app_spec';
import { isAppName } from '../control/directory';
import { CommandError } from './errors';

/** A number of workers, or one for each CPU. */
export type Instances = number | 'max';

/** The most workers that one app can have, as in supervise. */
const MOST_WORKERS = 1024;

const instances: Option<Instances> = {
  value: 'N|max', short: 'i', about: 'how many workers: 1 by default; max is one for each CPU that the cgroup allows',
  read: (given, name) => {
    if (given === '0' || given.startsWith('-')) throw wrong(`${name} takes a whole number from 1 to ${MOST_WORKERS}, or max for one worker per CPU, not '${given}'`);
    return given === 'max' ? 'max' : wholeNumber(given, name, 1, MOST_WORKERS);
  },
};

/** What `ready` of supervise is: a rule, or a path of the app that must answer. */
const ready: Option<'listening' | 'online' | 'message' | { http: string }> = {
  value: 'RULE', about: "when a worker is ready: listening (default), online, message (it sends 'ready'), or a path such as /healthz that must answer 2xx",
  read: (given, name) => {
    if (given.startsWith('/')) return { http: given };
    if (given === 'listening' || given === 'online' || given === 'message') return given;
    throw wrong(`${name} takes listening, online, message, or a path that begins with /, not '${given}'`);
  },
};

/** PORT or HOST:PORT. */
function address(about: string): Option<{ readonly host?: string; readonly port: number }> {
  return {
    value: '[HOST:]PORT', about,
    read: (given, name) => {
      const [, host, port = ''] = /^(?:\[?([^\]]+?)\]?:)?(\d+)$/.exec(given) ?? [];
      if (port === '') throw wrong(`${name} takes a port, or HOST:PORT, not '${given}'`);
      return { ...(host === undefined ? {} : { host }), port: wholeNumber(port, name, 1, 65535) };
    },
  };
}

const variables: Option<Readonly<Record<string, string>>> = {
  value: 'KEY=VALUE', about: 'a variable for the workers', many: true,
  read: (given, name, before = {}) => {
    const at = given.indexOf('=');
    if (at < 1) throw wrong(`${name} takes KEY=VALUE, not '${given}'`);
    return { ...before, [given.slice(0, at)]: given.slice(at + 1) };
  },
};

const exitCodes: Option<readonly number[]> = {
  value: 'CODES', about: 'a worker that exits with one of these codes (3,4) is not started again',
  read: (given, name) => given.split(',').map((each) => wholeNumber(each, name, 0, 255)),
};

/** What a reload can change too. */
export const RELEASE_OPTIONS = {
  cwd: text('DIR', 'the working directory of the workers: the present one by default'),
  env: variables,
  'node-args': texts('FLAG', "a flag of Node for the workers: --node-args=--max-old-space-size=512"),
};

/** What an app is and how it is supervised: options of `start` and `run`. */
export const APP_OPTIONS = {
  name: text('NAME', 'the name of the app: that of its script, without .js, by default', 'n'),
  instances,
  ...RELEASE_OPTIONS,
  ready,
  'ready-timeout': time('how long a worker may take to become ready: 30s by default'),
  canary: time('how long the first worker of a new release must stay ready: 2s by default'),
  'min-ready': time('how long each further new worker must stay ready: 0 by default'),
  'max-surge': count('N', 'how many workers more than wanted may run during a reload: 1 by default', 1, MOST_WORKERS),
  'leave-timeout': time('how long a worker may take to leave, until it is killed: 20s by default'),
  'idle-grace': time('how long an idle connection of a leaving worker may ask once more: 1s by default'),
  'drain-delay': time('how long workers still accept after a stop, while load balancers learn of it: 0 by default'),
  ping: time('how often it is checked that a worker answers: 2s by default, 0 for never'),
  'ping-timeout': time('how long its answer may take: 10s by default'),
  'max-memory': size('a worker with more resident memory is replaced'),
  'max-requests': count('N', 'a worker that has served so many requests is replaced', 1, Number.MAX_SAFE_INTEGER),
  'max-age': time('a worker that is older is replaced'),
  'max-restarts': count('N', 'restarts of one worker within --restart-window: 10 by default', 1, 1_000_000),
  'restart-window': time('60s by default'),
  'stop-exit-codes': exitCodes,
  'on-give-up': oneOf(['go-on', 'stop'], 'when one worker cannot be kept running, the others go on (default), or all stop'),
  health: address('answers /livez and /readyz here; 127.0.0.1 by default'),
  'min-ready-workers': count('N', '/readyz says ready from so many ready workers on: 1 by default', 1, MOST_WORKERS),
  'pid-file': text('FILE', 'gets the pid of the primary, and of the one that replaces it'),
  metrics: address('answers /metrics here, for Prometheus; 127.0.0.1 by default'),
} as const;

/** Where and how the output of an app is kept: options of `start`. */
export const LOG_OPTIONS = {
  log: text('FILE', "where the workers' output goes: logs/NAME.log in the state directory by default"),
  'error-log': text('FILE', 'where their stderr goes: to the same file by default'),
  'log-max': size('a log file that is longer is renamed and a new one begun: 10M by default'),
  'log-keep': count('N', 'how many renamed log files are kept: 5 by default', 0, 1000),
  'log-time': flag('each line begins with its time'),
  'log-worker': flag('each line begins with the number of its worker'),
};

/**
 * The spec of an app, as the command line describes it.
 *
 * @param script  as the user wrote it
 * @param args    of the app
 * @throws        CommandError for a wrong option, or if there is no such file or directory
 */
export function specOf(script: string, values: Values<typeof APP_OPTIONS>, args: readonly string[]): GivenSpec {
  const exec = scriptOf(script);
  const cwd = directoryOf(values.cwd);
  return {
    name: nameOf(values.name, exec), exec, cwd, args, execArgv: values['node-args'] ?? [],
    env: { ...variablesOfShell(), ...values.env }, instances: values.instances ?? 1, supervise: superviseOptions(values),
  };
}

/** The environment of the shell, which an app gets as if it were started there. */
export function variablesOfShell(): Record<string, string> {
  return Object.fromEntries(Object.entries(process.env).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])));
}

/** The options of supervise that the command line gave. Those that were not given are left to supervise. */
function superviseOptions(values: Values<typeof APP_OPTIONS>): Record<string, unknown> {
  const { health } = values;
  const recycle = known({ rssBytes: values['max-memory'], requests: values['max-requests'], ageMs: values['max-age'] });
  const restarts = known({ max: values['max-restarts'], withinMs: values['restart-window'] });
  if (values['min-ready-workers'] !== undefined && health === undefined) throw wrong('--min-ready-workers needs --health, which answers with it');
  return known({
    ready: values.ready,
    readyTimeoutMs: values['ready-timeout'],
    canaryMs: values.canary,
    minReadyMs: values['min-ready'],
    maxSurge: values['max-surge'],
    leaveTimeoutMs: values['leave-timeout'],
    idleGraceMs: values['idle-grace'],
    drainDelayMs: values['drain-delay'],
    pingMs: values.ping,
    pingTimeoutMs: values['ping-timeout'],
    recycle: Object.keys(recycle).length > 0 ? recycle : undefined,
    restarts: Object.keys(restarts).length > 0 ? restarts : undefined,
    stopExitCodes: values['stop-exit-codes'],
    onGiveUp: values['on-give-up'] === 'go-on' ? 'go on' : values['on-give-up'],
    health: health === undefined ? undefined : known({ ...health, minReady: values['min-ready-workers'] }),
    metrics: values.metrics,
    pidFile: values['pid-file'] === undefined ? undefined : path.resolve(presentDirectory(), values['pid-file']),
  });
}

/** The script of an app, as an absolute path. @throws CommandError if there is no such file */
export function scriptOf(given: string, directory = presentDirectory()): string {
  const file = path.resolve(directory, given);
  for (const candidate of [file, ...['.js', '.mjs', '.cjs'].map((end) => file + end)]) {
    const found = statSync(candidate, { throwIfNoEntry: false });
    if (found?.isDirectory() === true) throw new CommandError(1, 'EISDIR', `${file} is a directory: name its script, for example ${path.join(given, 'index.js')}`);
    if (found !== undefined) return candidate;
  }
  throw new CommandError(1, 'ENOENT', `there is no file ${file}`);
}

/** A directory, as an absolute path. @throws CommandError if there is none */
export function directoryOf(given: string | undefined): string {
  const directory = path.resolve(presentDirectory(), given ?? '.');
  const found = statSync(directory, { throwIfNoEntry: false });
  if (found?.isDirectory() === true) return directory;
  throw new CommandError(1, found === undefined ? 'ENOENT' : 'ENOTDIR', found === undefined ? `there is no directory ${directory}` : `${directory} is no directory`);
}

/** The present directory under the name by which the shell entered it. */
export function presentDirectory(): string {
  const { PWD: named } = process.env;
  try {
    if (named !== undefined && path.isAbsolute(named) && realpathSync(named) === realpathSync(process.cwd())) return named;
  } catch {
    return process.cwd(); // PWD names no directory any more.
  }
  return process.cwd();
}

/** The name of an app. @throws CommandError if the name is none */
function nameOf(given: string | undefined, script: string): string {
  const name = given ?? path.basename(script).replace(/\.[^.]+$/, '');
  if (isAppName(name)) return name;
  throw wrong(`'${name}' cannot be the name of an app: 1 to 64 letters, digits, '.', '_' or '-', the first a letter or digit. Choose one with --name`);
}

/** Only the properties that have a value. */
function known(all: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
}
