/**
 * The directories above a control socket: somebody may delete them while the socket's process runs.
 *
 * Used by  socket_file.ts
 * Never    goes on in a directory that somebody else has put in the place of a deleted one: in /tmp anybody could. Never
 *          makes a directory of /run/user: the system mounts a file system there at the next login, and would hide ours
 */
import { mkdirSync, statSync, type Stats } from 'node:fs';
import path from 'node:path';
import { codeOf, controlError } from './errors';

/** Where the system makes a directory for each user who is logged in. */
const OF_LOGINS = '/run/user';
/** The bits of a mode by which others may put a directory in the place of another one. */
const WRITABLE = 0o022;

/** A directory as it was when the socket was bound. */
export interface Above {
  readonly directory: string;
  readonly uid: number;
  readonly mode: number;
}

/** The directories above a path, from the root on. Throws what the system says if one cannot be looked at. */
export function directoriesAbove(file: string): readonly Above[] {
  const directory = path.dirname(file);
  const { uid, mode } = statSync(directory);
  return [...(directory === path.dirname(directory) ? [] : directoriesAbove(directory)), { directory, uid, mode }];
}

/** Makes those that are missing, with mode 0700. Throws ERR_CONTROL_DIRECTORY if one is not as it was, or what the system says. */
export function makeAnew(above: readonly Above[]): void {
  for (const { directory, uid, mode } of above) {
    const stats = statSync(directory, { throwIfNoEntry: false }) ?? made(directory);
    if (!stats.isDirectory()) throw refused(directory, 'is no directory any more');
    if (stats.uid !== uid) throw refused(directory, `belongs to another user (${stats.uid}) than before`);
    if ((stats.mode & WRITABLE & ~mode) !== 0) throw refused(directory, `can be written by other users than before (mode ${(stats.mode & 0o777).toString(8)})`);
  }
}

function made(directory: string): Stats {
  if (path.dirname(directory) === OF_LOGINS) throw refused(directory, 'is missing until the user logs in');
  try {
    mkdirSync(directory, { mode: 0o700 });
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error; // Another process of ours was quicker.
  }
  return statSync(directory);
}

const refused = (directory: string, what: string): Error => controlError('ERR_CONTROL_DIRECTORY', `${directory} ${what}`);
