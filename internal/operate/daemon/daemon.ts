/**
 * The methods of the daemon, and the table of its apps. A command first writes the record of the app, then makes it so,
 * then waits until it is so. If the daemon is killed in between, the next one reads the record and goes on.
 *
 * Owns     the apps
 * Used by  main.ts
 * Uses     app.ts (one app), listing.ts (the list), app/app_record.ts (the records), api.ts (the types of the methods)
 * Never    dies of what a client sends: each parameter is checked. Never stops, restarts or forgets an app that it did
 *          not start
 * Keeps    1. nothing is started or stopped whose record could not be written: the command fails with the reason
 *          2. commands for different apps do not wait for each other. A command for an app changes at once what an earlier
 *             one waits for; the earlier one then fails, or is done
 */
import { randomUUID } from 'node:crypto';
import fs from 'node:fs';
import { epochClock } from '../../clock';
import { nodeError } from '../../errors';
import { currentFile, logDirectory, readJson, readRecord, recordFile, recordedNames, removeFile, removeHalves, writeJson, type AppRecord } from '../app/app_record';
import { checkSpec, type AppSpec } from '../app/app_spec';
import { ControlClient } from '../control/client';
import { checkAppName, controlPath } from '../control/directory';
import { codeOf } from '../control/errors';
import type { Call, Method } from '../control/server';
import { checkBoolean } from '../../validate';
import type { AppOutcome, DaemonMethods, ListedApp } from './api';
import { App } from './app';
import type { Log } from './daemon_log';
import { listed, listAll } from './listing';
import { LivePrimary } from './live_primary';
import { startPrimary } from './primary_process';
import { savedFile } from '../control/state_directory';

/** What the daemon needs from its process. */
export interface DaemonPorts {
  /** The state directory. */
  readonly state: string;
  readonly log: Log;
  /** Identifies this boot of the machine. */
  readonly boot: string;
  /** The method `kill` is done: ends this process when the reply is sent. */
  end(): void;
}

type Params = Readonly<Record<string, unknown>>;
type Waiter = (app: App, detail: object | null) => void;

/** The daemon of one user. */
export class Daemon {
  readonly #ports: DaemonPorts;
  readonly #apps = new Map<string, App>();
  readonly #waiters = new Set<Waiter>();
  #warnings: string[] = [];
  /** Resolves when the apps of former daemons are found. */
  readonly #ready: Promise<unknown>;

  constructor(ports: DaemonPorts) {
    this.#ports = ports;
    this.#ready = this.#takeOver();
  }

