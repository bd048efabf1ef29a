/**
 * Writes simple messages (simple_format.ts) into frames.
 *
 * Owns     the room: memory in which one frame is written behind the other. A frame is a view of it, and its bytes are
 *          never written again. A full room is left to its frames, and a new one is begun
 * Used by  framing_advanced.ts
 * Never    runs code of the app: a member with a getter, or a Proxy, is not simple. So a message that turns out not to
 *          be simple can be given to V8 as if nothing had happened
 * Node     an object of a class of V8's own, such as Map, whose prototype was set to Object.prototype and which has
 *          members, is written as a plain object with these members (D65). A program can ask for each such class only
 *          by a call of its own (20 to 50 ns). A Date, an error, a RegExp, a Number, a String, a Boolean, `arguments`
 *          and a view of bytes are recognized by two cheap calls
 * Costs    0.5 µs for an object of 64 bytes
 */
import { types } from 'node:util';
import { Array, Buffer, byteLengthOf, charCodeAt, classOf, NativeObject, push, Reflect, setBytes, subarray, typedClassOf, utf8Write } from '../builtins';
import {
  BUFFER, DOUBLE, FALSE, HOST_OBJECT, INTEGER, LIST, LIST_END, LONGEST_LIST, MOST_OBJECTS, NULL, OBJECT, OBJECT_END, TEXT, TRUE, UINT8_ARRAY, UNDEFINED,
  VERSION, VERSION_MARK, VIEW, double, isKnownVersion,
} from './simple_format';

/** Bytes. A frame that waits keeps its room from being freed, so a room is not large. */
const ROOM = 65536;
/** Bytes. No value but a text, a list and an object takes more; nor does the start of a frame, or the end of a list. */
const SMALL = 16;
/** Characters. A shorter text is written character by character; for a longer one a call of Node costs less. */
const SHORT = 40;
/** Bytes. No character takes more in UTF-8. */
const WIDEST = 4;

/** Read now, because other code may replace them later. */
const { isProxy } = types;
const { isView } = ArrayBuffer;
const { toStringTag } = Symbol;
const plainPrototype = globalThis.Object.prototype;
const listPrototype = globalThis.Array.prototype;
const bufferPrototype: unknown = globalThis.Buffer.prototype;
const bytesPrototype: unknown = globalThis.Uint8Array.prototype;
/** The members that Node reads of a view. One that has its own is left to Node. */
const membersOfViews = ['constructor', 'buffer', 'byteOffset', 'byteLength', toStringTag] as const;

/** Allocated for the first message. */
let room = Buffer.alloc(0);
/** Where the frame begins that is being written, and where its next byte goes. */
let start = 0;
let at = 0;
/** The objects of this message so far. Only the first `seenCount` items count. */
const seen: (object | null)[] = [];
for (let index = 0; index < MOST_OBJECTS; index++) push(seen, null);
let seenCount = 0;

/** Encodes a message behind `head` bytes, which the caller fills. Returns null, and leaves nothing, if it is not simple. */
export function writeSimple(message: unknown, head: number): Buffer | null {
  if (!isKnownVersion) return null;
  start = at;
  if (!hasRoom(SMALL)) return null;
  at += head;
  room[at++] = VERSION_MARK;
  room[at++] = VERSION;
  const isSimple = writeValue(message);
  while (seenCount > 0) seen[--seenCount] = null;
  if (isSimple) return subarray(room, start, at);
  at = start;
  return null;
}

/** Makes room for `bytes` more bytes of this frame. Returns false if the frame would be longer than a room. */
function hasRoom(bytes: number): boolean {
  if (at + bytes <= room.length) return true;
  if (at - start + bytes > ROOM) return false;
  const next = Buffer.allocUnsafeSlow(ROOM);
  setBytes(next, subarray(room, start, at));
  room = next;
  at -= start;
  start = 0;
  return true;
}

/** Each of the functions below returns false if the message is not simple. */
function writeValue(value: unknown): boolean {
  if (!hasRoom(SMALL)) return false;
  switch (typeof value) {
    case 'string': return writeText(value);
    case 'number': return writeNumber(value);
    case 'boolean': return writeByte(value ? TRUE : FALSE);
    case 'undefined': return writeByte(UNDEFINED);
    case 'object': return value === null ? writeByte(NULL) : writeObject(value);
    default: return false;
  }
}

function writeByte(byte: number): true {
  room[at++] = byte;
  return true;
}

function writeLength(length: number): void {
  let rest = length;
  for (; rest >= 0x80; rest >>>= 7) room[at++] = 0x80 | (rest & 0x7f);
  room[at++] = rest;
}

