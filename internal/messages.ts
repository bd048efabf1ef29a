/**
 * Every message that a primary and a worker exchange, and the guards through which it comes in.
 * What arrives is `unknown` until `readWorkerMessage` or `readPrimaryMessage` has looked at it; what
 * neither knows is ignored, as in Node.
 *
 * Imports nothing. `master/` and `child/` never import each other: they meet here.
 *
 * On the wire each message is `{ cmd: 'NODE_CLUSTER', ...body, seq }`. `seq` counts the messages of
 * one sender to one peer; a reply names the `seq` that it answers in `ack`.
 *
 * Node     the names, fields and their order are Node's. `accepted` is ours: one message that
 *          acknowledges all hand-offs up to a number (dialect pipelined only).
 */

/** The `cmd` of every cluster message. Its NODE_ keeps it from the app's 'message' listeners. */
export const CLUSTER = 'NODE_CLUSTER';

/** What a worker asks for when it listens, and the identity of the primary's handle. */
export interface Query {
  readonly index: number;
  readonly data: unknown;
  readonly address: string | null;
  readonly port: number | null;
  /** 4, 6: TCP. -1: a path. 'udp4', 'udp6': UDP. null: an inherited fd. */
  readonly addressType: 4 | 6 | -1 | 'udp4' | 'udp6' | null;
  readonly fd?: number | undefined;
  readonly flags?: number | null | undefined;
  readonly backlog?: number | false | undefined;
  readonly readableAll?: boolean | undefined;
  readonly writableAll?: boolean | undefined;
}

/** Does the worker name an fd of the primary? Others say -1, or nothing. */
export const namesFd = ({ fd }: Query): boolean => typeof fd === 'number' && fd >= 0;

/** What `getsockname` says of a listening socket. */
export interface SocketName {
  readonly address: string;
  readonly family: string;
  readonly port: number;
}

// ── worker → primary ─────────────────────────────────────────────────────────────────────────────

/** First message of every worker, sent before the app's first line. No reply. */
export interface Online { readonly act: 'online' }

/**
 * The worker's app called `listen` or `bind`. Reply: `ServerReply`. Its loss with the primary ends
 * the worker; its loss with the worker needs nothing, the primary forgets the asker.
 */
export interface QueryServer extends Query { readonly act: 'queryServer'; readonly seq: number }

/** The server that was asked for emitted 'listening'; `port` is the real one. No reply. */
export interface Listening extends Query { readonly act: 'listening' }

/**
 * The worker closed its server of that key. No reply. The acknowledgement of everything that the
 * worker took over before precedes it on the pipe; what comes to that key later is rejected. Only what
 * waited in the worker for room in the pipe is acknowledged behind it.
 */
export interface Close { readonly act: 'close'; readonly key: string }

/** The worker is about to leave of its own will. Reply: `Reply`, on which the worker disconnects. */
export interface ExitedAfterDisconnect { readonly act: 'exitedAfterDisconnect'; readonly seq: number }

/**
 * Dialect pipelined. The worker took over every connection handed to it with a `seq` up to `upTo`,
 * except those in `rejected`. Sent for each connection right before the app sees it, so that one without
 * acknowledgement has never been touched; it needs no `seq` of its own. One that cannot be true (of
 * numbers that are not in flight, of counts that were not asked for) ends the worker's channel.
 */
export interface Accepted {
  readonly act: 'accepted';
  readonly upTo: number;
  readonly rejected?: readonly number[] | undefined;
  /** How many connections are open, by key, where the primary asked to be told (`counts`). */
  readonly open?: Readonly<Record<string, number>> | undefined;
}

/** Dialect node. The same for one connection: `ack` is the seq of its `newconn`. */
export interface NewConnectionReply { readonly ack: number; readonly accepted: boolean }

/** Everything that a worker says. */
export type WorkerMessage =
  | Online | QueryServer | Listening | Close | ExitedAfterDisconnect | Accepted | NewConnectionReply;

// ── primary → worker ─────────────────────────────────────────────────────────────────────────────

/**
 * A connection for the server of that key; its fd comes with the message. Answered by
 * `NewConnectionReply` or `Accepted`. Lost with the worker: the primary hands it to another.
 */
export interface NewConnection { readonly act: 'newconn'; readonly key: string; readonly seq: number }

