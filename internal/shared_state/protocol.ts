/**
 * The messages of the shared state, in both directions, as types. `guards.ts` checks what arrives against them.
 *
 * The server runs in the primary (server/server.ts). Each process that uses the shared state has a client
 * (client/client.ts), the primary too. Imports nothing, so that both sides can import it.
 *
 * On the wire each message is `{ cmd: 'NODE_CLUSTER_STATE', act, … }`. Node does not emit 'message' for a `cmd`
 * that begins with NODE_, so the program's own listeners never see these messages, under stock Node as well;
 * and Node's cluster ignores each `cmd` but its own. Values travel as JSON text, which the primary stores as
 * it came.
 *
 * Wire     C → S hello              S → C welcome(limits)
 *          C → S calls [call, …]    S → C answers [answer, …]  one answer for each id; that of 'lock' may take long
 *          C → S cancel(id)         the server takes a waiting 'lock' call out of the queue and answers it at once
 *          S → C events [batch, …]  C → S consumed(watch, batch) for each batch with `ask: true`
 *          C → S bye                the client was closed; the channel of its process stays open
 *          S → C announce           the server was opened after the worker: the client shall say hello
 *          S → C closed             the server was closed, or has cut this process off; the process goes on
 */

/** The `cmd` of each message of the shared state. */
export const STATE = 'NODE_CLUSTER_STATE';

/**
 * The limits of a shared state. The primary refuses what would go beyond one. Each is a whole number, 1 or
 * more, in the unit that its line names; the bytes of a key or value are those of its UTF-8 text. A limit "of
 * one process" counts for each worker separately, so that one worker cannot use up what all share. The
 * primary itself has no quota of keys, bytes and locks.
 */
export interface Limits {
  /** Keys of all processes together. */
  readonly keys: number;
  /** Keys that one process was the last to write. Default: half of `keys`, or all of them where `keys` is less than 8. */
  readonly keysPerProcess: number;
  /** Bytes of one key, one prefix or the name of one lock. */
  readonly keyBytes: number;
  /** Bytes of one value as JSON. */
  readonly valueBytes: number;
  /** Bytes of all keys and values together. */
  readonly totalBytes: number;
  /**
   * Bytes of the keys, with their values, that one process was the last to write. Default: half of `totalBytes`, but
   * enough for one key and one value of the greatest size.
   */
  readonly bytesPerProcess: number;
  /** Watches of one process. A replica counts as one. */
  readonly watches: number;
  /** Locks that are held, plus calls that wait for one, of all processes together. */
  readonly locks: number;
  /** Locks that one process holds or waits for. Default: half of `locks`, or all of them where `locks` is less than 8. */
  readonly locksPerProcess: number;
  /** Unanswered calls of one process. Its client counts before it sends a call, the primary when one arrives. */
  readonly pendingCalls: number;
  /** Bytes of answers and events that were sent to one process and that it has not read. */
  readonly unreadBytes: number;
  /** Events that the primary remembers, for watches that lag behind or resume. */
  readonly history: number;
}

/** The primary cuts a process off beyond this number of unanswered calls. No client that counts its calls can reach it. */
export const mostPending = ({ pendingCalls, locksPerProcess, watches }: Limits): number => 2 * pendingCalls + locksPerProcess + watches + 1000;

/**
 * Is it an operation that `limits.pendingCalls` does not refuse? These give something back or keep what the
 * process has: if a release were refused, the lock would stay locked although nobody uses it.
 */
export const isHousekeeping = (op: string): boolean => op === 'release' || op === 'renew' || op === 'watch' || op === 'unwatch';

/** Names one lease. A write that carries it is done only if its sender holds this lease when the primary does the write. */
export interface Fence { readonly name: string; readonly token: number }

// ── client → server ──────────────────────────────────────────────────────────────────────────────

/** What a call asks for. `version` 0 stands for "there is no such key". */
export type Operation =
  | { readonly op: 'get'; readonly key: string }
  | { readonly op: 'set'; readonly key: string; readonly text: string } & WriteOptions
  /** `version`: delete only if the key still has this version. */
  | { readonly op: 'delete'; readonly key: string; readonly version?: number | undefined; readonly fence?: Fence | undefined }
  | { readonly op: 'increment'; readonly key: string; readonly by: number } & WriteOptions
  | { readonly op: 'compareAndSet'; readonly key: string; readonly version: number; readonly text: string } & WriteOptions
  /** `wait: false`: answer at once, without a token if another caller holds the lock. */
  | { readonly op: 'lock'; readonly name: string; readonly ttlMs: number; readonly wait: boolean }
  | { readonly op: 'renew'; readonly name: string; readonly token: number; readonly ttlMs: number }
  | { readonly op: 'release'; readonly name: string; readonly token: number }
  | { readonly op: 'holder'; readonly name: string }
  /**
   * `watch`: a number that the client has chosen. `since`: continue after this version; without it the watch begins
   * with a reset. `beat`: send a batch each second even if nothing happens.
   */
  | { readonly op: 'watch'; readonly watch: number; readonly prefix: string; readonly since?: number | 'now' | undefined; readonly beat?: boolean | undefined }
  | { readonly op: 'unwatch'; readonly watch: number };

interface WriteOptions { readonly ttlMs?: number | undefined; readonly fence?: Fence | undefined }

/** The name of an operation. */
export type OperationName = Operation['op'];

/** The operation, or the operations, of these names. */
export type OperationOf<Op extends OperationName> = Extract<Operation, { readonly op: Op }>;

