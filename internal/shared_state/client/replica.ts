/**
 * What `replica` gives: a copy of all keys under a prefix in this process, read without a question
 * to the primary. Each read says how old it is.
 *
 * Keeps    `ageMs` is never too small: it counts from the moment at which the primary said "this is
 *          all there is", on the clock that all processes share. While nothing happens the primary
 *          says so every second; an age that grows means that the primary is gone or busy
 */
import type { StateClient } from './client';
import type { Batch, KeyEvent } from '../protocol';
import { stateError } from '../values';

/** One read of a replica. An absent key has the value undefined and version 0. */
export interface ReplicaRead<Value = unknown> {
  readonly value: Value | undefined;
  readonly version: number;
  /** So many milliseconds ago this was surely what the primary had. */
  readonly ageMs: number;
}

/** A copy of what is under a prefix. */
export class Replica {
  /** Fulfilled with this replica when it has everything for the first time. */
  readonly ready: Promise<this>;
  readonly #client: StateClient;
  readonly #unwatch: () => void;
  #values = new Map<string, { readonly text: string; readonly version: number }>();
  #parts: KeyEvent[] = [];
  #since: number | undefined;
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
      opened: () => { this.#parts = []; }, // Of a reset that an earlier connection did not finish.
      batch: (batch) => this.#take(batch),
      ended: (error) => this.#end(error),
    });
  }

  /** What this process knows of a key, now. The value is the caller's own copy. */
  get<Value = unknown>(key: string): ReplicaRead<Value> {
    const found = this.#values.get(key);
    const value = found === undefined ? undefined : JSON.parse(found.text) as Value;
    return { value, version: found?.version ?? 0, ageMs: this.ageMs };
  }

  /** The keys that are there. */
  keys(): string[] {
    return [...this.#values.keys()];
  }

  /** How old everything in here is, in milliseconds, at most. */
  get ageMs(): number {
    return this.#client.clock.now() - this.#asOf;
  }

  /** It has every change up to here. */
  get version(): number {
    return this.#since ?? 0;
  }

  /** Why it is not kept up to date any more; undefined while it is. */
  get error(): Error | undefined {
    return this.#error;
  }

  /** Lets go of it: it answers on, with a growing age. */
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
