/**
 * Every message of the shared state on the wire, both directions, and the guards through which it
 * comes in. What arrives is `unknown` until `readClientMessage`, `readCall` or `readServerMessage`
 * has looked at it; what none of them knows is ignored.
 *
 * Imports nothing. The two sides (server/server.ts in the primary, client/client.ts in everybody) meet here.
 *
 * On the wire each message is `{ cmd: 'NODE_CLUSTER_STATE', act, … }`. The NODE_ keeps it from the
 * app's 'message' listeners, under stock Node as well; Node's own cluster ignores every `cmd` but its own.
 * Values travel as JSON text: the primary keeps them as they came and never looks inside.
 *
 * Wire     C → S hello             S → C welcome(limits)
 *                                  an answer to 'set' has the version, not the value: the writer has that
 *          C → S calls [call, …]   S → C answers [answer, …]   each id once; 'lock' may take its time
 *          C → S cancel(id)        a lock that is waited for; its call is answered at once
 *          S → C events [batch, …] C → S consumed(watch, batch) for a batch that asks for it
 *          C → S bye               the client is gone, its channel is not
 *          S → C announce          "say hello": the server was opened after the client
 *          S → C closed            the server is gone, or has cut this process off; its process is not gone
 */

/** The `cmd` of every message of the shared state. */
export const STATE = 'NODE_CLUSTER_STATE';

/**
 * What the primary refuses beyond. Each is a whole number, 1 or more, of the unit that its line names;
 * bytes of keys and values are those of their UTF-8 text. What is said to be of one process counts for
 * each worker alone and is checked in the primary, so that one worker cannot use up what all share. The
 * primary itself has no quota of keys, bytes and locks: it may have all there is.
 */
export interface Limits {
  /** Keys, in all. */
  readonly keys: number;
  /** Keys that one process was the last to write; half of `keys` by default, all of them where `keys` is less than 8. */
  readonly keysPerProcess: number;
  /** Bytes of one key, one prefix or one lock's name. */
  readonly keyBytes: number;
  /** Bytes of one value as JSON. */
  readonly valueBytes: number;
  /** Bytes of all keys and values together. */
  readonly totalBytes: number;
  /** Bytes of the keys, with their values, that one process was the last to write; half of `totalBytes` by default, and room for one of the greatest. */
  readonly bytesPerProcess: number;
  /** Watches of one process; a replica is one. */
  readonly watches: number;
  /** Locks that are held, and callers that wait for one, in all. */
  readonly locks: number;
  /** Locks that one process holds or waits for; half of `locks` by default, all of them where `locks` is less than 8. */
  readonly locksPerProcess: number;
  /** Unanswered calls of one process. The process counts them before it sends one, the primary when one comes. */
  readonly pendingCalls: number;
  /** Bytes of answers and events that are under way to one process, which does not read them. */
  readonly unreadBytes: number;
  /** Events that are remembered for watches that lag or resume. */
  readonly history: number;
}

/** How many unanswered calls nobody has who counts them: the primary cuts off a process that sends more. */
export const mostPending = ({ pendingCalls, locksPerProcess, watches }: Limits): number => 2 * pendingCalls + locksPerProcess + watches + 1000;

/**
 * Calls that `limits.pendingCalls` does not refuse: they give something back, or keep what the process
 * has. A lock that could not be given back would have no owner.
 */
export const isHousekeeping = (op: string): boolean => op === 'release' || op === 'renew' || op === 'watch' || op === 'unwatch';

/** The proof of a lease, checked when the write is made. */
export interface Fence { readonly name: string; readonly token: number }

// ── client → server ──────────────────────────────────────────────────────────────────────────────

