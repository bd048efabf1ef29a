/**
 * What may be a key, a value or a number of this API, and the errors that say what may not.
 *
 * Used by  server/store.ts and server/locks.ts (limits), server/server.ts (refusals), client/client.ts and the public classes
 * Keeps    1. a value comes out as it went in: what JSON would change without a word (a Map, NaN, a
 *             Date, a property whose name is a symbol) is refused, except that properties which are
 *             undefined or not enumerable are left out, and getters leave what they gave
 *          2. every error has a `code`; where a call may have been done all the same, `maybeDone` is true
 */
import { invalidArgType, nodeError, outOfRange } from '../errors';
import { checkInteger, checkNames, checkObject } from '../validate';
import { MAX_TTL, isTtl } from './guards';
import type { Limits, Refusal } from './protocol';

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
  | 'ERR_SHARED_STATE_UNREACHABLE'    // this process or thread has no way to the one store; from sharedState() itself
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
  keysPerProcess: 50_000,
  keyBytes: 1024,
  valueBytes: 64 * 1024,
  totalBytes: 64 * 1024 * 1024,
  bytesPerProcess: 32 * 1024 * 1024,
  watches: 100,
  locks: 10_000,
  locksPerProcess: 5000,
  pendingCalls: 10_000,
  unreadBytes: 64 * 1024 * 1024,
  history: 10_000,
});

/** Below this a limit has no quota of its own: half of so little would be too little for the first who comes. */
const LEAST_SHARED = 8;

/** What one process may have of so many, unless the user says so. */
const shareOf = (most: number): number => (most < LEAST_SHARED ? most : Math.ceil(most / 2));

/** The limits with what the user wants changed; each property is read once. */
export function mergeLimits(given: Partial<Limits> | undefined): Limits {
  if (given === undefined) return defaultLimits;
  const read = { ...checkObject('options.limits', given) };
  checkNames('options.limits', read, Object.keys(defaultLimits));
  const merged: { -readonly [Name in keyof Limits]: number } = { ...defaultLimits };
  const named = new Set<keyof Limits>();
  for (const name of Object.keys(read) as (keyof Limits)[]) {
    if (read[name] === undefined) continue;
    merged[name] = checkInteger(`options.limits.${name}`, read[name], 1, Number.MAX_SAFE_INTEGER);
    named.add(name);
  }
  const { keys, locks, totalBytes, keyBytes, valueBytes } = merged;
  if (!named.has('keysPerProcess')) merged.keysPerProcess = shareOf(keys);
  if (!named.has('locksPerProcess')) merged.locksPerProcess = shareOf(locks);
  // At least the greatest key with the greatest value.
  if (!named.has('bytesPerProcess')) merged.bytesPerProcess = Math.min(totalBytes, Math.max(Math.ceil(totalBytes / 2), keyBytes + valueBytes));
  return Object.freeze(merged);
}

/** Throws ERR_INVALID_ARG_TYPE or ERR_OUT_OF_RANGE unless the value is a time to live in milliseconds. */
export function checkTtl(name: string, value: unknown): void {
  if (typeof value !== 'number') throw invalidArgType(name, 'of type number', value);
  if (!isTtl(value)) throw outOfRange(name, `> 0 && <= ${MAX_TTL}`, value);
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

/**
 * A value as JSON text; throws ERR_SHARED_STATE_VALUE, which names the place, if it would come out as
 * something else, and ERR_SHARED_STATE_LIMIT as soon as it has too many bytes. Each property is read
 * once, so that getters and proxies cannot pass with one value and be written with another; what they
 * throw is thrown.
 */
export function encode(value: unknown, limits: Limits): string {
  const text = new Encoder(limits).text(value, 'The value', 0);
  checkBytes('The value', text, limits, 'valueBytes');
  return text;
}

/** Deeper than this no sensible value is; a circular one is. */
const MAX_DEPTH = 200;

/** Writes one value. */
class Encoder {
  readonly #limits: Limits;
  /** Characters that there is room for. */
  #left: number;

  constructor(limits: Limits) {
    this.#limits = limits;
    this.#left = limits.valueBytes;
  }

  text(value: unknown, where: string, depth: number): string {
    if (depth > MAX_DEPTH) throw unfit(where.slice(0, 80), `is circular, or deeper than ${MAX_DEPTH} levels`);
    switch (typeof value) {
      case 'string': return this.#count(JSON.stringify(value));
      case 'boolean': return this.#count(value ? 'true' : 'false');
      case 'number':
        if (!Number.isFinite(value)) throw unfit(where, `is ${value}, which JSON has no word for`);
        return this.#count(Object.is(value, -0) ? '-0' : String(value));
      case 'object': break;
      default: throw unfit(where, `is ${value === undefined ? 'undefined' : `a ${typeof value}`}, which JSON cannot carry`);
    }
    if (value === null) return this.#count('null');
    this.#count('[]');
    return Array.isArray(value) ? this.#array(value, where, depth) : this.#object(value, where, depth);
  }

  #array(value: readonly unknown[], where: string, depth: number): string {
    const { length } = value;
    const items: string[] = [];
    for (let at = 0; at < length; at++) items.push(this.text(value[at], `${where}[${at}]`, depth + 1));
    if (Object.keys(value).length > length || Object.getOwnPropertySymbols(value).length > 0) {
      throw unfit(where, 'is an array with properties, which JSON would leave out');
    }
    return `[${items.join(',')}]`;
  }

  #object(value: object, where: string, depth: number): string {
    const prototype: unknown = Object.getPrototypeOf(value);
    // An object literal of another realm has a prototype of that realm's, whose own prototype is null.
    if (prototype !== null && Object.getPrototypeOf(prototype) !== null) {
      throw unfit(where, `is an instance of ${value.constructor?.name ?? 'a class'}, which JSON would change: give a plain object`);
    }
    if (Object.getOwnPropertySymbols(value).length > 0) throw unfit(where, 'has a symbol for a property, which JSON would leave out');
    const members: string[] = [];
    for (const [name, member] of Object.entries(value)) {
      if (name === 'toJSON' && typeof member === 'function') throw unfit(where, 'has a toJSON, by which JSON would change it');
      if (member !== undefined) members.push(`${this.#count(JSON.stringify(name))}:${this.text(member, `${where}.${name}`, depth + 1)}`);
    }
    return `{${members.join(',')}}`;
  }

  #count(text: string): string {
    this.#left -= text.length;
    if (this.#left >= 0) return text;
    const { valueBytes } = this.#limits;
    throw stateError('ERR_SHARED_STATE_LIMIT', `The value has more than ${valueBytes} bytes; limits.valueBytes is ${valueBytes}`, { limit: 'valueBytes' });
  }
}

function unfit(where: string, why: string): Error {
  return stateError('ERR_SHARED_STATE_VALUE', `${where} ${why}`);
}
