/**
 * What a process has to know to record itself. It comes in one environment variable, which every process of the program
 * inherits; NODE_OPTIONS has a flag that loads the recorder. A program may replace both for its workers, so the recorder
 * of the primary puts them back into the environment of each worker (recorder.ts).
 *
 * Used by  recorder.ts, record.ts
 * Never    throws for what is in the environment: a value that makes no sense means "do not record"
 */
import { JSON, Number } from '../builtins';
import { builtFile } from '../dist_files';
import { isObject } from '../is_object';

/** How a program is recorded: the same for all of its processes. */
export interface RecordingSettings {
  /** The directory of the part files, absolute: the program may change its working directory. */
  readonly directory: string;
  /** `process.hrtime.bigint()` at the start of the recording, as text. */
  readonly base: string;
  /** Bytes that all part files together may have. */
  readonly limit: number;
  /** Are the app's own messages recorded with their content? */
  readonly payloads: boolean;
}

const VARIABLE = 'CLUSTER_INTERNALS_RECORDING';
/** `<worker id>`, for a worker only. The recorder deletes it, so that a child of the worker does not take it for its own. */
const WORKER = 'CLUSTER_INTERNALS_RECORDED_WORKER';
const OPTIONS = 'NODE_OPTIONS=';

/** The file that records. Node loads it by `--require`. */
const recorder = builtFile('internal/recording/recorder.js');
/** The flag as text for NODE_OPTIONS, which quotes a path as JSON does. */
const flag = `--require ${JSON.stringify(recorder)}`;

/** Reads the settings; null if this process is not recorded. */
export function readSettings(env: NodeJS.ProcessEnv): RecordingSettings | null {
  const text = env[VARIABLE];
  if (text === undefined) return null;
  try {
    const value: unknown = JSON.parse(text);
    return isSettings(value) ? value : null;
  } catch {
    return null; // No JSON: nothing of ours.
  }
}

function isSettings(value: unknown): value is RecordingSettings {
  if (!isObject(value)) return false;
  const { directory, base, limit, payloads } = value;
  return typeof directory === 'string' && typeof base === 'string' && /^\d+$/.test(base) && typeof limit === 'number' && typeof payloads === 'boolean';
}

/** Reads the id of the worker that this process is, and deletes it from the environment; null in any other process. */
export function takeWorkerId(env: NodeJS.ProcessEnv): number | null {
  const text = env[WORKER];
  if (text === undefined) return null;
  delete env[WORKER];
  return Number(text);
}

/** The environment of the program: this one, and what makes each process of it record itself. */
export function recordedEnvironment(env: NodeJS.ProcessEnv, settings: RecordingSettings): NodeJS.ProcessEnv {
  return { ...env, [VARIABLE]: JSON.stringify(settings), NODE_OPTIONS: withFlag(env['NODE_OPTIONS'] ?? '') };
}

/** The same for a worker, whose environment is a list of `NAME=value`. */
export function recordedPairs(pairs: readonly string[], settings: RecordingSettings, worker: string): string[] {
  const ours = [VARIABLE, WORKER].map((name) => `${name}=`);
  const kept = pairs.filter((pair) => !pair.startsWith(OPTIONS) && !ours.some((own) => pair.startsWith(own)));
  const options = pairs.find((pair) => pair.startsWith(OPTIONS))?.slice(OPTIONS.length) ?? '';
  return [...kept, OPTIONS + withFlag(options), `${VARIABLE}=${JSON.stringify(settings)}`, `${WORKER}=${worker}`];
}

/** The flag comes first: other code that is preloaded may already send messages. */
function withFlag(options: string): string {
  if (options.includes(flag)) return options;
  return options === '' ? flag : `${flag} ${options}`;
}