/** What a call asks for. `version` 0 means: there is none. */
export type Operation =
  | { readonly op: 'get'; readonly key: string }
  | { readonly op: 'set'; readonly key: string; readonly text: string } & WriteOptions
  | { readonly op: 'delete'; readonly key: string; readonly version?: number | undefined; readonly fence?: Fence | undefined }
  | { readonly op: 'increment'; readonly key: string; readonly by: number } & WriteOptions
  | { readonly op: 'compareAndSet'; readonly key: string; readonly version: number; readonly text: string } & WriteOptions
  /** `wait: false`: an answer at once, without a token when somebody else holds the lock. */
  | { readonly op: 'lock'; readonly name: string; readonly ttlMs: number; readonly wait: boolean }
  | { readonly op: 'renew'; readonly name: string; readonly token: number; readonly ttlMs: number }
  | { readonly op: 'release'; readonly name: string; readonly token: number }
  | { readonly op: 'holder'; readonly name: string }
  /** `since`: the version after which to go on; without it the watch begins with all there is. */
  | { readonly op: 'watch'; readonly watch: number; readonly prefix: string; readonly since?: number | 'now' | undefined; readonly beat?: boolean | undefined }
  | { readonly op: 'unwatch'; readonly watch: number };

interface WriteOptions { readonly ttlMs?: number | undefined; readonly fence?: Fence | undefined }

/** One question; its answer names the same id. Its loss with either side: the client rejects it. */
export type Call = Operation & { readonly id: number };

/** Client → server. */
export type ClientMessage =
  | { readonly act: 'hello' }
  | { readonly act: 'calls'; readonly calls: readonly unknown[] }
  | { readonly act: 'cancel'; readonly id: number }
  | { readonly act: 'consumed'; readonly watch: number; readonly batch: number }
  | { readonly act: 'bye' };

// ── server → client ──────────────────────────────────────────────────────────────────────────────

/** What an operation gives back; which fields there are depends on it. Times are of the common clock. */
export interface Result {
  readonly version?: number | undefined;
  readonly text?: string | undefined;
  readonly expiresAt?: number | undefined;
  /** delete, compareAndSet, release: was it done? */
  readonly done?: boolean | undefined;
  readonly token?: number | undefined;
  /** Whose the lock is: a worker's id, 0 for the primary. */
  readonly holder?: number | undefined;
  readonly waiting?: number | undefined;
}

/** Why an operation was not done. */
export interface Refusal { readonly code: string; readonly message: string; readonly limit?: keyof Limits | undefined }

/** The answer to one call. */
export type Answer = { readonly id: number; readonly result: Result } | { readonly id: number; readonly error: Refusal };

/** A key got a value (`text`), or lost it (`gone`). */
export interface KeyEvent {
  readonly key: string;
  readonly version: number;
  readonly text?: string | undefined;
  readonly gone?: 'deleted' | 'expired' | undefined;
}

/**
 * Some of what a watch has to be told, in order. `reset`: the events are all keys there are, in
 * parts; the last part has `'last'`. `time` is when it was true that `version` is all there is.
 */
export interface Batch {
  readonly watch: number;
  readonly batch: number;
  readonly events: readonly KeyEvent[];
  readonly reset?: 'part' | 'last' | undefined;
  /** Everything up to this version has been told, unless it is a part of a reset. */
  readonly version: number;
  readonly time: number;
  /** Nothing is behind it: the watch knew everything at `time`. */
  readonly current: boolean;
  /** The server waits for `consumed` before it sends much more. */
  readonly ask: boolean;
}

/** Server → client. */
export type ServerMessage =
  | { readonly act: 'announce' }
  | { readonly act: 'welcome'; readonly limits: Limits }
  | { readonly act: 'answers'; readonly answers: readonly Answer[] }
  | { readonly act: 'events'; readonly batches: readonly Batch[] }
  | { readonly act: 'closed' };

// ── guards ───────────────────────────────────────────────────────────────────────────────────────

type Fields = Readonly<Record<string, unknown>>;

/** A TTL beyond this is a mistake: ten years. */
export const MAX_TTL = 10 * 365 * 24 * 3600 * 1000;

const isObject = (value: unknown): value is Fields => typeof value === 'object' && value !== null;
const isString = (value: unknown): value is string => typeof value === 'string';
const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
/** A time to live: more than nothing, at most ten years. */
export const isTtl = (value: unknown): value is number => typeof value === 'number' && value > 0 && value <= MAX_TTL;
const isFence = (value: unknown): value is Fence => isObject(value) && isString(value['name']) && isCount(value['token']);
const maybe = (value: unknown, is: (value: unknown) => boolean): boolean => value === undefined || is(value);
const isLimits = (value: unknown): value is Limits => isObject(value)
  && ['keys', 'keysPerProcess', 'keyBytes', 'valueBytes', 'totalBytes', 'bytesPerProcess', 'watches', 'locks', 'locksPerProcess',
    'pendingCalls', 'unreadBytes', 'history'].every((name) => isCount(value[name]));

