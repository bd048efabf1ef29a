/**
 * V8's structured clone, as far as this project writes and reads it itself: for *simple* messages. A simple message is
 * null, undefined, a boolean, a number, a text of Latin-1 characters, a Buffer, a Uint8Array, or a list or a plain object
 * of such values, in which no object occurs twice. Most messages of programs are simple. For a small one V8 needs 5 µs at
 * both ends together, of which most goes into a serializer, its memory and a deserializer; by hand it is a fifth. V8
 * writes and reads all other messages.
 *
 *   FF 0F                       the version of the format, at the start
 *   _  0  T  F                  undefined, null, true, false
 *   I number                    an integer of 32 bits: zigzag, then base 128, lowest digits first
 *   N 8 bytes                   another number
 *   " length bytes              a text; the length is in base 128, as all lengths
 *   o (key value)… { count      an object; each key is a text
 *   A length value… $ 0 length  a list
 *   \ 0 kind length bytes       a Buffer or a Uint8Array; Node's form of an object that V8 leaves to it
 *
 * Used by  simple_writer.ts, simple_reader.ts; framing_advanced.ts, for VIEW
 * Keeps    the bytes are those that V8 would write, except for what a program cannot see: whether V8 holds an integer as a
 *          floating-point number, or a text of Latin-1 characters in two bytes each, and whether it has room for holes
 *          in a list, or has frozen the list. One thing that a program can see is D65
 */
import { DefaultSerializer } from 'node:v8';

/** `_`: undefined. */
export const UNDEFINED = 0x5f;
/** `0`: null. */
export const NULL = 0x30;
/** `T`: true. */
export const TRUE = 0x54;
/** `F`: false. */
export const FALSE = 0x46;
/** `I`: an integer follows. */
export const INTEGER = 0x49;
/** `N`: a number of 8 bytes follows. */
export const DOUBLE = 0x4e;
/** `"`: the length and the bytes of a text follow. */
export const TEXT = 0x22;
/** `o`: keys and values follow, up to OBJECT_END. */
export const OBJECT = 0x6f;
/** `{`: the number of members follows. */
export const OBJECT_END = 0x7b;
/** `A`: the length of a list follows, then its items, up to LIST_END. */
export const LIST = 0x41;
/** `$`: the numbers 0 (of members that are no items) and of items follow. */
export const LIST_END = 0x24;

/** `\`: VIEW, the kind, and the length and the bytes of a Buffer or a Uint8Array follow. */
export const HOST_OBJECT = 0x5c;
/** The number before a view of an ArrayBuffer, among the objects that V8 leaves to Node. */
export const VIEW = 0;
/** The kind of a view. */
export const UINT8_ARRAY = 1;
/** The kind of a view. */
export const BUFFER = 10;

/** The first byte of a message. */
export const VERSION_MARK = 0xff;
/** The second byte: the version that this file describes. */
export const VERSION = 0x0f;
/** Bytes of the two. */
export const VERSION_BYTES = 2;

/** Does the V8 of this process write that version? If not, it writes and reads every message. */
export const isKnownVersion = ((): boolean => {
  const serializer = new DefaultSerializer();
  serializer.writeHeader();
  const written = serializer.releaseBuffer();
  return written.length === VERSION_BYTES && written[0] === VERSION_MARK && written[1] === VERSION;
})();

/** A longer list is left to V8, which is faster there. */
export const LONGEST_LIST = 64;
/** A message with more objects and lists is left to V8: the writer compares each one with all that came before it. */
export const MOST_OBJECTS = 32;

const memory = new Float64Array(1);
/** The memory of one number, as a number and as its bytes. */
export const double: { value: number; readonly bytes: Uint8Array } = {
  get value() {
    return memory[0] as number;
  },
  set value(value) {
    memory[0] = value;
  },
  bytes: new Uint8Array(memory.buffer),
};
