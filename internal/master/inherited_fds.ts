/**
 * The fds of the primary that a worker may name in `listen({ fd })`: the sockets that the primary was
 * started with, and those that its program has named in `setupPrimary({ allowedFds })`. Without this check a
 * worker could get any fd of the primary: under SCHED_NONE the primary's connection with its database, say.
 * Under round robin a `listen` on such an fd fails, and would close the connection of another worker's client.
 *
 * Owns     nothing: this file opens and closes no fd, it only looks at them
 * Used by  listen_policy.ts, index.ts, inherited_sockets.ts
 * Never    allows an fd number that was closed and used again: an entry holds the socket's inode as well.
 *          Never allows a connection, also if its number is allowed.
 * Keeps    the sockets that are open when this file is loaded count as those that the primary was started
 *          with: the file is loaded with the primary's role, and no fd that Node itself has opened by then is
 *          a socket. A socket that the program has opened earlier is left out if Node lists it (`ownFds`);
 *          Node does not list a handle after `unref`
 * Node     opens any fd that a worker names (D47)
 */
import { fstatSync, readFileSync, readdirSync } from 'node:fs';
import { Array, Map, Number } from '../builtins';
import { ownFds } from '../native/handles';

/** The inodes of sockets, by fd. */
const allowed = new Map<number, number>();
/** By inode: can a worker listen on it? A connection never becomes a listening socket. */
const mayListen = new Map<number, boolean>();

const own = ownFds();
for (const fd of openFds()) {
  // 0 to 2 were open before the program ran, though a Node stream may own them by now (process.stdin).
  if (fd <= 2 || !own.has(fd)) allow(fd);
}

/** From now on workers may listen on this fd. False if it is not a socket. */
export function allow(fd: number): boolean {
  const socket = socketAt(fd);
  if (socket === null) return false;
  mayListen.delete(allowed.get(fd) ?? socket);
  allowed.set(fd, socket);
  return true;
}

/** May a worker listen on this fd? True if it is still the same socket, and not a connection. */
export function mayListenOn(fd: number): boolean {
  const socket = allowed.get(fd);
  if (socket === undefined || socketAt(fd) !== socket) return false;
  let answer = mayListen.get(socket);
  if (answer === undefined) mayListen.set(socket, answer = !isConnection(socket));
  return answer;
}

function openFds(): number[] {
  try {
    return readdirSync('/proc/self/fd').map(Number);
  } catch {
    return Array.from({ length: 256 }, (_, fd) => fd); // No /proc, or no right to read it: try the first 256.
  }
}

/** The inode of a socket; null if the fd is closed or not a socket. */
function socketAt(fd: number): number | null {
  try {
    const about = fstatSync(fd);
    return about.isSocket() ? about.ino : null;
  } catch {
    return null; // Closed.
  }
}

/**
 * Is this socket a connection? The kernel lists connections and listening sockets. It lists neither a TCP
 * socket that is only bound, on which stock workers can listen too, nor a socket of another network
 * namespace, which a service manager may pass: such a socket is taken for one to listen on.
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
