/**
 * Finds whom a command has to ask: the control socket of one app, or the daemon.
 *
 * Used by  every command that asks a running process
 * Uses     control/client.ts, control/directory.ts, daemon/spawn_daemon.ts
 * Owns     the connection, while `use` runs; it is closed afterwards, so that it keeps no command from ending
 */
import type { Fields } from '../../is_object';
import { recordedNames } from '../app/app_record';
import { ControlClient } from '../control/client';
import { appsWithSocket, controlPath, daemonPath, isAppName } from '../control/directory';
import { codeOf } from '../control/errors';
import { stateDirectory } from '../control/state_directory';
import { spawnDaemon } from '../daemon/spawn_daemon';
import { CommandError } from './errors';
import { wrong } from './arguments';
import { nearest } from './nearest';
import { fieldsOf, listOf, textOf } from './read';

/** How long an app or a daemon may take to say who it is, in milliseconds. One that is busy needs more than a moment. */
const PATIENCE = 10_000;
/** After so many milliseconds without a word it is asked whether it still answers: a long command must not wait for ever for a process that stands still. */
const QUIET_MS = 10_000;

/** Codes with which `connect` fails if nobody listens at a path. */
const NOBODY: ReadonlySet<string> = new Set(['ENOENT', 'ECONNREFUSED']);

/** Calls `use` with a connection to the primary of an app. @throws CommandError with exit code 3 if there is no such app */
export async function withApp<Value>(name: string, use: (client: ControlClient) => Promise<Value>): Promise<Value> {
  if (!name.includes('/') && !isAppName(name)) throw wrong(`'${name}' cannot be the name of an app`);
  const client = await connect(controlPath(name));
  if (client === null) throw await noSuchApp(name);
  return using(client, use);
}

/** Calls `use` with a connection to the daemon, which is started if it does not run. */
export async function withDaemon<Value>(use: (client: ControlClient) => Promise<Value>): Promise<Value> {
  let client = await connect(daemonPath());
  if (client === null) {
    await spawnDaemon();
    client = await connect(daemonPath());
  }
  if (client === null) throw new CommandError(1, 'ERR_NO_DAEMON', 'the daemon was started and has ended at once; its log is daemon.log in the state directory');
  return using(client, use);
}

/** As `withDaemon`, but a daemon is started only if there are apps that it would know; null if there is none. */
export async function withDaemonIfAny<Value>(use: (client: ControlClient) => Promise<Value>): Promise<Value | null> {
  const client = await connect(daemonPath());
  if (client !== null) return using(client, use);
  return hasApps() ? withDaemon(use) : null;
}

/** Is there an app that a daemon would know: one with a record, or one that answers at a control socket? */
const hasApps = (): boolean => recordedNames(stateDirectory()).length > 0 || appsWithSocket().length > 0;

async function using<Value>(client: ControlClient, use: (client: ControlClient) => Promise<Value>): Promise<Value> {
  try {
    return await use(client);
  } finally {
    client.close();
  }
}

/** null if nobody listens there. */
async function connect(socket: string): Promise<ControlClient | null> {
  try {
    return await ControlClient.connect(socket, { timeoutMs: PATIENCE, quietMs: QUIET_MS });
  } catch (error) {
    if (NOBODY.has(codeOf(error) ?? '')) return null;
    throw error;
  }
}

/** The apps that the daemon lists; none if there is no app that it would know. */
export async function listedApps(): Promise<readonly Fields[]> {
  return listOf(fieldsOf(await withDaemonIfAny((daemon) => daemon.call('list')))['apps']);
}

/** Says whether the app is known and does not run, or what its name may have been meant to be. */
async function noSuchApp(name: string): Promise<CommandError> {
  const apps = await listedApps().catch((): Fields[] => []);
  const known = apps.find((app) => app['name'] === name);
  if (known !== undefined) {
    const reason = textOf(known['reason']);
    return new CommandError(1, 'ERR_APP_NOT_RUNNING', `${name} does not run: it is ${textOf(known['state'])}${reason === '' ? '' : ` (${reason})`}. cluster-internals start ${name} starts it`);
  }
  const meant = nearest(name, apps.map((app) => textOf(app['name'])));
  return new CommandError(3, 'ERR_NO_SUCH_APP', `there is no app '${name}'${meant === null ? '' : `; did you mean '${meant}'?`} (cluster-internals list shows all)`);
}

/**
 * Waits for a command that goes on without this process. Ctrl-C ends the waiting, and says so.
 *
 * @param what  what goes on: "the reload of api"
 * @throws      CommandError with exit code 130 after Ctrl-C
 */
export async function untilInterrupted<Value>(what: string, name: string, waiting: Promise<Value>): Promise<Value> {
  let interrupt: () => void = () => undefined;
  const interrupted = new Promise<never>((_resolve, reject) => {
    interrupt = () => reject(new CommandError(130, 'ERR_INTERRUPTED', `interrupted; ${what} goes on (cluster-internals status ${name} shows it)`));
  });
  process.once('SIGINT', interrupt);
  try {
    return await Promise.race([waiting, interrupted]);
  } finally {
    process.removeListener('SIGINT', interrupt);
  }
}
