/**
 * A watch: the events of all keys under a prefix, in order, as an async iterable.
 *
 * Owns     the batches that have arrived and that the program has not taken. The server stops sending when there are
 *          many of them
 * Used by  api.ts
 * Keeps    1. events come in the order of their versions, each once. If the history of the primary has dropped
 *             events that a slow reader has not received, the reader gets one 'reset' in their place
 *          2. `version` is the version up to which the program has taken the events:
 *             `watch(prefix, { since: version })` continues there
 */
import type { StateClient, Watcher } from './client';
import type { Batch, KeyEvent } from '../protocol';
import { abortReason, isAborted, onAbort } from './abort_signals';
import { stateError } from '../values';

/** A key of a 'reset' event: its value, and the version of the write that made it. */
export interface WatchedEntry { readonly key: string; readonly value: unknown; readonly version: number }

/** An event of a watch. 'reset' lists all keys under the prefix: what the program knew before is out of date. It is the first event unless `since` is given. */
export type WatchEvent =
  | { readonly type: 'set'; readonly key: string; readonly value: unknown; readonly version: number }
  | { readonly type: 'delete'; readonly key: string; readonly version: number; readonly reason: 'deleted' | 'expired' }
  | { readonly type: 'reset'; readonly entries: readonly WatchedEntry[]; readonly version: number };

/** A call of `next` that waits for an event. */
type Next = { readonly resolve: (result: IteratorResult<WatchEvent, undefined>) => void; readonly reject: (error: unknown) => void };

/** The events of all keys under a prefix; `watch` returns it. It can be iterated once. */
export class Watch implements AsyncIterableIterator<WatchEvent, undefined, undefined> {
  /** Resolves when the primary has begun to watch: each later write is an event. Rejects if the watch ends before. */
  readonly ready: Promise<void>;
  readonly #client: StateClient;
  readonly #unwatch: () => void;
  #stopListening: () => void = () => undefined;
  /** Events that the program has not taken. `consumes`: the batch whose last event this is. */
  readonly #queue: { readonly event: WatchEvent; readonly consumes: Batch | undefined }[] = [];
  readonly #next: Next[] = [];
  #opened: { resolve(): void; reject(error: unknown): void } | undefined;
  /** The batches of a reset that is not complete. */
  #parts: KeyEvent[] = [];
  /** Up to where the server has sent the events, and up to where the program has taken them. */
  #received: number | 'now' | undefined;
  #version = 0;
  #end_: { error: unknown } | undefined;

  constructor(client: StateClient, prefix: string, since: number | 'now' | undefined, signal: AbortSignal | undefined) {
    this.#client = client;
    this.#received = since;
    if (typeof since === 'number') this.#version = since;
    this.ready = new Promise((resolve, reject) => { this.#opened = { resolve, reject }; });
    this.ready.catch(() => undefined); // The iteration throws the same error, so this one need not be handled.
    const watch = this;
    this.#unwatch = client.watch({
      prefix,
      beat: false,
      get since() { return watch.#received; },
      opened: (version) => this.#whenOpened(version),
      batch: (batch) => this.#take(batch),
      ended: (error) => this.#end(error),
    } satisfies Watcher);
    if (signal === undefined) return;
    if (isAborted(signal)) this.#end(abortReason(signal));
    else this.#stopListening = onAbort(signal, () => this.#end(abortReason(signal)));
  }

  /** The version up to which the program has taken the events. */
  get version(): number {
    return this.#version;
  }

  /** Waits for the next event. Rejects once with the error that has ended the watch. */
  next(): Promise<IteratorResult<WatchEvent, undefined>> {
    const first = this.#queue.shift();
    if (first !== undefined) {
      this.#version = first.event.version;
      if (first.consumes !== undefined) this.#client.consumed(first.consumes);
      return Promise.resolve({ done: false, value: first.event });
    }
    if (this.#end_ === undefined) return new Promise((resolve, reject) => this.#next.push({ resolve, reject }));
    const { error } = this.#end_;
    this.#end_ = { error: undefined }; // The error is thrown once; later calls are done.
    return error === undefined ? Promise.resolve({ done: true, value: undefined }) : Promise.reject(error);
  }

  /** Ends the watch. A running iteration ends without an error. */
  close(): void {
    this.#queue.length = 0;
    this.#end(undefined);
  }

  /** Called by a `for await` loop that ends early. */
  return(): Promise<IteratorResult<WatchEvent, undefined>> {
    this.close();
    return Promise.resolve({ done: true, value: undefined });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #whenOpened(version: number): void {
    this.#parts = []; // An earlier connection may have left a part of a reset.
    // A new connection must continue at this version, not at its own 'now'.
    if (this.#received === 'now') this.#received = this.#version = version;
    this.#opened?.resolve();
  }

  #take(batch: Batch): void {
    if (this.#end_ !== undefined) return;
    const events: WatchEvent[] = [];
    if (batch.reset !== undefined) {
      this.#parts = this.#parts.concat(batch.events);
      if (batch.reset === 'last') {
        const entries = this.#parts.map(({ key, text, version }) => ({ key, value: JSON.parse(text as string) as unknown, version }));
        this.#parts = [];
        events.push({ type: 'reset', entries, version: batch.version });
      }
    } else {
      for (const { key, text, version, gone = 'deleted' } of batch.events) {
        events.push(text === undefined ? { type: 'delete', key, version, reason: gone } : { type: 'set', key, value: JSON.parse(text) as unknown, version });
      }
    }
    if (batch.reset !== 'part') this.#received = batch.version;
    if (events.length === 0) this.#client.consumed(batch);
    events.forEach((event, at) => this.#push(event, at === events.length - 1 ? batch : undefined));
  }

  #push(event: WatchEvent, consumes: Batch | undefined): void {
    this.#queue.push({ event, consumes });
    const waiting = this.#next.shift();
    if (waiting !== undefined) void this.next().then(waiting.resolve, waiting.reject);
  }

  #end(error: unknown): void {
    if (this.#end_ !== undefined) return;
    this.#end_ = { error };
    this.#stopListening();
    this.#parts = [];
    this.#opened?.reject(error ?? stateError('ERR_SHARED_STATE_CLOSED', 'The watch was closed'));
    this.#unwatch();
    const [first, ...others] = this.#next.splice(0);
    if (first !== undefined) void this.next().then(first.resolve, first.reject);
    for (const { resolve } of others) resolve({ done: true, value: undefined });
  }
}
