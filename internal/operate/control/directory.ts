/**
 * Where control sockets are, and who may open them: one directory for each user, which nobody else may enter.
 *
 *   $XDG_RUNTIME_DIR/cluster-internals    if XDG_RUNTIME_DIR is an absolute path of a directory of this user
 *   /run/user/UID/cluster-internals       if that is a directory of this user
 *   TMPDIR/cluster-internals-UID          otherwise
 *
 *   DIR/daemon.sock  DIR/apps/NAME.sock    and DIR/locks/ where the state directory cannot be written (lock.ts)
 *
 * A variable that the command su left behind names the directory of another user; it is not used, so that root's sockets and a
 * user's are apart.
 *
 * Used by  client.ts, lock.ts, socket_file.ts, socket_watch.ts, app_control.ts, app/, daemon/, cli/
 * Never    uses a directory that is a symlink, belongs to another user, or is open to others: in /tmp anybody can make
 *          one before us, and would then get our requests
 */
import { lstatSync, mkdirSync, readdirSync, type Stats } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { invalidArgValue } from '../../errors';
import { checkString } from '../../validate';
import { codeOf, controlError } from './errors';

/** The most bytes of the path of a unix socket: `sun_path` has 108, the last of which is 0. */
export const LONGEST_PATH = 107;

/** The names that an app may have. The name is part of a file name, and people type it. */
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

/** The user as whom this process makes files. */
const userId = (): number => process.geteuid?.() ?? -1;

/** Describes the file at a path, and follows no symlink; null if there is none. */
export function statOf(name: string): Stats | null {
  return lstatSync(name, { throwIfNoEntry: false }) ?? null;
}

/** Is it a directory of this user? */
function isOurs(directory: string | undefined): directory is string {
  if (directory === undefined || !path.isAbsolute(directory)) return false;
  try {
    const stats = statOf(directory);
    return stats !== null && stats.isDirectory() && stats.uid === userId();
  } catch {
    return false; // It may not be looked at, so it cannot be used either.
  }
}

/** Makes a directory if it is not there, and throws ERR_CONTROL_DIRECTORY unless it is private to this user. Returns its path. */
export function privateDirectory(directory: string): string {
  try {
    mkdirSync(directory, { mode: 0o700 });
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error;
  }
  const stats = statOf(directory);
  const refuse = (what: string, advice: string): Error =>
    controlError('ERR_CONTROL_DIRECTORY', `${directory} cannot hold control sockets: it ${what}. ${advice}`);
  if (stats === null || !stats.isDirectory()) throw refuse(stats?.isSymbolicLink() ? 'is a symlink' : 'is no directory', 'Remove it, or set XDG_RUNTIME_DIR to a directory of yours.');
  if (stats.uid !== userId()) throw refuse(`belongs to another user (${stats.uid})`, 'Set XDG_RUNTIME_DIR to a directory of yours.');
  if ((stats.mode & 0o077) !== 0) throw refuse(`is open to other users (mode ${(stats.mode & 0o777).toString(8)})`, `Run: chmod 700 ${directory}`);
  return directory;
}

/**
 * The directory of this user's control sockets. It is made if it is not there.
 *
 * @throws  ERR_CONTROL_DIRECTORY if it is a symlink, belongs to another user, or is open to others; an error of the
 *          system (EACCES, ENOSPC, …) if it cannot be made
 */
export function controlDirectory(): string {
  const uid = userId();
  const runtime = [process.env['XDG_RUNTIME_DIR'], `/run/user/${uid}`].find(isOurs);
  return privateDirectory(runtime === undefined ? path.join(tmpdir(), `cluster-internals-${uid}`) : path.join(runtime, 'cluster-internals'));
}

/** Can this be the name of an app? */
export const isAppName = (name: string): boolean => NAME.test(name);

/** Returns `name`; throws ERR_INVALID_ARG_TYPE or ERR_INVALID_ARG_VALUE if it cannot be the name of an app. `what`: how the caller knows the value. */
export function checkAppName(what: string, name: unknown): string {
  const text = checkString(what, name);
  if (isAppName(text)) return text;
  throw invalidArgValue(what, text.length > 80 ? `${text.slice(0, 80)}…` : text,
    "must be 1 to 64 letters, digits, '.', '_' and '-', and begin with a letter or a digit");
}

/**
 * The path of a control socket.
 *
 * @param nameOrPath  the name of an app, or a path, which contains a slash and is used as it is
 * @returns           an absolute path. For a name, its directory is made if it is not there
 * @throws            ERR_INVALID_ARG_TYPE or ERR_INVALID_ARG_VALUE for something else; what `controlDirectory` throws;
 *                    ERR_CONTROL_PATH if the path is longer than that of a socket can be
 */
export function controlPath(nameOrPath: string): string {
  const given = checkString('control', nameOrPath);
  if (given.includes('\0')) throw invalidArgValue('control', given, 'must be a name or a path');
  if (given.includes('/')) return checkLength(path.resolve(given));
  checkAppName('control', given);
  return checkLength(path.join(appsDirectory(), `${given}.sock`));
}

/** The directory of the sockets of apps. It is made if it is not there. Throws what `controlDirectory` throws. */
const appsDirectory = (): string => privateDirectory(path.join(controlDirectory(), 'apps'));

/** The names of all apps of this user that have a control socket, also of those whose process was killed. Throws what `controlDirectory` throws. */
export function appsWithSocket(): string[] {
  return readdirSync(appsDirectory()).filter((file) => file.endsWith('.sock')).map(nameOfPath).filter(isAppName);
}

/** The path of the daemon's control socket. Throws as `controlPath`. */
export function daemonPath(): string {
  return checkLength(path.join(controlDirectory(), 'daemon.sock'));
}

/** The name of the app whose socket has this path: the file name without `.sock`. */
export const nameOfPath = (socket: string): string => path.basename(socket, '.sock');

/** Throws ERR_CONTROL_PATH if the kernel would cut this path off, or refuse it. */
export function checkLength(socket: string): string {
  const bytes = Buffer.byteLength(socket);
  if (bytes > LONGEST_PATH) {
    throw controlError('ERR_CONTROL_PATH', `The path of a control socket may have ${LONGEST_PATH} bytes, and this one has ${bytes}: ${socket}. `
      + 'Use a shorter name, or set XDG_RUNTIME_DIR to a directory with a shorter path.');
  }
  return socket;
}
