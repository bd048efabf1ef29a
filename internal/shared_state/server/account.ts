/**
 * What one process has of what all share: keys, bytes and locks, each with its quota.
 *
 * Used by  session.ts, which gives each process one; store.ts and locks.ts charge it
 * Keeps    1. a key, with the bytes of its value, counts for the process that wrote it last; when that
 *             process ends, the key stays, and counts for nobody but in all
 *          2. what was refused was not charged
 */
import type { Limits } from '../protocol';
import { stateError } from '../values';

type Quota = 'keysPerProcess' | 'bytesPerProcess' | 'locksPerProcess';

const WORDS: Record<Quota, string> = {
  keysPerProcess: 'keys of its own',
  bytesPerProcess: 'bytes of keys and values of its own',
  locksPerProcess: 'locks that it holds or waits for',
};

/** The account of one process. */
export class Account {
  keys = 0;
  bytes = 0;
  locks = 0;
  readonly #limits: Limits | null;

  /** `limits` null: an account without quotas, as the primary's is. */
  constructor(limits: Limits | null) {
    this.#limits = limits;
  }

  /** Throws ERR_SHARED_STATE_LIMIT if the process would have more than its quota. */
  check(quota: Quota, would: number): void {
    const most = this.#limits?.[quota] ?? Infinity;
    if (would <= most) return;
    throw stateError('ERR_SHARED_STATE_LIMIT', `This process would have ${would} ${WORDS[quota]}; limits.${quota} is ${most}`, { limit: quota });
  }
}
