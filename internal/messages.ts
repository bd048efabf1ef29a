/**
 * Every message that a primary and a worker exchange, and the guards that check each one on arrival. A
 * received value is `unknown` until `readWorkerMessage` or `readPrimaryMessage` has checked it; a value that
 * neither knows is ignored, as in Node.
 *
 * Imports nothing. `master/` and `child/` never import each other: this file is what they share.
 *
 * On the wire each message is `{ cmd: 'NODE_CLUSTER', ...body, seq }`. Each sender numbers its messages to
 * one receiver with `seq`; a reply names the number of the message that it answers in `ack`.
 *
 * Node     the names, fields and their order are Node's. Five are ours, and only two ends of ours send them (the
 *          dialect "pipelined"): `accepted` acknowledges all connections up to a number; `returned` gives an idle
 *          connection back, and `returnIdle` asks for that (D58); `progress` and `quota` share out what workers accept
 *          by themselves (D64).
 */

/** The `cmd` of every cluster message. Its NODE_ keeps it from the app's 'message' listeners. */
export const CLUSTER = 'NODE_CLUSTER';

/** Where a worker wants to listen. Equal queries of several workers share one handle of the primary. */
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

/** Does the query name an fd of the primary? Otherwise `fd` is -1 or missing. */
export const namesFd = ({ fd }: Query): boolean => typeof fd === 'number' && fd >= 0;

/** The local address of a listening socket, as `getsockname` gives it. */
export interface SocketName {
  readonly address: string;
  readonly family: string;
  readonly port: number;
}

// ── worker → primary ─────────────────────────────────────────────────────────────────────────────

/** First message of every worker, sent before the app's first line. No reply. */
export interface Online { readonly act: 'online' }

/**
 * The worker's app called `listen` or `bind`. Reply: `ServerReply`. If the primary dies before it replies,
 * the worker ends as well; if the worker dies, the primary forgets the query.
 */
export interface QueryServer extends Query { readonly act: 'queryServer'; readonly seq: number }

/** The server of an earlier query has emitted 'listening'; `port` is the real port. No reply. */
export interface Listening extends Query { readonly act: 'listening' }

/**
 * The worker closed its server of that key. No reply. Connections that the worker took before are
 * acknowledged before this message, and connections for this key that arrive later are rejected. One
 * exception: if the pipe was full, connections that waited for it are acknowledged after this message.
 */
export interface Close { readonly act: 'close'; readonly key: string }

/** Dialect pipelined. The worker is about to leave, and wants no more connections of that key (D66). Reply: `Reply`, behind all that were handed to it before; then it closes its server (`Close`). */
export interface Withdraw { readonly act: 'withdraw'; readonly key: string; readonly seq: number }

/** The worker is about to leave by its own decision. Reply: `Reply`; then the worker closes the channel. */
export interface ExitedAfterDisconnect { readonly act: 'exitedAfterDisconnect'; readonly seq: number }

/**
 * Dialect pipelined. The worker took every connection whose `seq` is `upTo` or lower, except those in
 * `rejected`. It is sent for each connection, right before the app gets it: a connection without it has never
 * been touched. It has no `seq` of its own. If it cannot be true (it names numbers that are not in flight, or
 * counts that nobody asked for), the primary closes the worker's channel.
 */
export interface Accepted {
  readonly act: 'accepted';
  /** 0: no connection was handed to the worker; only `open` is reported. */
  readonly upTo: number;
  readonly rejected?: readonly number[] | undefined;
  /** How many connections are open, by key. Only for addresses where the primary asked for it (`counts`). */
  readonly open?: Readonly<Record<string, number>> | undefined;
}

/** Dialect node. The same for one connection: `ack` is the `seq` of its `newconn`. */
export interface NewConnectionReply { readonly ack: number; readonly accepted: boolean }

/**
 * Dialect pipelined. The worker gives an idle connection back, for another worker that listens under this key; its fd
 * comes with the message. The worker may have closed its own server there. Reply: `ReturnReply`. Until then the worker
 * keeps its copy of the fd and does not read from it. If the worker dies before the reply, the primary has its own copy,
 * or gets it when it reads the rest of the pipe. If the fd did not arrive, the primary does not take the connection.
 */
export interface Returned { readonly act: 'returned'; readonly key: string; readonly seq: number }

/**
 * Dialect pipelined. The number of connections that the worker has accepted by itself at an address where the reply said
 * `quotas`. It is sent four times a second while the numbers change, by all workers at the same moments. Answer: `Quota`,
 * soon if the worker has gone beyond its quota or the quota changes, and after a second at the latest. If the message is
 * lost, the next one has newer numbers.
 */
export interface Progress {
  readonly act: 'progress';
  readonly key: string;
  /** Accepted since the worker listens there. */
  readonly total: number;
  /** Open now. */
  readonly open: number;
  /** It cannot take its share: it is at its `maxConnections`, or its event loop was late. */
  readonly full?: true | undefined;
  /** It looked at the socket beyond its quota, and found many connections that nobody had accepted. */
  readonly found?: true | undefined;
}

