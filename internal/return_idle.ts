/**
 * `returnIdle`, which the Workers of a primary have, and the Worker in a worker (lib/cluster.ts documents it).
 *
 * Used by  master/index.ts, child/index.ts
 * Node     has no such method (D59)
 */
import { NativeObject } from './builtins';
import { invalidArgValue } from './errors';
import { ownOptions } from './own_options';
import { checkNames } from './validate';
import type { Worker } from './worker';

/** The options of `returnIdle`. */
export interface ReturnIdleOptions {
  /** The most connections; all idle ones by default. */
  readonly max?: number | undefined;
}

/** Gives a Worker its `returnIdle` (D59). It is not enumerable: the keys of a Worker stay the same as Node's. */
export function addReturnIdle(worker: Worker, returnIdle: (max: number) => Promise<number> | boolean): void {
  const value = (options?: ReturnIdleOptions): Promise<number> | boolean => returnIdle(maxOf(options));
  NativeObject.defineProperty(worker, 'returnIdle', { value, configurable: true, writable: true });
}

/** The option `max`. Throws ERR_INVALID_ARG_TYPE and ERR_INVALID_ARG_VALUE. */
function maxOf(options: ReturnIdleOptions | undefined): number {
  if (options === undefined) return Infinity;
  checkNames('options', options, ['max']);
  const { max = Infinity } = ownOptions(options, ['max']);
  if (typeof max !== 'number' || !(max >= 0) || (max !== Infinity && max % 1 !== 0)) throw invalidArgValue('options.max', max, 'must be a whole number >= 0, or Infinity');
  return max;
}
