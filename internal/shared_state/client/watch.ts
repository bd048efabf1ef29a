/**
 * What `watch` gives: the events of all keys under a prefix, in order, as an async iterable.
 *
 * Owns     the batches that came and are not consumed; the server sends few more until they are
 * Keeps    1. events come in the order of their versions, each once; what could not be kept for a
 *             slow reader comes as one `reset`
 *          2. `version` is how far the reader is: `watch(prefix, { since: version })` goes on there
 */
import type { StateClient, Watcher } from './client';
import type { Batch, KeyEvent } from '../protocol';
import { abortReason, isAborted, onAbort } from './abort_signals';
import { stateError } from '../values';

/** A key and its value, with the version of the write that made it. */
export interface WatchedEntry { readonly key: string; readonly value: unknown; readonly version: number }

/** What a watch tells. `reset`: this is all there is; forget what you knew. It comes first unless `since` was given. */
export type WatchEvent =
  | { readonly type: 'set'; readonly key: string; readonly value: unknown; readonly version: number }
  | { readonly type: 'delete'; readonly key: string; readonly version: number; readonly reason: 'deleted' | 'expired' }
  | { readonly type: 'reset'; readonly entries: readonly WatchedEntry[]; readonly version: number };

type Next = { readonly resolve: (result: IteratorResult<WatchEvent, undefined>) => void; readonly reject: (error: unknown) => void };

/** Events under a prefix; iterate it once. */
export class Watch implements AsyncIterableIterator<WatchEvent, undefined, undefined> {
  /** Fulfilled when the primary knows of this watch: what is written from then on is told. */
  readonly ready: Promise<void>;
  readonly #client: StateClient;
  readonly #unwatch: () => void;
  #stopListening: () => void = () => undefined;
  readonly #queue: { readonly event: WatchEvent; readonly consumes: Batch | undefined }[] = [];
  readonly #next: Next[] = [];
  #opened: { resolve(): void; reject(error: unknown): void } | undefined;
  /** Parts of a reset that is not complete. */
  #parts: KeyEvent[] = [];
  /** The last version that came from the server, and the last that the reader has taken. */
  #received: number | 'now' | undefined;
  #version = 0;
  #end_: { error: unknown } | undefined;

  constructor(client: StateClient, prefix: string, since: number | 'now' | undefined, signal: AbortSignal | undefined) {
    this.#client = client;
    this.#received = since;
    if (typeof since === 'number') this.#version = since;
    this.ready = new Promise((resolve, reject) => { this.#opened = { resolve, reject }; });
    this.ready.catch(() => undefined); // The iteration tells it as well.
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

  /** How far the reader is. */
  get version(): number {
    return this.#version;
  }

  next(): Promise<IteratorResult<WatchEvent, undefined>> {
    const first = this.#queue.shift();
    if (first !== undefined) {
      this.#version = first.event.version;
      if (first.consumes !== undefined) this.#client.consumed(first.consumes);
      return Promise.resolve({ done: false, value: first.event });
    }
    if (this.#end_ === undefined) return new Promise((resolve, reject) => this.#next.push({ resolve, reject }));
    const { error } = this.#end_;
    this.#end_ = { error: undefined }; // Told once.
    return error === undefined ? Promise.resolve({ done: true, value: undefined }) : Promise.reject(error);
  }

  /** Ends the watch; an iteration under way ends too. */
  close(): void {
    this.#queue.length = 0;
    this.#end(undefined);
  }

  return(): Promise<IteratorResult<WatchEvent, undefined>> {
    this.close();
    return Promise.resolve({ done: true, value: undefined });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #whenOpened(version: number): void {
    this.#parts = []; // Of a reset that an earlier connection did not finish.
    // From now on a new connection goes on where this one began.
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
    // A watch that never opened says why; one that was ended says that.
    this.#opened?.reject(error ?? stateError('ERR_SHARED_STATE_CLOSED', 'The watch was closed'));
    this.#unwatch();
    const [first, ...others] = this.#next.splice(0);
    if (first !== undefined) void this.next().then(first.resolve, first.reject);
    for (const { resolve } of others) resolve({ done: true, value: undefined });
  }
}
