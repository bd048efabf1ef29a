/**
 * What the client agrees on with those who use it: how long a call may take, and what a watch is told.
 *
 * Used by  client.ts, api.ts, watch.ts, replica.ts
 */
import type { Batch } from '../protocol';

/** When a caller stops to wait. */
export interface CallOptions {
  /** Rejects the call with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /** Rejects the call after so many milliseconds; Infinity: never. */
  readonly timeoutMs?: number | undefined;
}

/** A watch or a replica, as the client sees it. */
export interface Watcher {
  readonly prefix: string;
  readonly beat: boolean;
  /** Where to go on after a new connection. */
  readonly since: number | 'now' | undefined;
  /** The server has taken it on, at this version. */
  opened(version: number): void;
  batch(batch: Batch): void;
  /** There will be no more; without an error if that was to be expected. */
  ended(error: Error | undefined): void;
}
