/**
 * Where a user keeps what must survive the daemon and the directory of sockets: records of apps, what was saved, logs, locks.
 *
 *   STATE = $XDG_STATE_HOME/cluster-internals, or ~/.local/state/cluster-internals     mode 0700
 *     apps/NAME.json  current/NAME.json   see operate/app/app_record.ts
 *     saved.json                          what `resurrect` starts
 *     logs/NAME.log                       what the workers of an app print, unless its spec names another file
 *     primaries/NAME.log                  what its primary prints: warnings, and the reason if it crashes
 *     daemon.log                          what the daemon does
 *     locks/                              who runs: see lock.ts. Nobody wipes this directory at a logout, unlike that of the sockets
 *
 * Used by  lock.ts, daemon/, cli/
 * Never    uses a directory of another user: root with a user's HOME would leave files there that the user cannot read
 */
import fs from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';
import { nodeError } from '../../errors';
import { makeDirectory } from '../make_directory';

/** Returns the state directory, and makes it if it is missing. Throws ERR_STATE_DIRECTORY, or what the system says. */
export function stateDirectory(env: NodeJS.ProcessEnv = process.env): string {
  const given = env['XDG_STATE_HOME'];
  const base = given !== undefined && path.isAbsolute(given) ? given : path.join(homedir(), '.local/state');
  const directory = path.join(base, 'cluster-internals');
  makeDirectory(directory);
  const stats = fs.statSync(directory);
  const own = process.geteuid?.();
  const wrong = !stats.isDirectory() ? 'it is no directory' : stats.uid !== own ? `it belongs to user ${stats.uid}, and this process runs as user ${own}` : null;
  if (wrong !== null) throw nodeError(Error, 'ERR_STATE_DIRECTORY', `${directory} cannot be used: ${wrong}. Set HOME or XDG_STATE_HOME to a directory of your own`);
  if ((stats.mode & 0o077) !== 0) fs.chmodSync(directory, 0o700); // Records contain environments.
  return directory;
}

/** The daemon's own log. */
export const daemonLogFile = (state: string): string => path.join(state, 'daemon.log');
/** What `save` wrote, and `resurrect` reads. */
export const savedFile = (state: string): string => path.join(state, 'saved.json');
/** What the primary of an app prints itself. */
export const primaryLogFile = (state: string, name: string): string => path.join(state, 'primaries', `${name}.log`);
