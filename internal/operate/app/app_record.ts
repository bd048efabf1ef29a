/**
 * The two files that the disk keeps about each app, and how they are read and written.
 *
 *   STATE/apps/NAME.json      the record. The daemon writes it before it starts or stops anything, so that the next
 *                             daemon knows what is wanted
 *   STATE/current/NAME.json   what became of the app since: how many workers it was scaled to, which release it runs,
 *                             and why it ended. The app's primary writes it
 *
 *   record   id   made anew for each spec that a client sent
 *            run  counts the commands that started the app
 *   current  id, run  of the record under which the primary was started. What it says about another id or run is history
 *
 * Used by  app_primary.ts, current_app.ts, daemon/, cli/
 * Never    throws for a file that is cut off or was written by somebody else: that is `null`, and a reason
 * Keeps    each file is at any moment the old one or the new one: it is written beside and renamed. Each has one writer
 */
import fs from 'node:fs';
import path from 'node:path';
import { isObject } from '../../is_object';
import { isAppName } from '../control/directory';
import { codeOf } from '../control/errors';
import { makeDirectory } from '../make_directory';
import { checkSpec, type AppSpec } from './app_spec';

/** What the daemon wants of an app. */
export interface AppRecord {
  readonly id: string;
  readonly run: number;
  /** 'errored': it was wanted, and it was given up. */
  readonly wanted: 'running' | 'stopped' | 'errored';
  /** Why it is errored; '' otherwise. */
  readonly reason: string;
  /** The boot of the machine in which it was last started. After a reboot nothing runs before somebody asks for it. */
  readonly boot: string;
  readonly spec: AppSpec;
}

/** What the primary of an app knows. */
export interface CurrentApp {
  readonly id: string;
  readonly run: number;
  /** The spec as it is now, after `scale` and `reload`. */
  readonly spec: AppSpec;
  /** After a rollback: the script and the directory that it went back to, with all symlinks followed. The next reload follows them again. */
  readonly pinned: Pick<AppSpec, 'exec' | 'cwd'> | null;
  /** Why the primary ends, or has ended; null while it runs, and if it was killed. */
  readonly ended: { readonly is: 'stopped' | 'given up'; readonly reason: string } | null;
}

/** A file, or why there is none. `missing`: nobody has written it. */
export type Read<Content> = { readonly is: 'there'; readonly content: Content } | { readonly is: 'missing' } | { readonly is: 'bad'; readonly reason: string };

/** The file of an app's record, below the state directory. */
export const recordFile = (state: string, name: string): string => path.join(state, 'apps', `${name}.json`);
/** The file of what an app's primary has made of its spec, below the state directory. */
export const currentFile = (state: string, name: string): string => path.join(state, 'current', `${name}.json`);
/** The directory of log files, below the state directory. */
export const logDirectory = (state: string): string => path.join(state, 'logs');

/** The rights of what holds environments, in which there may be passwords. */
const PRIVATE_FILE = 0o600;
/** The ending of a file that is being written. */
const BESIDE = '.new';

/** Reads a record. */
export function readRecord(state: string, name: string): Read<AppRecord> {
  return readJson(recordFile(state, name), (fields) => {
    const { id, run, wanted, reason, boot } = fields;
    if (typeof id !== 'string' || typeof run !== 'number' || typeof reason !== 'string' || typeof boot !== 'string') throw new Error('a field is missing');
    if (wanted !== 'running' && wanted !== 'stopped' && wanted !== 'errored') throw new Error(`wanted is ${String(wanted)}`);
    const spec = checkSpec(fields['spec'], logDirectory(state));
    if (spec.name !== name) throw new Error(`it is the record of ${spec.name}`);
    return { id, run, wanted, reason, boot, spec };
  });
}

/** Reads what the primary of an app wrote last. */
export function readCurrent(state: string, name: string): Read<CurrentApp> {
  return readJson(currentFile(state, name), (fields) => {
    const { id, run } = fields;
    if (typeof id !== 'string' || typeof run !== 'number') throw new Error('a field is missing');
    return { id, run, spec: checkSpec(fields['spec'], logDirectory(state)), pinned: readPinned(fields['pinned']), ended: readEnd(fields['ended']) };
  });
}

/** The spec with which a primary for this record starts: that of the record, with the changes of its former primaries. */
export function currentOf(state: string, { id, spec }: AppRecord): Pick<CurrentApp, 'spec' | 'pinned'> {
  const current = readCurrent(state, spec.name);
  return current.is === 'there' && current.content.id === id ? current.content : { spec, pinned: null };
}

function readPinned(value: unknown): CurrentApp['pinned'] {
  if (!isObject(value)) return null;
  const { exec, cwd } = value;
  return typeof exec === 'string' && typeof cwd === 'string' ? { exec, cwd } : null;
}

function readEnd(value: unknown): CurrentApp['ended'] {
  if (!isObject(value)) return null;
  const { is, reason } = value;
  return (is === 'stopped' || is === 'given up') && typeof reason === 'string' ? { is, reason } : null;
}

/** Reads a file of JSON, which `check` turns into its type, or throws. */
export function readJson<Content>(file: string, check: (fields: Readonly<Record<string, unknown>>) => Content): Read<Content> {
  try {
    const value: unknown = JSON.parse(fs.readFileSync(file, 'utf8'));
    if (!isObject(value)) throw new Error('it is no object');
    return { is: 'there', content: check({ ...value }) };
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return { is: 'missing' };
    return { is: 'bad', reason: `${file}: ${error instanceof Error ? error.message : String(error)}` };
  }
}

/** Writes a file of JSON so that a reader, or the next boot, sees the old one or the new one. Throws what the system says; then the old one is there. */
export function writeJson(file: string, content: object): void {
  const directory = path.dirname(file);
  const beside = `${file}${BESIDE}`;
  makeDirectory(directory);
  try {
    const fd = fs.openSync(beside, 'w', PRIVATE_FILE);
    try {
      fs.writeFileSync(fd, `${JSON.stringify(content)}\n`);
      fs.fsyncSync(fd);
    } finally {
      fs.closeSync(fd);
    }
    fs.renameSync(beside, file);
  } catch (error) {
    try {
      fs.rmSync(beside, { force: true });
    } catch {
      throw error; // What went wrong first says more.
    }
    throw error;
  }
  syncDirectory(directory);
}

/** Removes a file for good. */
export function removeFile(file: string): void {
  fs.rmSync(file, { force: true });
  syncDirectory(path.dirname(file));
}

/** Removes records that a former daemon was about to write when it was killed. */
export function removeHalves(state: string): void {
  for (const directory of [state, path.join(state, 'apps')]) {
    if (!fs.existsSync(directory)) continue;
    for (const file of fs.readdirSync(directory)) if (file.endsWith(BESIDE)) fs.rmSync(path.join(directory, file), { force: true });
  }
}

/** Makes the names in a directory survive a loss of power. */
function syncDirectory(directory: string): void {
  const fd = fs.openSync(directory, 'r');
  try {
    fs.fsyncSync(fd);
  } finally {
    fs.closeSync(fd);
  }
}

/** The names of all apps that have a record. A file with another name is none of ours. */
export function recordedNames(state: string): string[] {
  const directory = path.join(state, 'apps');
  if (!fs.existsSync(directory)) return [];
  return fs.readdirSync(directory).filter((file) => file.endsWith('.json')).map((file) => file.slice(0, -'.json'.length)).filter(isAppName).sort();
}
