/**
 * Reads simple messages (simple_format.ts).
 *
 * Owns     a table of short texts that came lately: the keys of messages are few, and making a text costs 60 ns
 * Used by  framing_advanced.ts
 * Never    throws, and never runs code of the app. Bytes that it does not understand, right or wrong, are left to V8
 * Keeps    a member or an item is added only if nothing of that name is there yet, not even inherited: an assignment would
 *          call an inherited setter, and one to `__proto__` would change the prototype. Such a message is left to V8
 * Costs    0.3 µs for an object of 64 bytes
 */
import { Buffer, byteOffsetOf, charCodeAt, latin1Slice, memoryOf, push, Reflect, subarray, Uint8Array } from '../builtins';
import {
  BUFFER, DOUBLE, FALSE, HOST_OBJECT, INTEGER, LIST, LIST_END, LONGEST_LIST, MOST_OBJECTS, NULL, OBJECT, OBJECT_END, TEXT, TRUE, UINT8_ARRAY, UNDEFINED,
  VERSION, VERSION_BYTES, VERSION_MARK, VIEW, double, isKnownVersion,
} from './simple_format';

/** In place of a message or a value: it is not simple. */
export const NOT_SIMPLE = Symbol('not simple');
/** In place of a message or a value: it contains a view, and its bytes are borrowed. */
export const HAS_VIEWS = Symbol('has views');

/** Bytes. Only shorter texts are kept in the table. */
const SHORT = 24;
/** Texts in the table; a power of 2. */
const TABLE = 256;
const texts: string[] = [];
for (let index = 0; index < TABLE; index++) push(texts, '');

/** Read now, because other code may replace them later. */
const plainPrototype = globalThis.Object.prototype;
const listPrototype = globalThis.Array.prototype;

/** The bytes that are being read (borrowed during `readSimple`), the next one, and their end. */
const nothing: Buffer = Buffer.alloc(0);
let bytes: Buffer = nothing;
let at = 0;
let end = 0;
/** The bytes are borrowed, so no view of them may be returned. */
let borrowed = true;
/** Objects and lists of this message so far. */
let objects = 0;

/**
 * Reads a message from the bytes from `start` to `stop`. Returns NOT_SIMPLE if V8 must read it, and HAS_VIEWS if it must be
 * read again from bytes of its own, which are not `shared` with other messages. Bytes behind the message are ignored, as
 * V8 ignores them.
 */
export function readSimple(from: Buffer, start: number, stop: number, shared: boolean): unknown {
  if (!isKnownVersion || stop - start <= VERSION_BYTES || from[start] !== VERSION_MARK || from[start + 1] !== VERSION) return NOT_SIMPLE;
  bytes = from;
  at = start + VERSION_BYTES;
  end = stop;
  borrowed = shared;
  objects = 0;
  const value = readValue();
  bytes = nothing; // What was borrowed may be long.
  return value;
}

function readValue(): unknown {
  if (at >= end) return NOT_SIMPLE;
  switch (bytes[at++]) {
    case TEXT: return readText();
    case INTEGER: return readInteger();
    case DOUBLE: return readDouble();
    case TRUE: return true;
    case FALSE: return false;
    case NULL: return null;
    case UNDEFINED: return undefined;
    case OBJECT: return readMembers();
    case LIST: return readList();
    case HOST_OBJECT: return readView();
    default: return NOT_SIMPLE;
  }
}

/** A number in base 128 below 2^32; -1 if there is none. */
function readLength(): number {
  let value = 0;
  for (let factor = 1; factor <= 2 ** 28; factor *= 0x80) {
    if (at >= end) return -1;
    const byte = bytes[at++] as number;
    value += (byte & 0x7f) * factor;
    if (byte < 0x80) return value < 2 ** 32 ? value : -1;
  }
  return -1;
}

function readInteger(): unknown {
  const zigzag = readLength();
  return zigzag === -1 ? NOT_SIMPLE : (zigzag >>> 1) ^ -(zigzag & 1);
}

function readDouble(): unknown {
  if (end - at < 8) return NOT_SIMPLE;
  for (let byte = 0; byte < 8; byte++) double.bytes[byte] = bytes[at++] as number;
  const { value } = double;
  return value === value ? value : NaN; // There are many NaNs of 8 bytes. V8 reads each as the usual one.
}

function readText(): string | typeof NOT_SIMPLE {
  const length = readLength();
  if (length === -1 || length > end - at) return NOT_SIMPLE;
  const start = at;
  at += length;
  if (length === 0) return '';
  if (length >= SHORT) return latin1Slice(bytes, start, at);
  const place = (length * 31 + (bytes[start] as number) * 7 + (bytes[at - 1] as number)) & (TABLE - 1);
  const known = texts[place] as string;
  if (isText(known, start, length)) return known;
  return texts[place] = latin1Slice(bytes, start, at);
}

function isText(text: string, start: number, length: number): boolean {
  if (text.length !== length) return false;
  for (let index = 0; index < length; index++) if (charCodeAt(text, index) !== bytes[start + index]) return false;
  return true;
}

function readMembers(): unknown {
  if (++objects > MOST_OBJECTS) return NOT_SIMPLE;
  const object: Record<string, unknown> = {};
  let count = 0;
  while (at < end && bytes[at] !== OBJECT_END) {
    if (bytes[at++] !== TEXT) return NOT_SIMPLE;
    const key = readText();
    if (key === NOT_SIMPLE || key in object) return NOT_SIMPLE;
    const value = readValue();
    if (typeof value === 'symbol') return value; // One of the two above: no simple value is a symbol.
    object[key] = value;
    count++;
  }
  at++;
  return readLength() === count ? object : NOT_SIMPLE;
}

function readList(): unknown {
  if (++objects > MOST_OBJECTS) return NOT_SIMPLE;
  const length = readLength();
  if (length === -1 || length > LONGEST_LIST) return NOT_SIMPLE;
  // A program can give Array.prototype another prototype, also a Proxy.
  if (Reflect.getPrototypeOf(listPrototype) !== plainPrototype) return NOT_SIMPLE;
  const list: unknown[] = [];
  for (let index = 0; index < length; index++) {
    const value = readValue();
    if (value === HAS_VIEWS) return value;
    if (value === NOT_SIMPLE || index in list) return NOT_SIMPLE;
    push(list, value);
  }
  if (bytes[at++] !== LIST_END || readLength() !== 0) return NOT_SIMPLE;
  return readLength() === length ? list : NOT_SIMPLE;
}

function readView(): unknown {
  if (++objects > MOST_OBJECTS || bytes[at++] !== VIEW) return NOT_SIMPLE;
  const kind = bytes[at++];
  if (kind !== BUFFER && kind !== UINT8_ARRAY) return NOT_SIMPLE;
  const length = readLength();
  if (length === -1 || length > end - at) return NOT_SIMPLE;
  if (borrowed) return HAS_VIEWS;
  const start = at;
  at += length;
  return kind === BUFFER ? subarray(bytes, start, at) : new Uint8Array(memoryOf(bytes), byteOffsetOf(bytes) + start, length);
}
