/**
 * Can a child that runs as another user load our preload? Node must read the preload's file. From Node 24 on it also
 * looks for a package.json, from the child's working directory upwards, before it loads any preload, and fails if it may
 * not look into one of these directories. Node's own channel needs neither, so a child that cannot load our preload gets
 * Node's channel (D44).
 *
 * Used by  spawn.ts
 * Costs    nothing without `uid` and `gid`; else one `stat` for each directory
 * Never    answers yes if it cannot look at a directory. It does not know access control lists and security modules: a
 *          child to which only these deny access is not noticed, and one that has access only by them gets Node's channel
 */
import { statSync, type Stats } from 'node:fs';
import path from 'node:path';

/** The user and group that the child asks for. When Node changes either, it gives up all additional groups. */
interface User {
  readonly uid?: unknown;
  readonly gid?: unknown;
}

/** The user and group that the kernel will check. */
interface Identity {
  readonly uid: number;
  readonly gid: number;
}

/** The id that was asked for, or this process's own. Node has checked that it is a number or missing. */
const idOf = (asked: unknown, own: (() => number) | undefined): number => (typeof asked === 'number' ? asked : own?.() ?? 0);

/** Bits of a file's mode. For a directory the bit 1 is the right to look a file up in it. */
const READ = 4;
const SEARCH = 1;

/** Can a child of this user, in this working directory, load the file? True if no other user was asked for. */
export function mayPreload(file: string, { uid, gid }: User, cwd: unknown): boolean {
  if (typeof uid !== 'number' && typeof gid !== 'number') return true;
  const user = { uid: idOf(uid, process.geteuid), gid: idOf(gid, process.getegid) };
  if (user.uid === 0) return true;
  try {
    const directory = path.resolve(typeof cwd === 'string' ? cwd : '.');
    return has(statSync(file), user, READ) && maySearch(path.dirname(file), user) && maySearch(directory, user);
  } catch {
    return false; // Not even this process may look there.
  }
}

/** May the user look up files in this directory and in all directories above it? */
function maySearch(directory: string, user: Identity): boolean {
  for (let at = directory; ; at = path.dirname(at)) {
    if (!has(statSync(at), user, SEARCH)) return false;
    if (at === path.dirname(at)) return true;
  }
}

/** As in the kernel, the first class that fits the user decides: owner, group, or others. */
function has({ mode, uid, gid }: Stats, user: Identity, right: number): boolean {
  const shift = user.uid === uid ? 6 : user.gid === gid ? 3 : 0;
  return ((mode >> shift) & right) !== 0;
}
