/**
 * Counts what one process has of the things that all processes share: keys, their bytes, and locks. Each of the
 * three has a quota, so that one process cannot take everything.
 *
 * Used by  session.ts, which makes one for each process; store.ts and locks.ts, which count in it; carry_over.ts (for keys whose writer is gone)
 * Keeps    1. a key, with the bytes of its value, counts for the process that wrote it last. When that process
 *             ends, the key stays and counts for no process, but still for `limits.keys` and `limits.totalBytes`
 *          2. an operation that is refused is not counted
 */
import type { Limits } from '../protocol';
import { stateError } from '../values';

type Quota = 'keysPerProcess' | 'bytesPerProcess' | 'locksPerProcess';

/** How the error names what a quota counts. */
const WORDS: Record<Quota, string> = {
  keysPerProcess: 'keys of its own',
  bytesPerProcess: 'bytes of keys and values of its own',
  locksPerProcess: 'locks that it holds or waits for',
};

/** What one process has. */
export class Account {
  keys = 0;
  bytes = 0;
  locks = 0;
  readonly #limits: Limits | null;

  /** `limits`: null for the primary, which has no quota. */
  constructor(limits: Limits | null) {
    this.#limits = limits;
  }

  /** Throws ERR_SHARED_STATE_LIMIT if `would`, the number that the process would have, is more than its quota. */
  check(quota: Quota, would: number): void {
    const most = this.#limits?.[quota] ?? Infinity;
    if (would <= most) return;
    throw stateError('ERR_SHARED_STATE_LIMIT', `This process would have ${would} ${WORDS[quota]}; limits.${quota} is ${most}`, { limit: quota });
  }
}
