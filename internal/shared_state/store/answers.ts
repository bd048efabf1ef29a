/**
 * What a store resolves to, and what it rejects with, as results and refusals of the protocol. A store is code of the
 * program, so nothing is believed: its answers are `unknown` here.
 *
 * Used by  session.ts, feed.ts, locks.ts
 * Never    throws anything but a StateError, or what a getter of the store's answer throws
 * Keeps    an end of a key or lease is counted from the moment when the call was sent. The store counts from a later
 *          moment, so this process never believes that it has a lease which the store has ended
 */
import { isObject } from '../../is_object';
import { isCount } from '../guards';
import type { Found, KeyEvent, Refusal, ResultOf } from '../protocol';
import { defaultLimits, stateError, toRefusal, type StateError, type StateErrorCode } from '../values';

const isDuration = (value: unknown): value is number => typeof value === 'number' && Number.isFinite(value) && value >= 0;

/** Operations that change nothing, so that it never matters whether they were done. */
const READS: readonly string[] = ['get', 'list', 'changes', 'watch'];

/** The store has not kept to its contract. */
export const malformed = (op: string): StateError => stateError('ERR_SHARED_STATE_PROTOCOL',
  `The store has answered '${op}' with something else than its contract says`, READS.includes(op) ? {} : { maybeDone: true });

/** A version, a token. */
export function countOf(op: string, value: unknown): number {
  if (!isCount(value)) throw malformed(op);
  return value;
}

/** true or false. */
export function doneOf(op: string, value: unknown): boolean {
  if (typeof value !== 'boolean') throw malformed(op);
  return value;
}

/** A text that is JSON. */
function textOf(op: string, text: unknown): string {
  try {
    if (typeof text === 'string') {
      JSON.parse(text);
      return text;
    }
  } catch {
    throw malformed(op);
  }
  throw malformed(op);
}

/** A key with its value. `at`: when the call was sent. */
export function contentOf(op: string, value: unknown, at: number): ResultOf<'increment'> {
  if (!isObject(value)) throw malformed(op);
  const { text, version, ttlMs } = value;
  if (ttlMs !== undefined && !isDuration(ttlMs)) throw malformed(op);
  const content = { text: textOf(op, text), version: countOf(op, version) };
  return ttlMs === undefined ? content : { ...content, expiresAt: at + ttlMs };
}

/** A key with its value, or that there is none. */
export const foundOf = (op: string, value: unknown, at: number): Found => (value === undefined ? { version: 0 } : contentOf(op, value, at));

/** The outcome of `compareAndSet`. */
export function comparisonOf(value: unknown, at: number): ResultOf<'compareAndSet'> {
  if (!isObject(value)) throw malformed('compareAndSet');
  const { done, version, current } = value;
  if (doneOf('compareAndSet', done)) return { done: true, version: countOf('compareAndSet', version) };
  return { done: false, ...foundOf('compareAndSet', current, at) };
}

/** The outcome of `acquire`: the token; or for how long the lock is held at most. */
export function grantOf(value: unknown): { readonly token: number } | { readonly token?: undefined; readonly leftMs: number } {
  if (!isObject(value)) throw malformed('acquire');
  const { token, leftMs } = value;
  if (token !== undefined) return { token: countOf('acquire', token) };
  if (!isDuration(leftMs)) throw malformed('acquire');
  return { leftMs };
}

/** The outcome of `list`. */
export function listOf(value: unknown): { readonly events: readonly KeyEvent[]; readonly version: number } {
  if (!isObject(value)) throw malformed('list');
  const { entries } = value;
  const version = countOf('list', value['version']);
  if (!Array.isArray(entries)) throw malformed('list');
  return { events: Array.from(entries, (entry: unknown) => eventOf('list', entry)), version };
}

/** The outcome of `changes`: events in order, all of them after `since` and none after `version`. Undefined: the store has forgotten them. */
export function changesOf(value: unknown, since = 0): { readonly events: readonly KeyEvent[]; readonly version: number } | undefined {
  if (value === undefined) return undefined;
  if (!isObject(value)) throw malformed('changes');
  const { events: answered } = value;
  if (!Array.isArray(answered)) throw malformed('changes');
  const version = countOf('changes', value['version']);
  const events = Array.from(answered, (event: unknown) => eventOf('changes', event));
  const versions = [since, ...events.map((event) => event.version)];
  const isOrdered = versions.every((one, at) => at === 0 || one > (versions[at - 1] ?? 0));
  if (!isOrdered || (versions.at(-1) ?? 0) > version) throw malformed('changes');
  return { events, version };
}

function eventOf(op: 'list' | 'changes', value: unknown): KeyEvent {
  if (!isObject(value)) throw malformed(op);
  const { key, text, gone } = value;
  const version = countOf(op, value['version']);
  if (typeof key !== 'string') throw malformed(op);
  if (op === 'changes' && text === undefined) {
    if (gone !== 'deleted' && gone !== 'expired') throw malformed(op);
    return { key, version, gone };
  }
  return { key, version, text: textOf(op, text) };
}

/** The errors of a store whose meaning the contract states. */
const KNOWN: readonly StateErrorCode[] = [
  'ERR_SHARED_STATE_LEASE_LOST', 'ERR_SHARED_STATE_NOT_A_NUMBER', 'ERR_SHARED_STATE_LOST',
  // Of this side.
  'ERR_SHARED_STATE_PROTOCOL', 'ERR_SHARED_STATE_LIMIT', 'ERR_SHARED_STATE_UNSUPPORTED',
];

const isError = (error: unknown): error is Error => {
  try {
    return error instanceof Error;
  } catch {
    return false; // A proxy of the program's threw.
  }
};

const textOfError = (error: unknown): string => {
  try {
    return String(isError(error) ? error.message : error);
  } catch {
    return 'an error without a text';
  }
};

const fieldOf = (error: unknown, name: string): unknown => {
  try {
    return isObject(error) ? error[name] : undefined;
  } catch {
    return undefined; // A getter of the program's threw.
  }
};

/** What the caller of `op` is refused with, for what the store has thrown or rejected with. */
export function refusalOf(op: string, error: unknown): Refusal {
  const code = fieldOf(error, 'code');
  const maybeDone = fieldOf(error, 'maybeDone');
  if (isError(error) && (code === 'ERR_INVALID_ARG_VALUE' || KNOWN.some((known) => known === code))) {
    const limit = fieldOf(error, 'limit');
    const isLimit = typeof limit === 'string' && Object.hasOwn(defaultLimits, limit);
    return { ...toRefusal({ code, message: textOfError(error), ...(isLimit && { limit }) }), ...(maybeDone === true && { maybeDone }) };
  }
  const isUnknown = maybeDone !== false && !READS.includes(op);
  return {
    code: 'ERR_SHARED_STATE_STORE',
    message: `The store has failed in '${op}'${isUnknown ? ', and may have done it' : ''}: ${textOfError(error)}`,
    ...(isUnknown && { maybeDone: true }),
  };
}

/** Has the store lost data? */
export const isLost = (error: unknown): boolean => fieldOf(error, 'code') === 'ERR_SHARED_STATE_LOST';
