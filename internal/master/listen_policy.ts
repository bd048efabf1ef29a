/**
 * What a worker may have the primary bind for it. The primary binds with its own rights, also where its
 * workers run under another uid, so each `queryServer` is looked at before anything is opened:
 *
 *   makes sense? ─► its `data` can be given to others? ─► the fd is allowed? ─► allowListen(query, worker)
 *    EINVAL           EINVAL                                EINVAL               EACCES
 *
 * Used by  listen_table.ts, which then asks whether the worker has too many (EMFILE)
 * Never    lets the program's `allowListen` end the primary or decide by accident: one that throws, or
 *          answers anything but `true`, refuses
 * Node     opens whatever a worker asks for, and gives the first asker's `data` to all (D47 to D50)
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

/** What `allowListen` is asked: where a worker wants to listen. Frozen, and without TLS keys. */
export interface ListenQuery {
  /** An IP address, the absolute path of a unix socket (abstract ones begin with \0), or null: any address, or an fd. */
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

/** Why this worker does not get what it asks for: a negative errno; 0 if it may. Calls the program's `allowListen`. */
export function refusalOf(query: Query, worker: Worker, allowListen: AllowListen | undefined): number {
  if (!makesSense(query) || !isGoodData(query.data)) return UV_EINVAL;
  // Under Node a worker's listen ends the primary then.
  if (isNetDenied()) return UV_EACCES;
  const fd = fdOf(query);
  if (fd !== null && !mayListenOn(fd)) return UV_EINVAL;
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
 * The path that a bind will create; undefined where another would come of it than is written there:
 * Node 20 ends a path at a null byte, 20 and 22 cut a long one, later versions refuse both.
 */
function boundPath(address: string): string | undefined {
  const bound = shortPath(address);
  if (bound.indexOf('\0', 1) !== -1 || Buffer.byteLength(bound) > LONGEST_PATH) return undefined;
  return bound.startsWith('\0') ? bound : path.resolve(bound);
}

/** Bytes that fit into the kernel's `sun_path`, without the null byte. */
const LONGEST_PATH = 107;

/**
 * What the servers of all workers are to share: nothing, or the ticket keys of a TLS server as `net`
 * tells them, 48 bytes in hex. What else a worker says would end the others in an exception.
 */
export function isGoodData(data: unknown): boolean {
  if (data === null || data === undefined) return true;
  if (typeof data !== 'object' || NativeObject.keys(data).length !== 1) return false;
  const { ticketKeys } = data as { ticketKeys?: unknown };
  return typeof ticketKeys === 'string' && /^[0-9a-f]{96}$/i.test(ticketKeys);
}

/** The fd that is named, as the bind reads it: UDP takes 0 for none. */
function fdOf(query: Query): number | null {
  if (!namesFd(query) || (query.fd === 0 && isDatagram(query.addressType))) return null;
  return query.fd as number;
}

const isDatagram = (addressType: unknown): boolean => addressType === 'udp4' || addressType === 'udp6';

/**
 * One of the forms in which `net` and `dgram` ask. Others would mean one thing to `allowListen` and
 * another to the bind, like an address type of TCP with a path; or they are a name, which the primary
 * would have to look up.
 */
function makesSense(query: Query): boolean {
  const { address, addressType, port } = query;
  const none = (value: unknown): boolean => value === null || value === undefined;
  if (namesFd(query)) {
    return Number.isInteger(query.fd) && none(address) && none(port) && (none(addressType) || isDatagram(addressType));
  }
  if (addressType === -1) {
    return port === -1 && typeof address === 'string' && address !== '';
  }
  if (none(addressType)) return false;
  const isPort = none(port) ? isDatagram(addressType) : Number.isInteger(port) && (port as number) >= 0 && (port as number) <= HIGHEST_PORT;
  return isPort && (none(address) || address === '' || isIP(address as string) !== 0);
}

const HIGHEST_PORT = 65535;

/** Functions whose warning has been given. */
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
    // What becomes of it decides nothing, and must not end the primary.
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
