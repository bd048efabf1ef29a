/**
 * Decides where a worker may listen. The primary binds with its own rights, also if its workers run under
 * another uid, so it checks each `queryServer` before it opens anything:
 *
 *   well-formed? ─► may its `data` be given to other workers? ─► is the fd allowed? ─► allowListen(query, worker)
 *    EINVAL           EINVAL                                      EINVAL                EACCES
 *
 * Used by  listen_table.ts, which then checks how many addresses the worker has (EMFILE)
 * Never    lets the program's `allowListen` end the primary or allow by accident: if it throws, or returns
 *          anything but `true`, the worker may not listen
 * Node     opens whatever a worker asks for, and gives the first worker's `data` to all others (D47 to D50)
 */
import { isIP } from 'node:net';
import path from 'node:path';
import { inspect, types } from 'node:util';
import { Buffer, Number, NativeObject } from '../builtins';
import { namesFd, type Query } from '../messages';
import { UV_EACCES, UV_EINVAL, isNetDenied } from '../native/bindings';
import type { Worker } from '../worker';
import { mayListenOn } from './inherited_fds';
import { shortPath } from './listen_options';
import { isPort } from '../validate';

/** The argument of `allowListen`: where a worker wants to listen. Frozen, and without TLS keys. */
export interface ListenQuery {
  /** An IP address, the absolute path of a unix socket (abstract ones begin with \0), or null, for every address of this machine and for an fd. */
  readonly address: string | null;
  /** null for a path or an fd. */
  readonly port: number | null;
  /** 4 and 6: TCP; -1: a path; null: an fd. */
  readonly addressType: 4 | 6 | -1 | 'udp4' | 'udp6' | null;
  /** An fd of the primary, one that is allowed; null for an address. */
  readonly fd: number | null;
  readonly readableAll: boolean;
  readonly writableAll: boolean;
}

/** `setupPrimary({ allowListen })`: true, and only true, lets the worker listen there. */
export type AllowListen = (query: ListenQuery, worker: Worker) => boolean;

/**
 * 0 if this worker may listen there, or the negative errno that it gets. Calls the program's `allowListen`. `isInheritedFd`: the fd
 * is one of the primary before this one, which was asked then.
 */
export function refusalOf(query: Query, worker: Worker, allowListen: AllowListen | undefined, isInheritedFd = false): number {
  if (!isWellFormed(query) || !isGoodData(query.data)) return UV_EINVAL;
  // In Node a worker's listen ends the primary in this case.
  if (isNetDenied()) return UV_EACCES;
  const fd = fdOf(query);
  if (fd !== null && !isInheritedFd && !mayListenOn(fd)) return UV_EINVAL;
  if (allowListen === undefined) return 0;
  const address = query.addressType === -1 ? boundPath(query.address as string) : query.address ?? null;
  if (address === undefined) return UV_EINVAL;
  const asked: ListenQuery = NativeObject.freeze({
    address, fd, port: query.addressType === -1 ? null : query.port ?? null, addressType: query.addressType ?? null,
    readableAll: query.readableAll === true, writableAll: query.writableAll === true,
  });
  return isAllowed(allowListen, asked, worker) ? 0 : UV_EACCES;
}

/**
 * The path that a bind will create. Undefined if the kernel would get another path than this text: Node 20
 * ends a path at a null byte, Node 20 and 22 cut a long path, later versions refuse both.
 */
function boundPath(address: string): string | undefined {
  const bound = shortPath(address);
  if (bound.indexOf('\0', 1) !== -1 || Buffer.byteLength(bound) > LONGEST_PATH) return undefined;
  return bound.startsWith('\0') ? bound : path.resolve(bound);
}

/** Bytes that fit into the kernel's `sun_path`, without the null byte. */
const LONGEST_PATH = 107;

/**
 * May the servers of all workers get this `data`? It is nothing, or the ticket keys of a TLS server: 48 bytes
 * in hex. Anything else would throw in the workers that get it.
 */
export function isGoodData(data: unknown): boolean {
  if (data === null || data === undefined) return true;
  if (typeof data !== 'object' || NativeObject.keys(data).length !== 1) return false;
  const { ticketKeys } = data as { ticketKeys?: unknown };
  return typeof ticketKeys === 'string' && /^[0-9a-f]{96}$/i.test(ticketKeys);
}

/** The fd of the query, as the bind reads it: for UDP 0 means none. */
function fdOf(query: Query): number | null {
  if (!namesFd(query) || (query.fd === 0 && isDatagram(query.addressType))) return null;
  return query.fd as number;
}

const isDatagram = (addressType: unknown): boolean => addressType === 'udp4' || addressType === 'udp6';

/**
 * Has the query one of the forms that `net` and `dgram` send? Another form could mean one thing to
 * `allowListen` and another to the bind (a TCP address type with a path, say), or hold a host name, which
 * the primary would have to look up.
 */
function isWellFormed(query: Query): boolean {
  const { address, addressType, port } = query;
  const none = (value: unknown): boolean => value === null || value === undefined;
  if (namesFd(query)) {
    return Number.isInteger(query.fd) && none(address) && none(port) && (none(addressType) || isDatagram(addressType));
  }
  if (addressType === -1) {
    return port === -1 && typeof address === 'string' && address !== '';
  }
  if (none(addressType)) return false;
  return (none(port) ? isDatagram(addressType) : isPort(port)) && (none(address) || address === '' || isIP(address as string) !== 0);
}

/** Functions about which the program was warned. */
const warned = new WeakSet<AllowListen>();

function isAllowed(allowListen: AllowListen, asked: ListenQuery, worker: Worker): boolean {
  let answer: unknown;
  try {
    answer = allowListen(asked, worker);
  } catch (error) {
    warnOnce(allowListen, 'has thrown', error);
    return false;
  }
  if (types.isPromise(answer)) {
    warnOnce(allowListen, 'has returned a promise, where true or false is needed at once');
    // The promise decides nothing, and its rejection must not end the primary.
    answer.then(undefined, () => undefined);
  }
  return answer === true;
}

function warnOnce(allowListen: AllowListen, what: string, error?: unknown): void {
  if (warned.has(allowListen)) return;
  warned.add(allowListen);
  process.emitWarning(`setupPrimary({ allowListen }) ${what}: the worker's listen is refused (EACCES). Later ones are without a warning.`, {
    type: 'ClusterWarning', code: 'CLUSTER_INTERNALS_ALLOW_LISTEN', ...(error === undefined ? {} : { detail: textOf(error) }),
  });
}

function textOf(error: unknown): string {
  try {
    return inspect(error);
  } catch {
    return 'something that cannot be shown'; // Its own inspect function has thrown.
  }
}
