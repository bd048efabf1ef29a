/**
 * The messages of the control protocol, and the guards that check what arrives. Each message is one JSON object on one
 * line, in UTF-8, over a unix stream socket. S is the server (an app's primary, or the daemon), C the client.
 *
 * Wire     S → C  Hello                         once, as soon as the connection is there
 *          C → S  Request                       the first one with `version`
 *          S → C  Progress …                    none, one or many for each request
 *          S → C  Result | Failure              exactly one for each request, the last message with its id
 *          C → S  Cancel                        asks that a request which follows something (logs, subscribe) ends
 *          S → C  Cut                           without an id: why the server closes the connection
 * Used by  all files of this directory that read or write a socket, and by those that open or call one
 * Never    trusts a message: it is `unknown` until a guard of this file has read it. No guard copies an object of the
 *          wire into another, so a key such as `__proto__` stays a key
 */
import { isObject } from '../../is_object';

/** The version of this protocol. A client and a server of different versions do not understand each other. */
export const VERSION = 1;

/** The longest line from a client to a server, in bytes without its line break: far more than any request needs. */
export const LONGEST_REQUEST = 1 << 20;
/** The longest line from a server to a client, in bytes. The metrics of 1,024 workers are about 1 MiB. */
export const LONGEST_REPLY = 4 << 20;
/** How many requests of one connection may wait for their results. A request more is refused; a ControlClient waits. */
export const MOST_CALLS = 64;
/** How many connections a server holds. One more is told so, and closed. */
export const MOST_CONNECTIONS = 256;
/** How many bytes may wait for a client that does not read. Then its connection is closed. */
export const MOST_UNREAD = 8 << 20;

/** Who answers at a control socket. */
export interface Hello {
  /** The primary of an app, or the daemon, which knows all apps of a user. */
  readonly kind: 'app' | 'daemon';
  /** The name of the app. */
  readonly name: string;
  /** The process that answers. */
  readonly pid: number;
  /** Who started it: the daemon, a program that called `supervise({ control })`, or the command `run`. */
  readonly startedBy: 'daemon' | 'program' | 'run';
}

/** C → S: do this. Answered by Progress (any number) and then one Result or Failure with the same id. */
export interface Request {
  readonly id: number;
  readonly method: string;
  readonly params: Readonly<Record<string, unknown>>;
  /** Only the first request of a connection must have it; null if it is absent. */
  readonly version: number | null;
}

/** C → S: end the request with this id, if it follows something. A command goes on. No reply of its own. */
export interface Cancel {
  readonly cancel: number;
}

/** Why a request failed. */
export interface Refusal {
  /** Node's code or one of ours, `ERR_…`. */
  readonly code: string;
  readonly message: string;
  /** What became of workers until then, if the request was a command of the supervisor. */
  readonly report?: unknown;
}

/** S → C, after the Hello. A Cut has the id null. */
export type Reply =
  | { readonly id: number; readonly is: 'progress'; readonly value: unknown }
  | { readonly id: number; readonly is: 'result'; readonly value: unknown }
  | { readonly id: number | null; readonly is: 'failure'; readonly error: Refusal };

// ── guards ─────────────────────────────────────────────────────────────────────────────────────────

const isId = (value: unknown): value is number => Number.isSafeInteger(value) && typeof value === 'number' && value >= 0;
const isString = (value: unknown): value is string => typeof value === 'string';

/** The value on a line; undefined if it is no JSON. */
function parse(line: Buffer): unknown {
  try {
    return JSON.parse(line.toString());
  } catch {
    return undefined;
  }
}

/** The most parts of a request: objects, lists, and what stands in them. An environment of 1,000 variables has about 1,000. */
const MOST_PARTS = 10_000;
const [QUOTE, BACKSLASH, COMMA, BRACKET, BRACE] = [0x22, 0x5c, 0x2c, 0x5b, 0x7b];

/**
 * Has a line so few parts that it can be parsed in a few milliseconds? V8 needs up to a second for 1 MiB of `[[[[…`, in
 * which the primary would answer nobody else. This check needs a millisecond.
 */
function hasFewParts(line: Buffer): boolean {
  if (line.length <= MOST_PARTS) return true;
  let parts = 0;
  for (let at = 0, isText = false; at < line.length; at++) {
    const byte = line[at];
    if (isText && byte === BACKSLASH) at++;
    else if (byte === QUOTE) isText = !isText;
    else if (!isText && (byte === BRACE || byte === BRACKET || byte === COMMA)) parts++;
    if (parts > MOST_PARTS) return false;
  }
  return true;
}

/** What a client sent; null if it is neither a request nor a cancel. Params that are absent are `{}`. */
export function readClientLine(line: Buffer): Request | Cancel | null {
  const value = hasFewParts(line) ? parse(line) : null;
  if (!isObject(value)) return null;
  if (Object.hasOwn(value, 'cancel')) return isId(value['cancel']) ? { cancel: value['cancel'] } : null;
  const { id, method, version = null } = value;
  const params = Object.hasOwn(value, 'params') ? value['params'] : {};
  if (!isId(id) || !isString(method) || !isObject(params)) return null;
  return version === null || typeof version === 'number' ? { id, method, params, version } : null;
}

/** The first line of a server: who it is and its version; null if it is no Hello of this protocol. */
export function readHello(line: Buffer): (Hello & { readonly version: number }) | null {
  const value = parse(line);
  if (!isObject(value) || value['hello'] !== 'cluster-internals') return null;
  const { version, kind, name, pid, startedBy } = value;
  if (typeof version !== 'number' || (kind !== 'app' && kind !== 'daemon') || !isString(name) || !isId(pid)) return null;
  if (startedBy !== 'daemon' && startedBy !== 'program' && startedBy !== 'run') return null;
  return { version, kind, name, pid, startedBy };
}

/** Any later line of a server; null if it is no reply. */
export function readReply(line: Buffer): Reply | null {
  const value = parse(line);
  if (!isObject(value)) return null;
  const id = Object.hasOwn(value, 'id') ? value['id'] : null;
  const { error } = value;
  if (isObject(error) && isString(error['code']) && isString(error['message']) && (id === null || isId(id))) {
    const { code, message, report } = error;
    return { id, is: 'failure', error: { code, message, ...(report === undefined ? {} : { report }) } };
  }
  if (!isId(id)) return null;
  if (Object.hasOwn(value, 'progress')) return { id, is: 'progress', value: value['progress'] };
  return Object.hasOwn(value, 'result') ? { id, is: 'result', value: value['result'] } : null;
}

// ── lines ──────────────────────────────────────────────────────────────────────────────────────────

/** The lines that a server and a client write. Each throws what JSON.stringify throws, for example for a circle. */
export const write = {
  hello: ({ kind, name, pid, startedBy }: Hello): string => `${JSON.stringify({ hello: 'cluster-internals', version: VERSION, kind, name, pid, startedBy })}\n`,
  progress: (id: number, progress: object): string => `${JSON.stringify({ id, progress })}\n`,
  result: (id: number, result: unknown): string => `${JSON.stringify({ id, result: result ?? null })}\n`,
  failure: (id: number | null, error: Refusal): string => `${JSON.stringify(id === null ? { error } : { id, error })}\n`,
  request: (id: number, method: string, params: object): string => `${JSON.stringify({ id, version: VERSION, method, params })}\n`,
  cancel: (id: number): string => `${JSON.stringify({ cancel: id })}\n`,
};