/** Every message of a worker. */
export type WorkerMessage = Online | QueryServer | Listening | Withdraw | Close | ExitedAfterDisconnect | Accepted | NewConnectionReply | Returned | Progress;

// ── primary → worker ─────────────────────────────────────────────────────────────────────────────

/**
 * A connection for the worker's server of that key; its fd comes with the message. The worker answers with
 * `NewConnectionReply` or `Accepted`. If it dies before, the primary hands the connection to another worker.
 */
export interface NewConnection {
  readonly act: 'newconn';
  readonly key: string;
  readonly seq: number;
  /** Dialect pipelined: the connection comes from another worker, where it was idle. */
  readonly moved?: true | undefined;
}

/**
 * Dialect pipelined. Asks the worker to return idle connections (`Returned`): at most `max`, all if it is missing; only
 * those of `key`, if there is one; and so that at least `keep` connections of each server stay. No reply. The worker
 * returns as many as it can, also none.
 */
export interface ReturnIdle {
  readonly act: 'returnIdle';
  readonly max?: number | undefined;
  readonly key?: string | undefined;
  readonly keep?: number | undefined;
}

/**
 * Dialect pipelined. How far the worker may go on accepting by itself at an address: it stops when its `total` is `upTo`,
 * which grows by `pace` in each millisecond from then on, or while it has `mostOpen` connections. Without the field there
 * is no such bound. No reply. Each one replaces the one
 * before. A worker that gets none goes on alone.
 */
export interface Quota {
  readonly act: 'quota';
  readonly key: string;
  readonly upTo?: number | undefined;
  readonly pace?: number | undefined;
  readonly mostOpen?: number | undefined;
  /** The number of connections that the worker may be ahead of the others. */
  readonly step: number;
}

/** Asks the worker to leave: to close every server, then the channel. No reply. */
export interface Disconnect { readonly act: 'disconnect' }

/**
 * Answers `queryServer`. If `errno` is null or 0, the worker listens: with a handle, which is the shared
 * listening socket, or without one, where the primary accepts. A negative `errno`: the bind failed.
 */
export interface ServerReply {
  readonly ack: number;
  readonly errno: number | null;
  readonly key: string;
  readonly data: unknown;
  readonly sockname?: SocketName | undefined;
  /**
   * Dialect pipelined: the worker has to report how many connections it has open there, without those that it has just
   * returned. true: with each acknowledgement, and soon after each change. 'seldom': ten times a second, if it changes.
   */
  readonly counts?: true | 'seldom' | undefined;
  /** Dialect pipelined, with a handle: the worker accepts from it within quotas. It sends `Progress`. */
  readonly quotas?: true | undefined;
}

/** Answers `exitedAfterDisconnect` and `withdraw`. */
export interface Reply { readonly ack: number }

/** Answers `returned`. `taken`: the connection is the primary's, and the worker closes its copy. If not, it stays the worker's. */
export interface ReturnReply extends Reply { readonly taken: boolean }

/** Every message of a primary. */
export type PrimaryMessage = NewConnection | Disconnect | ReturnIdle | Quota | ServerReply | ReturnReply | Reply;

// ── guards ───────────────────────────────────────────────────────────────────────────────────────

/** Checks a value that came from a worker; null if it is not a cluster message of a worker. */
export function readWorkerMessage(value: unknown): WorkerMessage | null {
  if (!isClusterMessage(value)) return null;
  if (value['ack'] !== undefined) return isNewConnectionReply(value) ? value : null;
  switch (value['act']) {
    case 'online': return isOnline(value) ? value : null;
    case 'queryServer': return isQueryServer(value) ? value : null;
    case 'listening': return isListening(value) ? value : null;
    case 'withdraw': return isWithdraw(value) ? value : null;
    case 'close': return isClose(value) ? value : null;
    case 'exitedAfterDisconnect': return isExitedAfterDisconnect(value) ? value : null;
    case 'accepted': return isAccepted(value) ? value : null;
    case 'returned': return isReturnedConnection(value) ? value : null;
    case 'progress': return isProgress(value) ? value : null;
    default: return null;
  }
}

/** Checks a value that came from the primary; null if it is not a cluster message of a primary. */
export function readPrimaryMessage(value: unknown): PrimaryMessage | null {
  if (!isClusterMessage(value)) return null;
  if (value['ack'] !== undefined) return isReply(value) ? value : null;
  switch (value['act']) {
    case 'newconn': return isNewConnection(value) ? value : null;
    case 'disconnect': return isDisconnect(value) ? value : null;
    case 'returnIdle': return isReturnIdle(value) ? value : null;
    case 'quota': return isQuota(value) ? value : null;
    default: return null;
  }
}

