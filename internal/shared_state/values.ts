/**
 * What the shared state accepts as a value, a time to live and a limit, and its errors.
 *
 * Used by  server/, client/, store/ and lib/shared_state.ts
 * Keeps    1. a value is read as it was written. A value that JSON would change without an error (a Map, NaN, a
 *             Date, a property whose name is a symbol) is refused. Two things are allowed although JSON leaves
 *             them out or changes them: properties that are undefined or not enumerable are left out, and a
 *             getter is replaced by what it returns
 *          2. each error has a `code`; `maybeDone` is true if the call may have been done although it has failed
 */
import { invalidArgType, nodeError, outOfRange } from '../errors';
import { checkInteger, checkNames, checkObject } from '../validate';
import { MAX_TTL, isTtl } from './guards';
import type { Limits, Refusal } from './protocol';

/** The codes of the shared state's errors. Errors of wrong arguments have Node's codes. */
export type StateErrorCode =
  | 'ERR_SHARED_STATE_LIMIT'          // it would go beyond a limit; `limit` is its name
  | 'ERR_SHARED_STATE_VALUE'          // a value that JSON cannot hold, or would change
  | 'ERR_SHARED_STATE_NOT_A_NUMBER'   // increment of a value that is no number, or beyond what a number can count
  | 'ERR_SHARED_STATE_LEASE_LOST'     // the lease has run out, was released, or belongs to another process
  | 'ERR_SHARED_STATE_LOCKED'         // another caller holds the lock, and `timeoutMs` is 0
  | 'ERR_SHARED_STATE_TIMEOUT'        // no answer within `timeoutMs`; see `maybeDone`
  | 'ERR_SHARED_STATE_DISCONNECTED'   // the channel to the primary has ended; see `maybeDone`
  | 'ERR_SHARED_STATE_CLOSED'         // the shared state was closed, in this process or in the primary; see `maybeDone`
  | 'ERR_SHARED_STATE_UNREACHABLE'    // thrown by sharedState(): this process or thread cannot reach the store
  | 'ERR_SHARED_STATE_PROTOCOL'       // one side does not understand what the other has sent
  | 'ERR_SHARED_STATE_STORE'          // the store of sharedState({ store }) has failed; see `maybeDone`
  | 'ERR_SHARED_STATE_LOST'           // that store has lost data which this process had seen; see `maybeDone`
  | 'ERR_SHARED_STATE_UNSUPPORTED';   // a call that a store cannot answer

/** The error with which a call of the shared state rejects. */
export interface StateError extends Error {
  readonly code: string;
  /** With ERR_SHARED_STATE_LIMIT: the name of the limit. */
  readonly limit?: keyof Limits;
  /** True if the call was sent and no answer came: the primary, or the store, may have done it. */
  readonly maybeDone?: boolean;
}

/** Makes an error of the shared state. */
export function stateError(code: StateErrorCode, message: string, more: { limit?: keyof Limits; maybeDone?: boolean } = {}): StateError {
  return Object.assign(nodeError(Error, code, message), more);
}

/** What is sent of an error. */
export function toRefusal(error: unknown): Refusal {
  const { code, message, limit } = error as StateError;
  const refusal = { code: typeof code === 'string' ? code : 'ERR_SHARED_STATE_PROTOCOL', message: String(message) };
  return limit === undefined ? refusal : { ...refusal, limit };
}

/** The error that was sent. */
export function fromRefusal({ code, message, limit, maybeDone }: Refusal): StateError {
  return Object.assign(nodeError(Error, code, message), limit !== undefined && { limit }, maybeDone !== undefined && { maybeDone });
}

/** The limits of a primary that sets none. The memory for keys and events is bounded by `totalBytes` and by HISTORY_BYTES of store.ts. */
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

/** Below this number one process may have all of them: half of so few would refuse the first process too early. */
const LEAST_SHARED = 8;

/** The default quota of one process. */
const shareOf = (most: number): number => (most < LEAST_SHARED ? most : Math.ceil(most / 2));

/** The given limits, and defaults for the others. Reads each property once. Throws ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE, ERR_OUT_OF_RANGE. */
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
  // A process must be able to write at least one key and one value of the greatest size.
  if (!named.has('bytesPerProcess')) merged.bytesPerProcess = Math.min(totalBytes, Math.max(Math.ceil(totalBytes / 2), keyBytes + valueBytes));
  return Object.freeze(merged);
}

