/**
 * A copy of all keys under a prefix in this process. A program reads it without a call to the primary, and learns
 * with each read how old the copy is.
 *
 * Used by  api.ts
 * Keeps    `ageMs` is never too small. It counts from the moment when the primary made the latest batch behind which
 *          nothing else waited; all processes share the clock. If nothing happens, the primary sends such a batch
 *          each second, so an age that goes on growing means that the primary is gone or busy
 */
import type { StateClient } from './client';
import type { Batch, KeyEvent } from '../protocol';
import { stateError } from '../values';

/** The result of a read. A key that does not exist has the value undefined and version 0. */
export interface ReplicaRead<Value = unknown> {
  readonly value: Value | undefined;
  readonly version: number;
  /** At most so many milliseconds ago, this was what the primary had. */
  readonly ageMs: number;
}

/** A copy of the keys under a prefix; `replica` returns it. */
export class Replica {
  /** Resolves to this replica when the copy is complete for the first time; rejects if it ends before. */
  readonly ready: Promise<this>;
  readonly #client: StateClient;
  readonly #unwatch: () => void;
  #values = new Map<string, { readonly text: string; readonly version: number }>();
  /** The batches of a reset that is not complete. */
  #parts: KeyEvent[] = [];
  /** The copy has all changes up to this version. */
  #since: number | undefined;
  /** When the copy was surely complete. */
  #asOf = -Infinity;
  #opened: { resolve(): void; reject(error: unknown): void } | undefined;
  #error: Error | undefined;

  constructor(client: StateClient, prefix: string) {
    this.#client = client;
    this.ready = new Promise<this>((resolve, reject) => { this.#opened = { resolve: () => resolve(this), reject }; });
    this.ready.catch(() => undefined);
    const replica = this;
    this.#unwatch = client.watch({
      prefix,
      beat: true,
      get since() { return replica.#since; },
      opened: () => { this.#parts = []; }, // An earlier connection may have left a part of a reset.
      batch: (batch) => this.#take(batch),
      ended: (error) => this.#end(error),
    });
  }

  /** Reads a key of the copy. The value is a new object each time, so the caller may change it. */
  get<Value = unknown>(key: string): ReplicaRead<Value> {
    const found = this.#values.get(key);
    const value = found === undefined ? undefined : JSON.parse(found.text) as Value;
    return { value, version: found?.version ?? 0, ageMs: this.ageMs };
  }

  /** The keys of the copy. */
  keys(): string[] {
    return [...this.#values.keys()];
  }

  /** The age of the copy: at most so many milliseconds ago, it was what the primary had. */
  get ageMs(): number {
    return this.#client.clock.now() - this.#asOf;
  }

  /** The copy has all changes up to this version. */
  get version(): number {
    return this.#since ?? 0;
  }

  /** Why the copy is not kept up to date any more; undefined while it is. */
  get error(): Error | undefined {
    return this.#error;
  }

  /** Stops keeping the copy up to date. It can still be read; its age grows. */
  close(): void {
    this.#unwatch();
    this.#end(undefined);
  }

  #take(batch: Batch): void {
    if (batch.reset !== undefined) this.#parts = this.#parts.concat(batch.events);
    if (batch.reset === 'last') {
      this.#values = new Map(this.#parts.map(({ key, text, version }) => [key, { text: text as string, version }]));
      this.#parts = [];
    } else if (batch.reset === undefined) {
      for (const { key, text, version } of batch.events) {
        if (text === undefined) this.#values.delete(key);
        else this.#values.set(key, { text, version });
      }
    }
    if (batch.reset !== 'part') this.#since = batch.version;
    if (batch.current) this.#asOf = batch.time;
    this.#client.consumed(batch);
    if (batch.reset !== 'part') this.#opened?.resolve();
  }

  #end(error: Error = stateError('ERR_SHARED_STATE_CLOSED', 'The replica was closed')): void {
    this.#error ??= error;
    this.#opened?.reject(error);
  }
}