/** A message of the shared state's, from either side? */
export const isStateMessage = (value: unknown): value is Fields => isObject(value) && value['cmd'] === STATE;

/** What a worker sent, if it makes sense. Calls are looked at one by one, by `readCall`. */
export function readClientMessage(value: unknown): ClientMessage | null {
  if (!isStateMessage(value)) return null;
  switch (value['act']) {
    case 'hello': case 'bye': break;
    case 'calls': if (!Array.isArray(value['calls'])) return null; break;
    case 'cancel': if (!isCount(value['id'])) return null; break;
    case 'consumed': if (!isCount(value['watch']) || !isCount(value['batch'])) return null; break;
    default: return null;
  }
  return value as unknown as ClientMessage;
}

/** One call, if it makes sense; its id alone, if that does; else null, since nobody can be answered. */
export function readCall(value: unknown): Call | { readonly op: 'none'; readonly id: number } | null {
  if (!isObject(value) || !isCount(value['id'])) return null;
  return isOperation(value) ? value as unknown as Call : { op: 'none', id: value['id'] };
}

function isOperation(call: Fields): boolean {
  const { key, name, text, version, ttlMs, fence, token, watch } = call;
  const writes = isString(key) && maybe(ttlMs, isTtl) && maybe(fence, isFence);
  switch (call['op']) {
    case 'get': return isString(key);
    case 'set': return writes && isString(text);
    case 'delete': return isString(key) && maybe(version, isCount) && maybe(fence, isFence);
    case 'increment': return writes && Number.isFinite(call['by']);
    case 'compareAndSet': return writes && isString(text) && isCount(version);
    case 'lock': return isString(name) && isTtl(ttlMs) && typeof call['wait'] === 'boolean';
    case 'renew': return isString(name) && isCount(token) && isTtl(ttlMs);
    case 'release': return isString(name) && isCount(token);
    case 'holder': return isString(name);
    case 'watch': {
      const { prefix, since, beat } = call;
      return isCount(watch) && isString(prefix) && maybe(since, (given) => given === 'now' || isCount(given))
        && maybe(beat, (given) => typeof given === 'boolean');
    }
    case 'unwatch': return isCount(watch);
    default: return false;
  }
}

/** What the primary sent, if it makes sense. */
export function readServerMessage(value: unknown): ServerMessage | null {
  if (!isStateMessage(value)) return null;
  switch (value['act']) {
    case 'announce': case 'closed': break;
    case 'welcome': if (!isLimits(value['limits'])) return null; break;
    case 'answers': if (!isListOf(value['answers'], isAnswer)) return null; break;
    case 'events': if (!isListOf(value['batches'], isBatch)) return null; break;
    default: return null;
  }
  return value as unknown as ServerMessage;
}

const isListOf = (value: unknown, is: (item: unknown) => boolean): boolean => Array.isArray(value) && value.every(is);
const isNumber = (value: unknown): value is number => Number.isFinite(value);

function isAnswer(value: unknown): boolean {
  if (!isObject(value) || !isCount(value['id'])) return false;
  const { result, error } = value;
  if (isObject(error)) return isString(error['code']) && isString(error['message']) && maybe(error['limit'], isString);
  return isObject(result) && maybe(result['text'], isString) && maybe(result['done'], (done) => typeof done === 'boolean')
    && ['version', 'expiresAt', 'token', 'holder', 'waiting'].every((name) => maybe(result[name], isNumber));
}

function isBatch(value: unknown): boolean {
  if (!isObject(value)) return false;
  const { watch, batch, events, reset, version, time, current, ask } = value;
  return isCount(watch) && isCount(batch) && isCount(version) && isNumber(time) && typeof current === 'boolean' && typeof ask === 'boolean'
    && maybe(reset, (part) => part === 'part' || part === 'last') && isListOf(events, isKeyEvent);
}

function isKeyEvent(value: unknown): boolean {
  return isObject(value) && isString(value['key']) && isCount(value['version'])
    && (isString(value['text']) || value['gone'] === 'deleted' || value['gone'] === 'expired');
}
