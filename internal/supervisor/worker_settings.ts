/**
 * The settings of a worker that is to be started: the release of its generation, and the setup of its agent.
 *
 * Used by  supervisor.ts, worker_starts.ts
 * Uses     recipe.ts, release.ts (find the release)
 */
import type { Cluster } from 'node:cluster';
import { fileURLToPath } from 'node:url';
import { builtFile } from '../dist_files';
import { ownOptions } from '../own_options';
import type { CheckedOptions } from './options';
import { recipe, variablesOf, type Recipe } from './recipe';
import { releases } from './release';
import type { StartSettings } from './start_worker';
import type { Generation } from './states';
import { SETUP, type Setup } from './wire';

/** The agent, which each worker loads before the app. */
const agent = builtFile('internal/supervisor/worker/agent.js');

/** The environment variable that tells a worker its place, counted from 0 as PM2 does. The program's own variables may set another value. */
const INSTANCE = 'NODE_APP_INSTANCE';

/** What systemd tells a service. It is meant for the primary alone: what a worker told systemd would be taken for a message of the service. */
const OF_SYSTEMD = { NOTIFY_SOCKET: undefined, WATCHDOG_USEC: undefined, WATCHDOG_PID: undefined, LISTEN_PID: undefined, LISTEN_FDS: undefined, LISTEN_FDNAMES: undefined };

/** Finds the release that the options of `supervise` name. */
export function firstRecipe(cluster: Cluster, options: CheckedOptions): Recipe {
  const cwd = (): string | undefined => options.cwd ?? directoryOf(ownOptions(cluster.settings, ['cwd']).cwd);
  return recipe(releases(options.exec, cwd, { directory: process.cwd(), pwd: process.env['PWD'], program: process.argv[1] }), options);
}

/** The working directory that the program's own cluster settings name: a path or a file URL; undefined if they name none. */
function directoryOf(cwd: unknown): string | undefined {
  if (cwd instanceof URL) return fileURLToPath(cwd);
  return typeof cwd === 'string' ? cwd : undefined;
}

/** The settings of a worker in this slot. Throws what the program's function `env` throws, and ERR_INVALID_RETURN_VALUE. */
export function settingsOf({ exec, cwd, args, execArgv, env }: Generation, slot: number, onTrial: boolean, options: CheckedOptions): StartSettings {
  return {
    exec, cwd, args, execArgv: [...execArgv, '--require', agent], stderr: options.stderr, rebalance: options.rebalance, inheritedSockets: options.systemd,
    env: { ...(options.systemd ? OF_SYSTEMD : {}), [INSTANCE]: String(slot - 1), ...variablesOf(env, slot), [SETUP]: JSON.stringify(setupOf(onTrial, options)) },
  };
}

/** The settings that the agent of a worker needs from the start. */
function setupOf(trial: boolean, { idleGraceMs, leaveTimeoutMs, ready, readyTimeoutMs, move }: CheckedOptions): Setup {
  const check = typeof ready === 'object' ? ready.http : null;
  return { trial, graceMs: idleGraceMs, leaveMs: leaveTimeoutMs, patienceMs: readyTimeoutMs + leaveTimeoutMs, move, check };
}