/** Leave: close every server, then the channel. No reply. */
export interface Disconnect { readonly act: 'disconnect' }

/**
 * Answers `queryServer`. `errno` null or 0: success; with a handle it is the shared listening
 * socket, without one the primary accepts. Negative: the bind failed, no handle.
 */
export interface ServerReply {
  readonly ack: number;
  readonly errno: number | null;
  readonly key: string;
  readonly data: unknown;
  readonly sockname?: SocketName | undefined;
  /** Dialect pipelined: the worker is to say how many connections it has open there. */
  readonly counts?: true | undefined;
}

/** Answers `exitedAfterDisconnect`. */
export interface Reply { readonly ack: number }

/** Everything that a primary says. */
export type PrimaryMessage = NewConnection | Disconnect | ServerReply | Reply;

// ── guards ───────────────────────────────────────────────────────────────────────────────────────

/** Reads what came from a worker; null for anything that is no cluster message of a worker. */
export function readWorkerMessage(value: unknown): WorkerMessage | null {
  if (!isClusterMessage(value)) return null;
  if (value['ack'] !== undefined) {
    return isCount(value['ack']) && typeof value['accepted'] === 'boolean' ? value as unknown as NewConnectionReply : null;
  }
  switch (value['act']) {
    case 'online': return value as unknown as Online;
    case 'queryServer': return isCount(value['seq']) && isQuery(value) ? value as unknown as QueryServer : null;
    case 'listening': return isQuery(value) ? value as unknown as Listening : null;
    case 'close': return typeof value['key'] === 'string' ? value as unknown as Close : null;
    case 'exitedAfterDisconnect': return isCount(value['seq']) ? value as unknown as ExitedAfterDisconnect : null;
    case 'accepted': return isAccepted(value) ? value as unknown as Accepted : null;
    default: return null;
  }
}

/** Reads what came from the primary; null for anything that is no cluster message of a primary. */
export function readPrimaryMessage(value: unknown): PrimaryMessage | null {
  if (!isClusterMessage(value)) return null;
  if (value['ack'] !== undefined) return isCount(value['ack']) ? value as unknown as Reply : null;
  switch (value['act']) {
    case 'newconn': return isCount(value['seq']) && typeof value['key'] === 'string' ? value as unknown as NewConnection : null;
    case 'disconnect': return value as unknown as Disconnect;
    default: return null;
  }
}

/** Is this reply the answer to a `queryServer`? */
export function isServerReply(reply: PrimaryMessage): reply is ServerReply {
  return 'key' in reply && typeof reply.key === 'string' && 'errno' in reply &&
    (reply.errno === null || typeof reply.errno === 'number');
}

type Fields = Record<string, unknown>;

// Kept from before an app could replace them; this file imports nothing.
const { isArray } = Array;
const { values: valuesOf } = Object;

/** Is this meant for the cluster, whatever is in it? Other NODE_ messages are other parts' business. */
export function isClusterMessage(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && (value as Fields)['cmd'] === CLUSTER;
}

/** A number that can be a seq: whole and not negative. */
function isCount(value: unknown): value is number {
  return typeof value === 'number' && value >= 0 && value % 1 === 0;
}

/** Walks by index: an app may have replaced the methods of arrays. */
function areCounts(values: readonly unknown[]): boolean {
  for (let at = 0; at < values.length; at++) if (!isCount(values[at])) return false;
  return true;
}

function isAccepted(value: Fields): boolean {
  const { upTo, rejected, open } = value;
  return isCount(upTo) && (rejected === undefined || (isArray(rejected) && areCounts(rejected))) &&
    (open === undefined || (typeof open === 'object' && open !== null && areCounts(valuesOf(open))));
}

const addressTypes: readonly unknown[] = [4, 6, -1, 'udp4', 'udp6', null, undefined];
const optional = (value: unknown, type: string): boolean => value === undefined || value === null || typeof value === type;

/** The types of the fields. Whether they name an address that can be bound is for the bind to say. */
function isQuery(value: Fields): boolean {
  return isCount(value['index']) && addressTypes.includes(value['addressType']) && optional(value['address'], 'string') &&
    optional(value['port'], 'number') && optional(value['fd'], 'number') && optional(value['flags'], 'number') &&
    (value['backlog'] === false || optional(value['backlog'], 'number'));
}