/** One call. Its answer has the same id. If the channel ends before the answer comes, the client rejects the call. */
export type Call = Operation & { readonly id: number };

/**
 * The client wants to use the shared state, or answers `announce`. The server replies `welcome`. If there is no server
 * yet, this message is lost, and the server sends `announce` when it opens.
 */
export interface Hello { readonly act: 'hello' }
/** The calls of one turn of the client's event loop. Each is checked separately: a bad one is refused and the others are done. */
export interface Calls { readonly act: 'calls'; readonly calls: readonly unknown[] }
/** The caller of a 'lock' waits no longer. If the grant is on its way already, the client releases the lock when it comes. */
export interface Cancel { readonly act: 'cancel'; readonly id: number }
/** The program has taken all events up to this batch, so the server may send more. */
export interface Consumed { readonly act: 'consumed'; readonly watch: number; readonly batch: number }
/** The client was closed: the server frees its locks and ends its watches. */
export interface Bye { readonly act: 'bye' }

/** Client → server. */
export type ClientMessage = Hello | Calls | Cancel | Consumed | Bye;

// ── server → client ──────────────────────────────────────────────────────────────────────────────

/** A key and its value; or version 0, without a text, where there is no such key. `expiresAt`: the time at which the key is removed. */
export type Found = Content | { readonly version: number; readonly text?: undefined; readonly expiresAt?: undefined };

interface Content { readonly version: number; readonly text: string; readonly expiresAt?: number | undefined }

/** What each operation results in. Times are those of `machineClock`, which is the same clock in all processes. */
export interface Results {
  readonly get: Found;
  /** The new version. The value is not sent back: the writer has it. */
  readonly set: { readonly version: number };
  /** `done: false`: there is no such key, or it has another version. */
  readonly delete: { readonly done: boolean; readonly version: number };
  /** The sum, as JSON text. */
  readonly increment: Content;
  /** `done: false`: the key has another version; the fields are what it is now. */
  readonly compareAndSet: { readonly done: true; readonly version: number } | { readonly done: false } & Found;
  /** The lease. Without a token: another caller holds the lock and `wait` was false, or the call was cancelled. */
  readonly lock: { readonly token: number; readonly expiresAt: number } | { readonly token?: undefined };
  readonly renew: { readonly expiresAt: number };
  /** `done: false`: the caller did not hold the lock any more. */
  readonly release: { readonly done: boolean };
  /** The lock's holder, a worker's id or 0 for the primary, and the number of calls that wait. Without a holder: the lock is free. */
  readonly holder: { readonly holder: number; readonly token: number; readonly expiresAt: number; readonly waiting: number } | { readonly holder?: undefined };
  /** The version at which the server began to watch. */
  readonly watch: { readonly version: number };
  /** `done: false`: there was no such watch. */
  readonly unwatch: { readonly done: boolean };
}

/** What the operation, or one of the operations, of these names results in. */
export type ResultOf<Op extends OperationName> = Results[Op];

/**
 * Why an operation was not done. `limit`: which limit it would have gone beyond. `maybeDone`: it may have been done all
 * the same; only a store says so, a primary always knows.
 */
export interface Refusal {
  readonly code: string;
  readonly message: string;
  readonly limit?: keyof Limits | undefined;
  readonly maybeDone?: boolean | undefined;
}

/** The answer to one call. Its receiver knows which operation the id belongs to, and checks `result` with `isResultOf`. */
export type Answer<Result = ResultOf<OperationName>> = { readonly id: number; readonly result: Result } | { readonly id: number; readonly error: Refusal };

/** A change of a key: its new value (`text`), or the reason why it was removed (`gone`). */
export interface KeyEvent {
  readonly key: string;
  readonly version: number;
  readonly text?: string | undefined;
  readonly gone?: 'deleted' | 'expired' | undefined;
}

/**
 * Some of the events of one watch, in order. With `reset` the events are all keys under the prefix instead,
 * in several batches: the watch forgets what it knew and begins with these. The last of them has 'last'.
 */
export interface Batch {
  readonly watch: number;
  readonly batch: number;
  readonly events: readonly KeyEvent[];
  readonly reset?: 'part' | 'last' | undefined;
  /** The watch has received all changes up to this version, unless this batch is a part of a reset. */
  readonly version: number;
  /** When the server made this batch. */
  readonly time: number;
  /** The watch has received everything that had happened by `time`. */
  readonly current: boolean;
  /** The server wants a `consumed` for this batch before it sends much more. */
  readonly ask: boolean;
}

/** The server is open. The client replies `hello`. */
export interface Announce { readonly act: 'announce' }
/** The reply to `hello`: from now on the server does this client's calls. */
export interface Welcome { readonly act: 'welcome'; readonly limits: Limits }
/** The answers to calls, also those of several messages together. */
export interface Answers<Result = ResultOf<OperationName>> { readonly act: 'answers'; readonly answers: readonly Answer<Result>[] }
/** Events of this client's watches. */
export interface Events { readonly act: 'events'; readonly batches: readonly Batch[] }
/** The shared state was closed in the primary, or this process was cut off from it. No reply. */
export interface Closed { readonly act: 'closed' }

/** Server → client, as the server sends it. */
export type ServerMessage = Announce | Welcome | Answers | Events | Closed;

/** Server → client, as it was received: which operation a result belongs to is not known yet. */
export type ReceivedServerMessage = Announce | Welcome | Answers<unknown> | Events | Closed;
