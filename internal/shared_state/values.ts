/**
 * What may be a key, a value or a number of this API, and the errors that say what may not.
 *
 * Used by  store.ts and leases.ts (limits), server.ts (refusals), client.ts and the public classes
 * Keeps    1. a value comes out as it went in: what JSON would change without a word (a Map, NaN, a
 *             Date) is refused, except that properties which are undefined are left out
 *          2. every error has a `code`; where a call may have been done all the same, `maybeDone` is true
 */
import { invalidArgType, nodeError } from '../errors';
import { MAX_TTL, isTtl, type Limits, type Refusal } from './protocol';

/** The codes of the shared state's own errors; wrong arguments have Node's own codes. */
export type StateErrorCode =
  | 'ERR_SHARED_STATE_LIMIT'          // beyond one of the limits, which `limit` names
  | 'ERR_SHARED_STATE_VALUE'          // a value that JSON cannot carry, or carries changed
  | 'ERR_SHARED_STATE_NOT_A_NUMBER'   // increment of something else, or beyond what a number can be
  | 'ERR_SHARED_STATE_LEASE_LOST'     // a lease that ran out, was released, or was never this holder's
  | 'ERR_SHARED_STATE_LOCKED'         // somebody else holds the lock, and there was no time to wait
  | 'ERR_SHARED_STATE_TIMEOUT'        // no answer in time; `maybeDone`
  | 'ERR_SHARED_STATE_DISCONNECTED'   // the channel with the primary has ended; `maybeDone`
  | 'ERR_SHARED_STATE_CLOSED'         // the shared state was closed, here or in the primary; `maybeDone`
  | 'ERR_SHARED_STATE_PROTOCOL';      // a call that the primary does not understand

/** What a rejected call of the shared state has besides its message. */
export interface StateError extends Error {
  readonly code: string;
  /** ERR_SHARED_STATE_LIMIT: which one. */
  readonly limit?: keyof Limits;
  /** True if the call was sent and its answer did not come: it may have been done. */
  readonly maybeDone?: boolean;
}

/** An error with a code of ours. */
export function stateError(code: StateErrorCode, message: string, more: { limit?: keyof Limits; maybeDone?: boolean } = {}): StateError {
  return Object.assign(nodeError(Error, code, message), more);
}

/** What the wire carries of an error. */
export function toRefusal(error: unknown): Refusal {
  const { code, message, limit } = error as StateError;
  const refusal = { code: typeof code === 'string' ? code : 'ERR_SHARED_STATE_PROTOCOL', message: String(message) };
  return limit === undefined ? refusal : { ...refusal, limit };
}

/** The error that the wire carried. */
export function fromRefusal({ code, message, limit }: Refusal): StateError {
  return Object.assign(nodeError(Error, code, message), limit === undefined ? {} : { limit });
}

/** What is allowed unless the primary says otherwise. */
export const defaultLimits: Limits = Object.freeze({
  keys: 100_000,
  keyBytes: 1024,
  valueBytes: 64 * 1024,
  totalBytes: 64 * 1024 * 1024,
  watches: 100,
  locks: 10_000,
  pendingCalls: 10_000,
  history: 10_000,
});

/** The limits with what the user wants changed. */
export function mergeLimits(given: Partial<Limits> | undefined): Limits {
  if (given === undefined) return defaultLimits;
  if (given === null || typeof given !== 'object') throw invalidArgType('options.limits', 'of type object', given);
  for (const [name, value] of Object.entries(given)) {
    if (!(name in defaultLimits)) {
      throw nodeError(TypeError, 'ERR_INVALID_ARG_VALUE', `There is no limit '${name}'; there are ${Object.keys(defaultLimits).join(', ')}`);
    }
    if (value !== undefined) checkNumber(`options.limits.${name}`, value, 1, Number.MAX_SAFE_INTEGER, true);
  }
  return Object.freeze({ ...defaultLimits, ...given });
}

/** Throws unless it is a string; `name` is the argument's. */
export function checkString(name: string, value: unknown): asserts value is string {
  if (typeof value !== 'string') throw invalidArgType(name, 'of type string', value);
}

/** Throws unless it is a number between these; NaN is between none. */
export function checkNumber(name: string, value: unknown, lowest: number, highest: number, whole = false): asserts value is number {
  if (typeof value !== 'number') throw invalidArgType(name, 'of type number', value);
  if (!(value >= lowest && value <= highest) || (whole && !Number.isInteger(value))) {
    throw nodeError(RangeError, 'ERR_OUT_OF_RANGE',
      `The value of "${name}" is out of range. It must be ${whole ? 'a whole number ' : ''}>= ${lowest} && <= ${highest}. Received ${value}`);
  }
}

/** Throws unless it is a time to live. */
export function checkTtl(name: string, value: unknown): asserts value is number {
  if (typeof value !== 'number') throw invalidArgType(name, 'of type number', value);
  if (!isTtl(value)) {
    throw nodeError(RangeError, 'ERR_OUT_OF_RANGE', `The value of "${name}" is out of range. It must be > 0 && <= ${MAX_TTL}. Received ${value}`);
  }
}

/** Throws if `text` is longer than the limit of that name. */
export function checkBytes(what: string, text: string, limits: Limits, limit: 'keyBytes' | 'valueBytes'): void {
  // No character has more than three bytes per unit: most texts need not be counted.
  if (text.length * 3 <= limits[limit]) return;
  const bytes = Buffer.byteLength(text);
  if (bytes > limits[limit]) {
    throw stateError('ERR_SHARED_STATE_LIMIT', `${what} has ${bytes} bytes; limits.${limit} is ${limits[limit]}`, { limit });
  }
}

/** A value as JSON text; throws ERR_SHARED_STATE_VALUE, which names the place, if it would come out as something else. */
export function encode(value: unknown): string {
  checkValue(value, 'The value', 0);
  return JSON.stringify(value);
}

/** Deeper than this no sensible value is; a circular one is. */
const MAX_DEPTH = 200;

function checkValue(value: unknown, where: string, depth: number): void {
  if (depth > MAX_DEPTH) throw unfit(where.slice(0, 80), `is circular, or deeper than ${MAX_DEPTH} levels`);
  switch (typeof value) {
    case 'string': case 'boolean': return;
    case 'number':
      if (!Number.isFinite(value)) throw unfit(where, `is ${value}, which JSON has no word for`);
      return;
    case 'object': break;
    default: throw unfit(where, `is ${value === undefined ? 'undefined' : `a ${typeof value}`}, which JSON cannot carry`);
  }
  if (value === null) return;
  if (Array.isArray(value)) {
    for (let at = 0; at < value.length; at++) checkValue(value[at], `${where}[${at}]`, depth + 1);
    return;
  }
  const prototype: unknown = Object.getPrototypeOf(value);
  // An object literal of another realm has a prototype of that realm's, whose own prototype is null.
  if (prototype !== null && Object.getPrototypeOf(prototype) !== null) {
    throw unfit(where, `is an instance of ${(value as object).constructor?.name ?? 'a class'}, which JSON would change: give a plain object`);
  }
  if (typeof (value as { toJSON?: unknown }).toJSON === 'function') throw unfit(where, 'has a toJSON, by which JSON would change it');
  for (const [name, member] of Object.entries(value)) {
    if (member !== undefined) checkValue(member, `${where}.${name}`, depth + 1);
  }
}

function unfit(where: string, why: string): Error {
  return stateError('ERR_SHARED_STATE_VALUE', `${where} ${why}`);
}
