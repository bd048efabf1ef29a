/**
 * What a client may ask of an app: one method each, and the check of its parameters.
 *
 *   method      parameters                              progress         result
 *   status      -                                       -                AppStatus
 *   reload      exec, args, env, cwd, execArgv: changes events           Report
 *               (env adds to the variables of the
 *               release; null removes one)
 *   rollback    -                                       events           Report
 *   scale       to: number of workers, or by: ±number   events           Report
 *   stop        now: kill the workers                   events           Report
 *   recycle     place: only this one                    events           Report
 *   upgrade     script, execPath, args,                 events           UpgradeReport; this primary ends then
 *               readyTimeoutMs
 *   logs        lines: how many (20), follow            { line }         null
 *   reopenLogs  -                                       -                null
 *   metrics     -                                       -                { text }
 *   subscribe   -                                       events           null, after a cancel
 *
 * Used by  app_control.ts, app/
 * Uses     events.ts (what an event is on the wire)
 * Never    does anything before all parameters are checked; a parameter that no method has is an error, not ignored
 * Keeps    a command goes on when its client goes away. What follows something (logs, subscribe) ends then
 */
import { invalidArgType, nodeError } from '../../errors';
import { releaseParts, type Variables } from '../../supervisor/recipe';
import type { ReleaseOptions } from '../../supervisor/release_options';
import type { UpgradeOptions } from '../../supervisor/replacing';
import type { Status } from '../../supervisor/status';
import type { Supervisor } from '../../supervisor/supervisor';
import { checkBoolean, checkInteger, checkNames, checkObject, checkString } from '../../validate';
import type { Call, Method } from './connection';
import { SupervisorFeed } from './events';
import { LONGEST_REPLY, type Hello } from './protocol';

/** How many old lines `logs` sends if the client does not say. */
const LINES = 20;
/** The most old lines that a client may ask for. */
const MOST_LINES = 100_000;
/** The longest line that is sent whole, in characters. JSON may need six bytes for one. */
const LONGEST_LINE = LONGEST_REPLY / 8;
/** The bytes of a line on the wire that are not its text, rounded up. */
const ENVELOPE_BYTES = 60;

/** Where the output of the workers is. */
export interface LogSource {
  /** The last lines, at most `count`, oldest first. */
  lastLines(count: number): readonly string[];
  /** Calls `listener` with each line from now on. Returns a function that ends this. */
  follow(listener: (line: string) => void): () => void;
  /** Opens the files anew, after somebody has renamed them. */
  reopen(): void;
}

/** What an app has besides its supervisor. */
export interface AppExtras {
  readonly name?: string;
  readonly startedBy?: Hello['startedBy'];
  readonly logs?: LogSource;
  /** The metrics, as the text of OpenMetrics. */
  readonly metrics?: () => string;
  /** The options with which the app was started. */
  readonly spec?: () => unknown;
}

/** The result of `status`. */
export interface AppStatus extends Status {
  readonly name: string;
  /** The primary. */
  readonly pid: number;
  /** Milliseconds since the primary was started. */
  readonly uptimeMs: number;
  readonly startedBy: Hello['startedBy'];
  readonly spec?: unknown;
}

type Params = Readonly<Record<string, unknown>>;

/**
 * The methods of an app.
 *
 * @param supervisor  what they act on
 * @param extras      what the app has besides. Without `logs` or `metrics`, these methods reject with ERR_NOT_AVAILABLE
 * @returns           the table for a ControlServer
 */
export function appMethods(supervisor: Supervisor, extras: AppExtras = {}): Record<string, Method> {
  const { name = 'app', startedBy = 'program', logs, metrics, spec } = extras;
  const feed = new SupervisorFeed(supervisor);
  /** Runs a command, and sends the events that come meanwhile. */
  const command = async <Result>(call: Call, start: () => Promise<Result>): Promise<Result> => {
    const end = feed.add((message) => call.progress(message));
    try {
      return await start();
    } finally {
      // Events are emitted in a tick of their own: those of the command's end go before its result.
      await new Promise<void>((resolve) => process.nextTick(resolve));
      end();
    }
  };
  return {
    async status(params): Promise<AppStatus> {
      checkNames('params', params, []);
      const own = { name, pid: process.pid, uptimeMs: Math.round(process.uptime() * 1000), startedBy };
      return { ...supervisor.status(), ...own, ...(spec === undefined ? {} : { spec: spec() }) };
    },
    async reload(params, call) {
      const change = readChange(params, supervisor.release.env);
      return command(call, () => supervisor.reload(change));
    },
    async rollback(params, call) {
      checkNames('params', params, []);
      return command(call, () => supervisor.rollback());
    },
    async scale(params, call) {
      const to = checkScale(params, supervisor);
      return command(call, () => supervisor.scale(to));
    },
    async stop(params, call) {
      checkNames('params', params, ['now']);
      const now = checkBoolean('params.now', params['now'] ?? false);
      return command(call, () => supervisor.stop({ now }));
    },
    async recycle(params, call) {
      checkNames('params', params, ['place']);
      const { place } = params;
      const one = place === undefined ? undefined : checkInteger('params.place', place, 1, Number.MAX_SAFE_INTEGER);
      return command(call, () => supervisor.recycle(one));
    },
    async upgrade(params, call) {
      const options = readUpgrade(params);
      return command(call, () => supervisor.upgrade(options));
    },
    async logs(params, call) {
      checkNames('params', params, ['lines', 'follow']);
      const lines = checkInteger('params.lines', params['lines'] ?? LINES, 0, MOST_LINES);
      const follow = checkBoolean('params.follow', params['follow'] ?? false);
      return sendLogs(available(logs, 'log files: its output goes where that of its primary goes'), lines, follow, call);
    },
    async reopenLogs(params) {
      checkNames('params', params, []);
      available(logs, 'log files').reopen();
    },
    async metrics(params) {
      checkNames('params', params, []);
      return { text: available(metrics, 'metrics')() };
    },
    async subscribe(params, call) {
      checkNames('params', params, []);
      const end = feed.add((message) => call.progress(message));
      await aborted(call.signal);
      end();
    },
  };
}

