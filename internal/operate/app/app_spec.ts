/**
 * What the daemon knows about one app: which script, with which workers, options and log files. It is plain JSON: a
 * client sends it, the daemon writes it into the app's record, and the app's primary reads it there.
 *
 * Used by  every file of app/ and daemon/ that needs to know an app
 * Uses     supervisor/options.ts (checks the options of the supervisor), cpus.ts (what 'max' is), control/directory.ts
 *          (which names an app may have)
 * Never    returns an object of the caller, or one with members that this file does not know
 */
import path from 'node:path';
import { invalidArgType, invalidArgValue } from '../../errors';
import { checkOptions, type SuperviseOptions } from '../../supervisor/options';
import { checkBoolean, checkInteger, checkNames, checkObject, checkString } from '../../validate';
import { checkAppName } from '../control/directory';
import { allowedCpus } from './cpus';

/** The options of `supervise` that a spec may have. Times are in milliseconds. */
export const SUPERVISE_NAMES = ['ready', 'readyTimeoutMs', 'canaryMs', 'minReadyMs', 'maxSurge', 'maxWorkers', 'leaveTimeoutMs', 'killMs', 'idleGraceMs',
  'drainDelayMs', 'pingMs', 'pingTimeoutMs', 'recycle', 'restarts', 'retryAfterMs', 'stopExitCodes', 'onGiveUp', 'health', 'metrics', 'move', 'rebalance', 'pidFile'] as const;

/** The values were checked by `checkOptions`, and come from JSON. */
export type SuperviseSpec = Readonly<Partial<Record<(typeof SUPERVISE_NAMES)[number], unknown>>>;

/** Where the stdout and stderr of all workers of an app are written. */
export interface LogSpec {
  /** Absolute path. It gets stdout, and stderr as well if there is no `errorFile`. */
  readonly file: string;
  /** Absolute path of a second file for stderr; null: `file` gets it. */
  readonly errorFile: string | null;
  /** A file that would be longer than so many bytes is renamed to NAME.1 first; 0: never. */
  readonly maxBytes: number;
  /** How many renamed files are kept. */
  readonly keep: number;
  /** Does each line begin with the time? */
  readonly time: boolean;
  /** Does each line begin with the number of the worker's slot? */
  readonly worker: boolean;
}

/** One app. */
export interface AppSpec {
  readonly name: string;
  /** The script; an absolute path, in which symlinks are followed at each reload. */
  readonly exec: string;
  /** The working directory of the workers; an absolute path. */
  readonly cwd: string;
  readonly args: readonly string[];
  readonly execArgv: readonly string[];
  /** The whole environment of the primary, which its workers inherit. */
  readonly env: Readonly<Record<string, string>>;
  /** The number of workers; 'max': one for each CPU. */
  readonly instances: number | 'max';
  readonly supervise: SuperviseSpec;
  readonly logs: LogSpec;
}

/** What a client has to say about an app. The rest has defaults. */
export type GivenSpec = Pick<AppSpec, 'name' | 'exec' | 'cwd'> & Partial<Omit<AppSpec, 'logs'>> & { readonly logs?: Partial<LogSpec> };

/** The number of workers that a spec may ask for. */
const MOST_INSTANCES = 1024;
/** By default a log file may grow to 10 MiB, and 5 older ones are kept, so one app fills at most 60 MiB. */
const DEFAULT_MAX_BYTES = 10 * 2 ** 20;
const DEFAULT_KEEP = 5;
const MOST_KEPT = 1_000;

const NAMES = ['name', 'exec', 'cwd', 'args', 'execArgv', 'env', 'instances', 'supervise', 'logs'] as const;
const LOG_NAMES = ['file', 'errorFile', 'maxBytes', 'keep', 'time', 'worker'] as const;

/**
 * Checks what a client sent, or what a record contains, and fills in the defaults.
 *
 * @param given         a GivenSpec, hopefully
 * @param logDirectory  where the log file of the app is by default: an absolute path
 * @returns             a new object
 * @throws              ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE or ERR_OUT_OF_RANGE. Whether the files exist is not checked
 */
export function checkSpec(given: unknown, logDirectory: string): AppSpec {
  checkNames('spec', given, NAMES);
  const spec: Readonly<Record<string, unknown>> = { ...checkObject('spec', given) };
  const name = checkAppName('spec.name', spec['name']);
  const checked = {
    name,
    exec: absolute('spec.exec', spec['exec']),
    cwd: absolute('spec.cwd', spec['cwd']),
    args: texts('spec.args', spec['args'] ?? []),
    execArgv: texts('spec.execArgv', spec['execArgv'] ?? []),
    env: variables('spec.env', spec['env'] ?? {}),
    instances: spec['instances'] === 'max' ? 'max' as const : checkInteger('spec.instances', spec['instances'] ?? 1, 1, MOST_INSTANCES, ", or 'max'"),
    supervise: checkSupervise(spec['supervise'] ?? {}),
    logs: checkLogs(spec['logs'] ?? {}, path.join(logDirectory, `${name}.log`)),
  };
  checkOptions(supervisorOptions(checked));
  return checked;
}

/** The options for `supervise` that a spec stands for, without those that only app_primary.ts knows. */
export function supervisorOptions({ exec, cwd, args, execArgv, instances, supervise }: Omit<AppSpec, 'logs'>): SuperviseOptions {
  return { ...(supervise as SuperviseOptions), exec, cwd, args, execArgv, workers: instances === 'max' ? allowedCpus() : instances };
}

function checkSupervise(given: unknown): SuperviseSpec {
  checkNames('spec.supervise', given, SUPERVISE_NAMES);
  // A copy that shares nothing with `given`: it goes into a JSON file anyway.
  return JSON.parse(JSON.stringify(given)) as SuperviseSpec;
}

function checkLogs(given: unknown, file: string): LogSpec {
  checkNames('spec.logs', given, LOG_NAMES);
  const logs: Readonly<Record<string, unknown>> = { ...checkObject('spec.logs', given) };
  return {
    file: absolute('spec.logs.file', logs['file'] ?? file),
    errorFile: logs['errorFile'] == null ? null : absolute('spec.logs.errorFile', logs['errorFile']),
    maxBytes: checkInteger('spec.logs.maxBytes', logs['maxBytes'] ?? DEFAULT_MAX_BYTES, 0, Number.MAX_SAFE_INTEGER),
    keep: checkInteger('spec.logs.keep', logs['keep'] ?? DEFAULT_KEEP, 0, MOST_KEPT),
    time: checkBoolean('spec.logs.time', logs['time'] ?? false),
    worker: checkBoolean('spec.logs.worker', logs['worker'] ?? false),
  };
}

function absolute(name: string, value: unknown): string {
  const text = checkString(name, value);
  if (!path.isAbsolute(text) || text.includes('\0')) throw invalidArgValue(name, text, 'must be an absolute path');
  return text;
}

function texts(name: string, value: unknown): readonly string[] {
  if (!Array.isArray(value) || !value.every((one) => typeof one === 'string' && !one.includes('\0'))) throw invalidArgType(name, 'an array of strings', value);
  return [...value];
}

function variables(name: string, value: unknown): Readonly<Record<string, string>> {
  const copy: Record<string, string> = {};
  for (const [key, text] of Object.entries(checkObject(name, value))) {
    if (typeof text !== 'string' || `${key}${text}`.includes('\0')) throw invalidArgType(`${name}.${key}`, 'of type string', text);
    copy[key] = text;
  }
  return copy;
}
