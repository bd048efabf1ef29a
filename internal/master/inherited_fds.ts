/**
 * The fds of the primary that a worker may name in `listen({ fd })`: the sockets with which the primary
 * was started, and those that its program has named in `setupPrimary({ allowedFds })`. Without this a
 * worker could have any fd of the primary opened: under SCHED_NONE it would be sent the primary's
 * connection with its database, under round robin a failed `listen` would close other workers' clients.
 *
 * Owns     nothing: no fd is opened or closed here, only looked at
 * Used by  listen_policy.ts
 * Never    allows an fd whose number was closed and used again: each entry names the socket (its inode),
 *          and not the number alone. Never allows a connection, also where the number is allowed.
 * Keeps    1. what was open when this file was loaded is what the primary was started with: it is loaded
 *             with the primary's role. What Node itself has opened by then is no socket; sockets that the
 *             program has opened before it loaded us are left out where Node knows them (`ownFds`: a
 *             handle that was unref'ed it does not know)
 * Node     opens any fd that a worker names (D47)
 */
import { fstatSync, readFileSync, readdirSync } from 'node:fs';
import { Array, Map, Number } from '../builtins';
import { ownFds } from '../native/handles';

/** The inodes of sockets, by fd. */
const allowed = new Map<number, number>();
/** By inode: can it be listened on? A connection never becomes a listening socket. */
const judged = new Map<number, boolean>();

const own = ownFds();
for (const fd of openFds()) {
  // 0 to 2 have an owner as soon as the program has touched process.stdin; they were there before.
  if (fd <= 2 || !own.has(fd)) allow(fd);
}

/** The program lets its workers listen on this fd from now on. False if it is no socket. */
export function allow(fd: number): boolean {
  const socket = socketAt(fd);
  if (socket === null) return false;
  judged.delete(allowed.get(fd) ?? socket);
  allowed.set(fd, socket);
  return true;
}

/** May a worker listen on this fd? It is still the socket that was allowed, and no connection. */
export function mayListenOn(fd: number): boolean {
  const socket = allowed.get(fd);
  if (socket === undefined || socketAt(fd) !== socket) return false;
  let answer = judged.get(socket);
  if (answer === undefined) judged.set(socket, answer = !isConnection(socket));
  return answer;
}

function openFds(): number[] {
  try {
    return readdirSync('/proc/self/fd').map(Number);
  } catch {
    return Array.from({ length: 256 }, (_, fd) => fd); // No /proc, or no right to read it: the first ones are tried.
  }
}

/** The inode of a socket; null for what is none. */
function socketAt(fd: number): number | null {
  try {
    const about = fstatSync(fd);
    return about.isSocket() ? about.ino : null;
  } catch {
    return null; // Closed.
  }
}

/**
 * Is it a connection? The kernel lists connections and listening sockets; a TCP socket that is bound
 * only, on which stock workers can listen too, is in no list. Neither is a socket of another network
 * namespace, as a service manager can pass one: those the primary has to be trusted with.
 */
function isConnection(inode: number): boolean {
  for (const table of ['tcp', 'tcp6']) {
    const state = new RegExp(`^ *\\d+: \\S+ \\S+ ([0-9A-F]{2}) \\S+ \\S+ \\S+ +\\d+ +\\d+ ${inode} `, 'm').exec(tableOf(table))?.[1];
    if (state !== undefined) return state !== TCP_LISTEN;
  }
  const unix = new RegExp(`^\\S+: \\S+ \\S+ (\\S+) (\\S+) (\\S+) +${inode}(?: (.*))?$`, 'm').exec(tableOf('unix'));
  if (unix === null) return false;
  const [, flags, type, state, path] = unix;
  const listens = (Number.parseInt(flags as string, 16) & SO_ACCEPTCON) !== 0;
  return type !== UNIX_STREAM || !(listens || (state === UNIX_UNCONNECTED && path !== undefined));
}

const TCP_LISTEN = '0A';
const SO_ACCEPTCON = 0x10000;
const UNIX_STREAM = '0001';
const UNIX_UNCONNECTED = '01';

function tableOf(protocol: string): string {
  try {
    return readFileSync(`/proc/self/net/${protocol}`, 'utf8');
  } catch {
    return ''; // A kernel without this protocol, or no right to read.
  }
}