function available<Value>(value: Value | undefined, what: string): Value {
  if (value === undefined) throw nodeError(Error, 'ERR_NOT_AVAILABLE', `This app has no ${what}`);
  return value;
}

/** The changes that a client asks for in the next release. `before`: the variables of the present release. */
function readChange(params: Params, before: Variables): ReleaseOptions {
  checkNames('params', params, releaseParts);
  const { exec, cwd, args, execArgv, env } = params;
  return {
    ...(exec === undefined ? {} : { exec: checkString('params.exec', exec) }),
    ...(cwd === undefined ? {} : { cwd: checkString('params.cwd', cwd) }),
    ...(args === undefined ? {} : { args: readTexts('params.args', args) }),
    ...(execArgv === undefined ? {} : { execArgv: readTexts('params.execArgv', execArgv) }),
    ...(env === undefined ? {} : { env: withVariables(before, readVariables(env)) }),
  };
}

/** How a client wants this primary to be replaced. The supervisor checks the range of the time. */
function readUpgrade(params: Params): UpgradeOptions {
  checkNames('params', params, ['script', 'execPath', 'args', 'readyTimeoutMs']);
  const { script, execPath, args, readyTimeoutMs } = params;
  return {
    ...(script === undefined ? {} : { script: checkString('params.script', script) }),
    ...(execPath === undefined ? {} : { execPath: checkString('params.execPath', execPath) }),
    ...(args === undefined ? {} : { args: readTexts('params.args', args) }),
    ...(readyTimeoutMs === undefined ? {} : { readyTimeoutMs: checkInteger('params.readyTimeoutMs', readyTimeoutMs, 1, Number.MAX_SAFE_INTEGER) }),
  };
}

function readTexts(name: string, value: unknown): string[] {
  const isText = (one: unknown): one is string => typeof one === 'string';
  if (!Array.isArray(value) || !value.every(isText)) throw invalidArgType(name, 'an array of strings', value);
  return value;
}

/** Variables of the environment. JSON has no undefined, so null stands for a variable that is removed. */
function readVariables(value: unknown): NodeJS.ProcessEnv {
  if (Array.isArray(value)) throw invalidArgType('params.env', 'of type object', value);
  const given = Object.entries(checkObject('params.env', value));
  return Object.fromEntries(given.map(([name, one]: [string, unknown]) => [name, one === null ? undefined : checkString(`params.env.${name}`, one)]));
}

/** A client gives only the variables that change: it does not know the others, which can be secret. */
function withVariables(before: Variables, given: NodeJS.ProcessEnv): Variables {
  return typeof before === 'function' ? (place) => ({ ...before(place), ...given }) : { ...before, ...given };
}

/** The number of workers that a client asks for. The supervisor checks its range. */
function checkScale(params: Params, supervisor: Supervisor): number {
  checkNames('params', params, ['to', 'by']);
  const { to, by } = params;
  if ((to === undefined) === (by === undefined)) throw nodeError(TypeError, 'ERR_INVALID_ARG_VALUE', 'scale needs either params.to or params.by');
  if (by === undefined) return checkInteger('params.to', to, 1, Number.MAX_SAFE_INTEGER);
  return supervisor.status().desired + checkInteger('params.by', by, -Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER);
}

async function sendLogs(logs: LogSource, count: number, follow: boolean, call: Call): Promise<null> {
  const send = (line: string): void => call.progress({ line: shortened(line) });
  for (const line of newest(logs.lastLines(count).map(shortened))) send(line);
  if (!follow || call.signal.aborted) return null;
  const end = logs.follow(send);
  await aborted(call.signal);
  end();
  return null;
}

const shortened = (line: string): string => (line.length > LONGEST_LINE ? `${line.slice(0, LONGEST_LINE)}…` : line);

/** The newest of these lines: as many as a client may leave unread, so that no client is cut off for what it asked for. */
function newest(lines: readonly string[]): readonly string[] {
  let from = lines.length;
  for (let bytes = 0; from > 0; from--) {
    bytes += Buffer.byteLength(JSON.stringify(lines[from - 1])) + ENVELOPE_BYTES;
    if (bytes > LONGEST_REPLY) break;
  }
  return lines.slice(from);
}

/** Resolves when the caller cancels or goes away; soon if that has happened before the method began. */
export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
