/**
 * The control methods of an app that the daemon has started: those of every supervised app, and what only such an app
 * has. Commands that change the app are written down, so that its next primary is as this one was.
 *
 *   run       → { id, run }      of the record under which this primary was started
 *   started   → {}               when all workers have been ready for the first time; ERR_START_FAILED with the reason
 *   lifetime  → {}               when the caller cancels, or this process ends: the daemon waits for that;
 *               { replaced }     when another primary serves in place of this one
 *   upgrade   → UpgradeReport    as every app, but the program and its arguments stay those of the daemon
 *
 * Used by  app_primary.ts
 * Uses     control/methods.ts (the methods of every app), app_logs.ts, current_app.ts
 */
import { invalidArgValue, nodeError } from '../../errors';
import type { Report } from '../../supervisor/states';
import type { Supervisor } from '../../supervisor/supervisor';
import { aborted, appMethods } from '../control/methods';
import type { Call, Method } from '../control/server';
import type { MetricsReader } from '../metrics/reader';
import type { AppLogs } from './app_logs';
import type { CurrentFile, ReleaseChange } from './current_app';

/** The methods of an app that the daemon has started. */
export const METHOD_NAMES = ['status', 'reload', 'rollback', 'scale', 'stop', 'recycle', 'upgrade', 'logs', 'reopenLogs', 'metrics', 'subscribe', 'run', 'started', 'lifetime'] as const;

/** The members of a release of which a reload replaces at least one, if it changes something. */
const RELEASE = ['exec', 'cwd', 'args', 'execArgv', 'env'] as const;

/** The objects that the methods work on. */
export interface CommandPorts {
  readonly name: string;
  readonly supervisor: Supervisor;
  readonly reader: MetricsReader;
  readonly logs: AppLogs;
  readonly current: CurrentFile;
  /** Resolves to null when the app has started, or to the reason why it has not. */
  readonly started: Promise<string | null>;
  /** Resolves when another primary serves in place of this one. */
  replaced(): Promise<void>;
}

/** The table of methods. */
export function appCommands({ name, supervisor, reader, logs, current, started, replaced }: CommandPorts): Readonly<Record<string, Method>> {
  const methods = appMethods(supervisor, { name, startedBy: 'daemon', logs, metrics: () => reader.text(), spec: () => ({ ...current.spec, env: undefined }) });
  const call = async (name: string, params: Parameters<Method>[0], by: Call): Promise<unknown> => {
    const method = methods[name];
    if (method === undefined) throw nodeError(Error, 'ERR_UNKNOWN_METHOD', `This app has no method ${name}`);
    return method(params, by);
  };
  return {
    ...methods,
    async reload(params, by) {
      const before = supervisor.release;
      const report = await call('reload', { ...current.withNames({}), ...params }, by) as Report;
      const after = supervisor.release;
      // A stop came before the new release had proved itself: the next primary starts the one before.
      const isForgotten = report.outcome === 'superseded' && supervisor.status().desired === 0 && RELEASE.every((name) => after[name] === before[name]);
      if (isForgotten) return report;
      const change = changeOf(params);
      current.noteReload(change, Object.keys(change).length > 0 || after.exec !== before.exec || after.cwd !== before.cwd);
      return report;
    },
    async rollback(params, by) {
      const result = await call('rollback', params, by);
      current.noteRollback(supervisor.release);
      return result;
    },
    async scale(params, by) {
      const scaling = call('scale', params, by);
      queueMicrotask(() => current.noteScale(supervisor.status().desired));
      return scaling;
    },
    async stop(params, by) {
      const stopping = call('stop', params, by);
      queueMicrotask(() => { if (supervisor.status().desired === 0) current.end('stopped', ''); });
      return stopping;
    },
    async upgrade(params, by) {
      for (const name of ['script', 'args'] as const) {
        if (params[name] !== undefined) throw invalidArgValue(`params.${name}`, params[name], 'cannot be changed: the primary of this app is a program of the daemon. reload takes another script of the app');
      }
      return call('upgrade', params, by);
    },
    async run() {
      return { id: current.id, run: current.run };
    },
    async started(_params, { progress }) {
      supervisor.on('transition', report);
      try {
        const reason = await started;
        if (reason !== null) throw nodeError(Error, 'ERR_START_FAILED', reason);
        return {};
      } finally {
        supervisor.off('transition', report);
      }
      function report({ worker, place, pid, state }: { worker: number | null; place: number; pid: number | null; state: { is: string } }): void {
        if (worker !== null) progress({ worker: state.is, place, pid });
      }
    },
    async lifetime(_params, { signal }) {
      return await Promise.race([aborted(signal).then(() => ({})), replaced().then(() => ({ replaced: true }))]);
    },
  };
}

/** The changes that a reload with these parameters has made. The method has checked them. */
function changeOf({ exec, cwd, args, execArgv, env }: Readonly<Record<string, unknown>>): ReleaseChange {
  return {
    ...(typeof exec === 'string' ? { exec } : {}), ...(typeof cwd === 'string' ? { cwd } : {}),
    ...(Array.isArray(args) ? { args } : {}), ...(Array.isArray(execArgv) ? { execArgv } : {}),
    ...(typeof env === 'object' && env !== null ? { env: Object.fromEntries(Object.entries(env).filter((one): one is [string, string | null] => typeof one[1] === 'string' || one[1] === null)) } : {}),
  };
}
