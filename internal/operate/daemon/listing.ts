/**
 * The list of apps: those of the daemon, and those that programs have started with `supervise({ control })` or `run`.
 *
 * Used by  daemon.ts
 * Uses     app.ts (the apps of the daemon), control/ (to ask each primary for its workers)
 * Keeps    a primary that does not answer within ANSWER_MS delays the list by that, and is in it
 */
import fs from 'node:fs';
import { timers } from '../../builtins';
import { builtFile } from '../../dist_files';
import { isObject } from '../../is_object';
import { ControlClient } from '../control/client';
import { appsWithSocket, controlPath } from '../control/directory';
import type { Hello } from '../control/protocol';
import type { ListResult, ListedApp, ListedWorker } from './api';
import type { App } from './app';

/** How long a primary may take to answer, in milliseconds, before it is listed without its workers. */
const ANSWER_MS = 2_000;

/** The version of this package, for the list. */
const { version } = JSON.parse(fs.readFileSync(builtFile('../package.json'), 'utf8')) as { version: string };

type Figures = Pick<ListedApp, 'instances' | 'ready' | 'restarts' | 'moved' | 'uptimeMs' | 'exec' | 'workers'>;
const UNKNOWN: Figures = { instances: null, ready: null, restarts: null, moved: null, uptimeMs: null, exec: null, workers: [] };

/** All apps of this user. */
export async function listAll(apps: readonly App[], warnings: readonly string[]): Promise<ListResult> {
  const known = new Set(apps.map(({ name }) => name));
  const lists = await Promise.all([...apps.map(listed), ...appsWithSocket().filter((name) => !known.has(name)).map(listedStranger)]);
  return {
    daemon: { pid: process.pid, version, uptimeMs: Math.round(process.uptime() * 1_000) },
    apps: lists.filter((app) => app !== null).sort((one, other) => (one.name < other.name ? -1 : 1)),
    warnings,
  };
}

/** One app of the daemon. */
export async function listed(app: App): Promise<ListedApp> {
  const { spec, primary } = app;
  const figures = primary === null ? UNKNOWN : await inTime(primary.call('status').then(figuresOf));
  return {
    name: app.name, pid: primary?.pid ?? null, state: app.state, reason: app.reason, startedBy: 'daemon',
    ...figures,
    instances: figures.instances ?? (spec.instances === 'max' ? null : spec.instances),
    restarts: (figures.restarts ?? 0) + app.restarts,
    exec: figures.exec ?? spec.exec,
    socket: controlPath(app.name), log: spec.logs.file,
  };
}

/** An app that the daemon does not know; null if nobody answers at its socket. */
async function listedStranger(name: string): Promise<ListedApp | null> {
  const socket = controlPath(name);
  let client: ControlClient;
  try {
    client = await ControlClient.connect(socket, { timeoutMs: ANSWER_MS });
  } catch {
    return null; // A file that a process has left behind when it was killed.
  }
  try {
    const { hello } = client;
    if (hello.kind !== 'app') return null;
    return { ...startOf(name, hello), ...await inTime(client.call('status').then(figuresOf)), socket, log: null };
  } finally {
    client.close();
  }
}

const startOf = (name: string, { pid, startedBy }: Hello): Pick<ListedApp, 'name' | 'pid' | 'state' | 'reason' | 'startedBy'> =>
  ({ name, pid, state: 'online', reason: '', startedBy });

function inTime(figures: Promise<Figures>): Promise<Figures> {
  return new Promise((resolve) => {
    const timer = timers.setTimeout(() => resolve(UNKNOWN), ANSWER_MS);
    figures.then(resolve, () => resolve(UNKNOWN)).finally(() => timers.clearTimeout(timer));
  });
}

/** What a `status` says. It comes from another process, perhaps of another version. */
function figuresOf(status: unknown): Figures {
  if (!isObject(status)) return UNKNOWN;
  const { desired, ready, restarts, moved, uptimeMs, exec, workers } = status;
  return {
    instances: numberOr(desired), ready: numberOr(ready), restarts: numberOr(restarts), moved: numberOr(moved), uptimeMs: numberOr(uptimeMs),
    exec: typeof exec === 'string' ? exec : null, workers: Array.isArray(workers) ? workers.flatMap(workerOf) : [],
  };
}

function workerOf(value: unknown): ListedWorker[] {
  const { place, pid, state } = isObject(value) ? value : {};
  const is = isObject(state) ? state['is'] : null;
  return typeof place === 'number' && typeof is === 'string' ? [{ place, pid: numberOr(pid), state: is }] : [];
}

const numberOr = (value: unknown): number | null => (typeof value === 'number' ? value : null);
