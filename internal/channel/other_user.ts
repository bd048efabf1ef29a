/**
 * May a child that runs as another user load our preload? Node reads the preload's file, and from Node 24 on it looks
 * for a package.json from the child's working directory upwards before it loads any preload, and fails where it may not
 * look. A child with Node's own channel needs neither, so where the answer is no it gets that one (D44).
 *
 * Used by  spawn.ts
 * Costs    nothing where no `uid` and no `gid` is asked for; else a `stat` for each directory
 * Never    says yes where a directory cannot be looked at. A child without access by an ACL or a security module is
 *          not seen here, and one that has access only by such gets Node's channel
 */
import { statSync, type Stats } from 'node:fs';
import path from 'node:path';

/** Who the child will be. Node gives up all other groups when it changes the user or the group. */
interface User {
  readonly uid?: unknown;
  readonly gid?: unknown;
}

/** What is asked of the kernel. */
interface Identity {
  readonly uid: number;
  readonly gid: number;
}

/** Node has checked that it is a number, or nothing. */
const idOf = (asked: unknown, own: (() => number) | undefined): number => (typeof asked === 'number' ? asked : own?.() ?? 0);

const READ = 4;
const SEARCH = 1;

/** Can a child of this user, in this working directory, load the file? True where it stays the user that this process is. */
export function mayPreload(file: string, { uid, gid }: User, cwd: unknown): boolean {
  if (typeof uid !== 'number' && typeof gid !== 'number') return true;
  const user = { uid: idOf(uid, process.geteuid), gid: idOf(gid, process.getegid) };
  if (user.uid === 0) return true;
  try {
    const directory = path.resolve(typeof cwd === 'string' ? cwd : '.');
    return has(statSync(file), user, READ) && maySearch(path.dirname(file), user) && maySearch(directory, user);
  } catch {
    return false; // Not even this process may look.
  }
}

/** This directory and all above it. */
function maySearch(directory: string, user: Identity): boolean {
  for (let at = directory; ; at = path.dirname(at)) {
    if (!has(statSync(at), user, SEARCH)) return false;
    if (at === path.dirname(at)) return true;
  }
}

/** The kernel asks the owner's bits, or the group's, or those of all others: the first that concern the user. */
function has({ mode, uid, gid }: Stats, user: Identity, right: number): boolean {
  const shift = user.uid === uid ? 6 : user.gid === gid ? 3 : 0;
  return ((mode >> shift) & right) !== 0;
}