function writeNumber(value: number): true {
  const integer = value | 0;
  if (integer === value && (value !== 0 || 1 / value > 0)) { // -0 is no integer.
    room[at++] = INTEGER;
    writeLength(((integer << 1) ^ (integer >> 31)) >>> 0);
    return true;
  }
  room[at++] = DOUBLE;
  double.value = value;
  for (let byte = 0; byte < 8; byte++) room[at++] = double.bytes[byte] as number;
  return true;
}

function writeText(text: string): boolean {
  const { length } = text;
  if (!hasRoom(SMALL + length)) return false;
  room[at++] = TEXT;
  writeLength(length);
  if (length > SHORT) {
    // As many bytes as characters: all of them are ASCII. A text that is not fills at least one byte of the room for one
    // more character, also if the end of the text finds no room.
    if (utf8Write(room, text, at, length + WIDEST) !== length) return false;
    at += length;
    return true;
  }
  for (let index = 0; index < length; index++) {
    const code = charCodeAt(text, index);
    if (code > 0xff) return false;
    room[at++] = code;
  }
  return true;
}

function writeObject(object: object): boolean {
  if (isProxy(object) || !see(object)) return false;
  const prototype = Reflect.getPrototypeOf(object);
  if (prototype === plainPrototype) return isPlain(object) && writeMembers(object);
  if (prototype === bufferPrototype) return writeBytes(object, BUFFER);
  if (prototype === bytesPrototype) return writeBytes(object, UINT8_ARRAY);
  return prototype === listPrototype && Array.isArray(object) && writeList(object as unknown[]);
}

/** False for an object of a class that V8 writes in another way. `object` inherits only from Object.prototype. */
const isPlain = (object: object): boolean => !(toStringTag in object) && classOf(object) === '[object Object]' && !isView(object);

/** Remembers an object. Returns false for one that was there before, and for one too many. */
function see(object: object): boolean {
  for (let index = 0; index < seenCount; index++) if (seen[index] === object) return false;
  if (seenCount === MOST_OBJECTS) return false;
  seen[seenCount++] = object;
  return true;
}

function writeMembers(object: object): boolean {
  let count = 0;
  room[at++] = OBJECT;
  for (const key in object) {
    const member = NativeObject.getOwnPropertyDescriptor(object, key);
    if (!isData(member)) return false;
    // V8 writes a key that is an index as a number.
    if (isDigit(charCodeAt(key, 0)) || !writeText(key) || !writeValue(member.value)) return false;
    count++;
  }
  // An object without members may be of a class that V8 knows, with another prototype.
  if (count === 0 || !hasRoom(SMALL)) return false;
  room[at++] = OBJECT_END;
  writeLength(count);
  return true;
}

function writeList(list: readonly unknown[]): boolean {
  const { length } = list;
  if (length > LONGEST_LIST || NativeObject.keys(list).length !== length) return false;
  room[at++] = LIST;
  writeLength(length);
  for (let index = 0; index < length; index++) {
    const item = NativeObject.getOwnPropertyDescriptor(list, index);
    // Were one hidden, a member that is no item would have been counted in its place.
    if (!isData(item) || !item.enumerable || !writeValue(item.value)) return false;
  }
  if (!hasRoom(SMALL)) return false;
  room[at++] = LIST_END;
  writeLength(0);
  writeLength(length);
  return true;
}

/** `object` has the prototype of a Buffer or of a Uint8Array, and may be something else. */
function writeBytes(object: object, kind: number): boolean {
  if (typedClassOf(object) !== 'Uint8Array') return false;
  for (let index = 0; index < membersOfViews.length; index++) if (NativeObject.hasOwn(object, membersOfViews[index] as PropertyKey)) return false;
  const length = byteLengthOf(object as Uint8Array);
  // An empty one may be one whose memory was given away, which Node refuses.
  if (length === 0 || !hasRoom(SMALL + length)) return false;
  room[at++] = HOST_OBJECT;
  room[at++] = VIEW;
  room[at++] = kind;
  writeLength(length);
  setBytes(room, object as Uint8Array, at);
  at += length;
  return true;
}

/** False for a hole, for a member that is only inherited, and for one with a getter or a setter. */
const isData = (member: PropertyDescriptor | undefined): member is PropertyDescriptor =>
  member !== undefined && NativeObject.hasOwn(member, 'value'); // Its own: Object.prototype may have a member `value`, `get` or `set`.

const isDigit = (code: number): boolean => code >= 0x30 && code <= 0x39;