/** Is this reply the answer to a `queryServer`? */
export function isServerReply(reply: PrimaryMessage): reply is ServerReply {
  return 'key' in reply && typeof reply.key === 'string' && 'errno' in reply &&
    (reply.errno === null || typeof reply.errno === 'number');
}

/** Does the worker give a connection back with this message? */
export const isReturned = (message: WorkerMessage): message is Returned => 'act' in message && message.act === 'returned';

/** Is this reply the answer to a `returned` that the primary has taken? */
export const isTaken = (reply: PrimaryMessage): boolean => 'taken' in reply && reply.taken === true;

/** The fields of a message that nobody has checked yet. */
interface Fields { readonly [field: string]: unknown }

const isOnline = (value: Fields): value is Fields & Online => value['act'] === 'online';
const isQueryServer = (value: Fields): value is Fields & QueryServer => value['act'] === 'queryServer' && isCount(value['seq']) && isQuery(value);
const isListening = (value: Fields): value is Fields & Listening => value['act'] === 'listening' && isQuery(value);
const isWithdraw = (value: Fields): value is Fields & Withdraw => value['act'] === 'withdraw' && typeof value['key'] === 'string' && isCount(value['seq']);
const isClose = (value: Fields): value is Fields & Close => value['act'] === 'close' && typeof value['key'] === 'string';
const isExitedAfterDisconnect = (value: Fields): value is Fields & ExitedAfterDisconnect => value['act'] === 'exitedAfterDisconnect' && isCount(value['seq']);
const isNewConnectionReply = (value: Fields): value is Fields & NewConnectionReply => isCount(value['ack']) && typeof value['accepted'] === 'boolean';
const isNewConnection = (value: Fields): value is Fields & NewConnection => value['act'] === 'newconn' && isCount(value['seq']) && typeof value['key'] === 'string';
const isReturnedConnection = (value: Fields): value is Fields & Returned => value['act'] === 'returned' && isCount(value['seq']) && typeof value['key'] === 'string';
const isReturnIdle = (value: Fields): value is Fields & ReturnIdle =>
  value['act'] === 'returnIdle' && ['max', 'keep'].every((name) => value[name] === undefined || isCount(value[name])) &&
  (value['key'] === undefined || typeof value['key'] === 'string');
const isProgress = (value: Fields): value is Fields & Progress =>
  value['act'] === 'progress' && typeof value['key'] === 'string' && isCount(value['total']) && isCount(value['open']) &&
  isFlag(value['full']) && isFlag(value['found']);
const isQuota = (value: Fields): value is Fields & Quota =>
  value['act'] === 'quota' && typeof value['key'] === 'string' && isCount(value['step']) &&
  ['upTo', 'mostOpen'].every((name) => value[name] === undefined || isCount(value[name])) &&
  (value['pace'] === undefined || (typeof value['pace'] === 'number' && value['pace'] >= 0 && value['pace'] < Infinity));
const isDisconnect = (value: Fields): value is Fields & Disconnect => value['act'] === 'disconnect';
const isReply = (value: Fields): value is Fields & Reply => isCount(value['ack']);

// Taken before an app can replace them. Other files have builtins.ts for that; this file imports nothing.
const { isArray } = Array;
const { values: valuesOf } = Object;

/** Is this a message between a primary and a worker, whatever its fields? Other NODE_ messages belong to other parts of Node or of this project. */
export function isClusterMessage(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && (value as Fields)['cmd'] === CLUSTER;
}

/** A field that is true or missing. */
const isFlag = (value: unknown): boolean => value === undefined || value === true;

/** A number that can be a seq: whole and not negative. */
function isCount(value: unknown): value is number {
  return typeof value === 'number' && value >= 0 && value % 1 === 0;
}

/** A loop by index, since an app may have replaced the methods of arrays. */
function areCounts(values: readonly unknown[]): boolean {
  for (let at = 0; at < values.length; at++) if (!isCount(values[at])) return false;
  return true;
}

function isAccepted(value: Fields): value is Fields & Accepted {
  const { upTo, rejected, open } = value;
  return isCount(upTo) && (rejected === undefined || (isArray(rejected) && areCounts(rejected))) &&
    (open === undefined || (typeof open === 'object' && open !== null && areCounts(valuesOf(open))));
}

const addressTypes: readonly unknown[] = [4, 6, -1, 'udp4', 'udp6', null, undefined];
const optional = (value: unknown, type: string): boolean => value === undefined || value === null || typeof value === type;

/** Checks the types of the fields. Whether the address exists and is free, the bind finds out. */
function isQuery(value: Fields): value is Fields & Query {
  return isCount(value['index']) && addressTypes.includes(value['addressType']) && optional(value['address'], 'string') &&
    optional(value['port'], 'number') && optional(value['fd'], 'number') && optional(value['flags'], 'number') &&
    (value['backlog'] === false || optional(value['backlog'], 'number'));
}