/** Throws ERR_INVALID_ARG_TYPE or ERR_OUT_OF_RANGE unless the value is a time to live in milliseconds. */
export function checkTtl(name: string, value: unknown): void {
  if (typeof value !== 'number') throw invalidArgType(name, 'of type number', value);
  if (!isTtl(value)) throw outOfRange(name, `> 0 && <= ${MAX_TTL}`, value);
}

/** Throws ERR_SHARED_STATE_LIMIT if `text` has more bytes than the limit allows. `what`: names the text in the error. */
export function checkBytes(what: string, text: string, limits: Limits, limit: 'keyBytes' | 'valueBytes'): void {
  // UTF-8 needs at most three bytes per unit of a string, so most texts need not be counted.
  if (text.length * 3 <= limits[limit]) return;
  const bytes = Buffer.byteLength(text);
  if (bytes > limits[limit]) {
    throw stateError('ERR_SHARED_STATE_LIMIT', `${what} has ${bytes} bytes; limits.${limit} is ${limits[limit]}`, { limit });
  }
}

/**
 * Returns a value as JSON text. Throws ERR_SHARED_STATE_VALUE, with the place in the value, if JSON would change
 * it, and ERR_SHARED_STATE_LIMIT as soon as the text is too long. Reads each property once: a getter or proxy
 * could return one value to the check and another to the text. An exception of a getter is thrown on.
 */
export function encode(value: unknown, limits: Limits): string {
  const text = new Encoder(limits).text(value, 'The value', 0);
  checkBytes('The value', text, limits, 'valueBytes');
  return text;
}

/** Levels of nesting. A circular value is deeper, and no sensible value is. */
const MAX_DEPTH = 200;

/** Writes the text of one value. */
class Encoder {
  readonly #limits: Limits;
  /** Characters that may still be written. */
  #left: number;

  constructor(limits: Limits) {
    this.#limits = limits;
    this.#left = limits.valueBytes;
  }

  text(value: unknown, where: string, depth: number): string {
    if (depth > MAX_DEPTH) throw unfit(where.slice(0, 80), `is circular, or nested deeper than ${MAX_DEPTH} levels`);
    switch (typeof value) {
      case 'string': return this.#count(JSON.stringify(value));
      case 'boolean': return this.#count(value ? 'true' : 'false');
      case 'number':
        if (!Number.isFinite(value)) throw unfit(where, `is ${value}, which JSON cannot hold`);
        return this.#count(Object.is(value, -0) ? '-0' : String(value));
      case 'object': break;
      default: throw unfit(where, `is ${value === undefined ? 'undefined' : `a ${typeof value}`}, which JSON cannot hold`);
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
      throw unfit(where, 'is an array with other properties, which JSON would leave out');
    }
    return `[${items.join(',')}]`;
  }

  #object(value: object, where: string, depth: number): string {
    const prototype: unknown = Object.getPrototypeOf(value);
    // A plain object of another realm (node:vm) has that realm's Object.prototype, whose own prototype is null.
    if (prototype !== null && Object.getPrototypeOf(prototype) !== null) {
      throw unfit(where, `is an instance of ${value.constructor?.name ?? 'a class'}, which JSON would change. Pass a plain object`);
    }
    if (Object.getOwnPropertySymbols(value).length > 0) throw unfit(where, 'has a property whose name is a symbol, which JSON would leave out');
    const members: string[] = [];
    for (const [name, member] of Object.entries(value)) {
      if (name === 'toJSON' && typeof member === 'function') throw unfit(where, 'has a method toJSON, with which JSON would change it');
      if (member !== undefined) members.push(`${this.#count(JSON.stringify(name))}:${this.text(member, `${where}.${name}`, depth + 1)}`);
    }
    return `{${members.join(',')}}`;
  }

  /** Counts a part of the text, and returns it. */
  #count(text: string): string {
    this.#left -= text.length;
    if (this.#left >= 0) return text;
    const { valueBytes } = this.#limits;
    throw stateError('ERR_SHARED_STATE_LIMIT', `The value has more than ${valueBytes} bytes; limits.valueBytes is ${valueBytes}`, { limit: 'valueBytes' });
  }
}

/** The error for a value that cannot be kept. `where`: the place, for example `The value.user[2]`. */
function unfit(where: string, why: string): Error {
  return stateError('ERR_SHARED_STATE_VALUE', `${where} ${why}`);
}