  /** The table for the control server. */
  get methods(): { readonly [Name in keyof DaemonMethods]: Method } {
    const when = (method: (params: Params, call: Call) => Promise<unknown>): Method => async (params, call) => {
      await this.#ready;
      return method(params, call);
    };
    return {
      list: when(() => listAll([...this.#apps.values()], this.#warnings)),
      start: when((params, call) => this.#start(params, call)),
      stop: when(({ name, now }) => this.#stop(this.#find(name), isTrue(now))),
      delete: when(({ name, now }) => this.#delete(this.#find(name), isTrue(now))),
      restart: when(({ name }, call) => this.#restart(this.#find(name), call)),
      save: when(() => this.#save()),
      resurrect: when((_params, call) => this.resurrect(call)),
      kill: when(({ apps }) => this.#kill(apps !== undefined && !checkBoolean('apps', apps))),
    };
  }

  /** Leaves all apps as they are: this process ends. */
  letGo(): void {
    for (const app of this.#apps.values()) app.letGo();
  }

  async #takeOver(): Promise<void> {
    const found: Promise<void>[] = [];
    removeHalves(this.#ports.state);
    for (const name of recordedNames(this.#ports.state)) {
      const record = readRecord(this.#ports.state, name);
      if (record.is === 'bad') this.#warn(`a record was skipped: ${record.reason}`);
      if (record.is === 'there') found.push(this.#add(record.content).takeOver(record.content.boot === this.#ports.boot));
    }
    await Promise.all(found);
  }

  #warn(text: string): void {
    this.#warnings.push(text);
    this.#ports.log(text);
  }

  #add(record: AppRecord): App {
    const { name } = record.spec;
    const { state, log } = this.#ports;
    const socket = controlPath(name);
    const app: App = new App(record, {
      state, log, clock: epochClock,
      start: (...how) => startPrimary(state, socket, ...how),
      find: (started, former) => LivePrimary.find(socket, started, former),
      changed: (detail) => { for (const waiter of [...this.#waiters]) waiter(app, detail); },
    });
    this.#apps.set(name, app);
    return app;
  }

  /** Throws ERR_NO_SUCH_APP, or an error for what is no name. */
  #find(given: unknown): App {
    const name = checkAppName('name', given);
    const app = this.#apps.get(name);
    if (app === undefined) throw nodeError(Error, 'ERR_NO_SUCH_APP', `The daemon has no app with the name ${name}`);
    return app;
  }

  // ── commands ───────────────────────────────────────────────────────────────────────────────────

  async #start({ spec, name }: Params, call: Call): Promise<ListedApp> {
    if (spec === undefined) {
      const app = this.#find(name);
      checkAtRest(app);
      return this.#run({ ...app.record, run: app.record.run + 1 }, call);
    }
    const checked = checkSpec(spec, logDirectory(this.#ports.state));
    return this.#startSpec(checked, call);
  }

  async #startSpec(spec: AppSpec, call: Call): Promise<ListedApp> {
    const existing = this.#apps.get(spec.name);
    if (existing !== undefined) checkAtRest(existing);
    checkFiles(spec);
    await checkNameIsFree(spec.name);
    const again = this.#apps.get(spec.name);
    if (again !== undefined) checkAtRest(again); // Another client was quicker.
    return this.#run({ id: randomUUID(), run: 1, wanted: 'running', reason: '', boot: this.#ports.boot, spec }, call);
  }

  /** Writes the record, starts the app, and waits until it runs. */
  async #run(given: AppRecord, call: Call): Promise<ListedApp> {
    const record: AppRecord = { ...given, wanted: 'running', reason: '', boot: this.#ports.boot };
    this.#write(record);
    const app = this.#apps.get(record.spec.name) ?? this.#add(record);
    app.start(record);
    const outcome = await this.#until(app, () => (app.record.run !== record.run ? 'replaced' : app.state === 'online' ? 'online' : app.isAtRest ? 'ended' : null), call);
    if (outcome === 'online') return listed(app);
    const why = outcome === 'replaced' || app.state === 'stopped' ? 'it was stopped before it had started' : app.reason;
    throw nodeError(Error, 'ERR_START_FAILED', `${app.name} did not start: ${why}`);
  }

  async #stop(app: App, now: boolean): Promise<ListedApp> {
    if (app.state !== 'stopped') {
      const record: AppRecord = { ...app.record, wanted: 'stopped', reason: '' };
      this.#write(record);
      app.stop(record, now);
      await this.#until(app, () => (app.isAtRest || app.record.wanted === 'running' ? true : null));
    }
    return listed(app);
  }

  async #delete(app: App, now: boolean): Promise<{ name: string }> {
    await this.#stop(app, now);
    if (!app.isAtRest || this.#apps.get(app.name) !== app) throw nodeError(Error, 'ERR_ALREADY_RUNNING', `${app.name} was started again before it was deleted`);
    removeFile(recordFile(this.#ports.state, app.name));
    this.#apps.delete(app.name);
    fs.rmSync(currentFile(this.#ports.state, app.name), { force: true });
    return { name: app.name };
  }

  async #restart(app: App, call: Call): Promise<ListedApp> {
    return this.#run({ ...app.record, run: app.record.run + 1 }, call);
  }

  async #save(): Promise<{ file: string; names: string[] }> {
    const specs = [...this.#apps.values()].filter(({ record }) => record.wanted === 'running').map(({ spec }) => spec);
    const file = savedFile(this.#ports.state);
    writeJson(file, { specs });
    return { file, names: specs.map(({ name }) => name) };
  }

  /** Starts what was saved and does not run. */
  async resurrect(call: Call): Promise<{ apps: AppOutcome[] }> {
    await this.#ready;
    const saved = readJson(savedFile(this.#ports.state), ({ specs }) => (Array.isArray(specs) ? specs as unknown[] : []));
    if (saved.is === 'missing') throw nodeError(Error, 'ERR_NOTHING_SAVED', 'Nothing was saved. Run: cluster-internals save');
    if (saved.is === 'bad') throw nodeError(Error, 'ERR_NOTHING_SAVED', `What was saved cannot be read: ${saved.reason}`);
    const apps = await Promise.all(saved.content.map(async (given): Promise<AppOutcome | null> => {
      let name = '(no name)';
      try {
        const spec = checkSpec(given, logDirectory(this.#ports.state));
        name = spec.name;
        if (this.#apps.get(name)?.isAtRest === false) return null;
        await this.#startSpec(spec, call);
        return { name, error: null };
      } catch (error) {
        return outcome(name, error);
      }
    }));
    return { apps: apps.filter((app) => app !== null) };
  }

  async #kill(onlyDaemon: boolean): Promise<{ apps: AppOutcome[] }> {
    const apps = onlyDaemon ? [] : await Promise.all([...this.#apps.values()].filter(({ isAtRest }) => !isAtRest).map(async (app): Promise<AppOutcome> => {
      try {
        await this.#stop(app, false);
        return { name: app.name, error: null };
      } catch (error) {
        return outcome(app.name, error);
      }
    }));
    this.#ports.end();
    return { apps };
  }

  // ── records, waiting ───────────────────────────────────────────────────────────────────────────

  #write(record: AppRecord): void {
    try {
      writeJson(recordFile(this.#ports.state, record.spec.name), record);
    } catch (error) {
      throw nodeError(Error, codeOf(error) ?? 'ERR_FAILED', `Nothing was done, because the record of ${record.spec.name} cannot be written: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  /** Resolves as soon as `look` returns something else than null. It is called now, and after each change of the app. */
  #until<Value>(app: App, look: () => Value | null, call?: Call): Promise<Value> {
    return new Promise((resolve) => {
      const waiter: Waiter = (changed, detail) => {
        if (changed !== app) return;
        call?.progress(detail === null ? { name: app.name, state: app.state } : { name: app.name, ...detail });
        settle();
      };
      const settle = (): void => {
        const value = look();
        if (value === null) return;
        this.#waiters.delete(waiter);
        resolve(value);
      };
      this.#waiters.add(waiter);
      settle();
    });
  }
}

function isTrue(value: unknown): boolean {
  return value !== undefined && checkBoolean('now', value);
}

function checkAtRest(app: App): void {
  if (!app.isAtRest) throw nodeError(Error, 'ERR_ALREADY_RUNNING', `${app.name} is already running (${app.state}${app.primary === null ? '' : `, pid ${app.primary.pid}`})`);
}

/** Throws unless the script is a file and the working directory a directory. */
function checkFiles({ exec, cwd }: AppSpec): void {
  const script = ['', '.js', '.cjs', '.mjs'].map((ending) => fs.statSync(exec + ending, { throwIfNoEntry: false })).find((stats) => stats !== undefined);
  if (script === undefined) throw nodeError(Error, 'ENOENT', `There is no script ${exec}`);
  if (script.isDirectory()) throw nodeError(Error, 'EISDIR', `${exec} is a directory, and not a script`);
  const directory = fs.statSync(cwd, { throwIfNoEntry: false });
  if (directory === undefined) throw nodeError(Error, 'ENOENT', `There is no directory ${cwd}`);
  if (!directory.isDirectory()) throw nodeError(Error, 'ENOTDIR', `${cwd} is no directory`);
}

/** Throws ERR_ALREADY_RUNNING if a process that the daemon does not know has this name. */
async function checkNameIsFree(name: string): Promise<void> {
  let client: ControlClient;
  try {
    client = await ControlClient.connect(controlPath(name), { timeoutMs: 1_000 });
  } catch (error) {
    if (['ENOENT', 'ECONNREFUSED', 'ECONNRESET', 'ERR_CONTROL_CLOSED'].includes(codeOf(error) ?? '')) return; // Nobody is there, or not any more.
    throw error;
  }
  const { pid, startedBy } = client.hello;
  client.close();
  throw nodeError(Error, 'ERR_ALREADY_RUNNING', `${name} is already running: pid ${pid}, started by ${startedBy}`);
}

const outcome = (name: string, error: unknown): AppOutcome =>
  ({ name, error: { code: codeOf(error) ?? 'ERR_FAILED', message: error instanceof Error ? error.message : String(error) } });
