/**
 * Calls of the shared state that reach each method of a store, and how they end.
 *
 * Used by  store.test.ts, store_adversary.test.ts, redis_bad_input.test.ts, redis_faults.test.ts
 */
import type { SharedState, SharedStore, StateError } from '../../lib/shared_state';

/** Each method of a store but those of a lease, by a call of the shared state. */
export const calls: Record<Exclude<keyof SharedStore, 'renew' | 'release'>, (state: SharedState) => Promise<unknown>> = {
  get: (state) => state.get('k'),
  set: (state) => state.set('k', 1),
  compareAndSet: (state) => state.compareAndSet('c', 0, 1),
  increment: (state) => state.increment('n'),
  delete: (state) => state.delete('k'),
  acquire: (state) => state.lock('l', { timeoutMs: 0 }),
  list: (state) => state.watch('').ready,
  changes: (state) => state.watch('', { since: 'now' }).ready,
  watch: (state) => state.watch('').ready,
};

export const methods = Object.keys(calls) as (keyof typeof calls)[];

/** The code of an error without its beginning, and whether the call may have been done. */
export const codeOf = ({ code, maybeDone }: StateError): string => `${code.replace('ERR_SHARED_STATE_', '')}${maybeDone === true ? ', maybe done' : ''}`;

/** How a call ends: 'done', or with which code. */
export const outcome = (call: Promise<unknown>): Promise<string> => call.then(() => 'done', codeOf);
