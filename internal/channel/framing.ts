/**
 * Bytes ⇄ messages. Two forms, Node's own: `json` is one line of JSON per message; `advanced` is a
 * big-endian uint32 length and V8's structured clone. Both ends chose the same when the child was
 * spawned.
 *
 * In the dialect *pipelined* a frame may begin with a tag byte that says that one fd came with it.
 * No JSON text begins with a letter of `H` or `E`, no V8 value with anything but 0xFF: an app cannot
 * forge a tag with a message, whatever it sends.
 *
 *   json      [H|E] text \n              H: the value is the message, the fd a native handle
 *   advanced  length [H|E] FF 0F value   E: the value is a NODE_HANDLE envelope around the message
 *
 * Owns     the bytes of the frame that is not complete yet
 * Keeps    1. each byte is looked at once, and copied twice at most: a message of many MB in many
 *             chunks takes linear time
 *          2. a frame that cannot be decoded does not take the earlier ones of its chunk with it
 *          3. a frame longer than allowed is refused before it is kept: when its length is known, or
 *             has been reached. One that fits into one read is not measured.
 * Uses     framing_advanced.ts, the second form; growing.ts
 * Node     the codec under lib/internal/child_process/serialization.js; the tags are ours.
 */
import { Buffer, charCodeAt, exec, indexOf, indexOfByte, join, JSON, lastIndexOfByte, Number, slice, subarray, utf8Slice } from '../builtins';
import { messageTooLong } from '../errors';
import { Growing } from './growing';

/** The two forms. */
export type Serialization = 'json' | 'advanced';

/** What comes with a frame: nothing, a bare native handle, or a handle described by an envelope. */
export type Tag = 'plain' | 'handle' | 'envelope';

/** Called for each frame in turn. */
export type FrameSink = (message: unknown, tag: Tag) => void;

/** The tag of a frame whose fd is a native handle, 'H'. */
export const HANDLE = 0x48;
/** The tag of a frame whose message describes its handle, 'E'. */
export const ENVELOPE = 0x45;

/** Turns chunks of bytes into messages. */
export interface Decoder {
  /** Takes one chunk (borrowed); calls `sink` for each message that is now complete. Throws on bytes that are none. */
  push(chunk: Uint8Array, sink: FrameSink): void;
  /** Is there a part of a message that has not ended? */
  readonly partial: boolean;
}

/** One form of framing. */
export interface Codec {
  /** One frame. Throws what JSON or the structured clone throws on a message it cannot express. */
  encode(message: unknown, tag: Tag): string | Buffer;
  /** Frames that differ only in one number, their last field; what they share is encoded once. */
  numbered(body: object, field: string, tag: Tag): (value: number) => string | Buffer;
  /** Several frames as one. */
  join(frames: readonly (string | Buffer)[]): string | Buffer;
  /** `longest`: how many bytes a frame may have; as many as it likes by default. */
  decoder(longest?: number): Decoder;
}

/** The codec of a serialization. */
export function codecFor(serialization: Serialization): Codec {
  if (serialization === 'json') return json;
  // Loaded when it is asked for: `node:v8` alone takes a worker 2 ms of its start.
  return (require('./framing_advanced') as typeof import('./framing_advanced')).advanced;
}

// ── json ─────────────────────────────────────────────────────────────────────────────────────────

const NEWLINE = 0x0a;
/** A text that JSON writes as it is. To find that out takes a third of the time in which V8 writes it (Node 20). */
const plainText = /^[ !#-[\]-~]*$/;
/** For a longer one V8 is as fast. */
const SHORT = 100;

const json: Codec = {
  encode(message, tag) {
    const short = typeof message === 'string' && message.length <= SHORT && exec(plainText, message) !== null;
    const line = short ? `"${message}"\n` : `${JSON.stringify(message)}\n`;
    if (tag === 'plain') return line;
    return (tag === 'handle' ? 'H' : 'E') + line;
  },
  numbered(body, field, tag) {
    const [head, end] = (this.encode({ ...body, [field]: 0 }, tag) as string).split(/0(?=\}\n$)/) as [string, string];
    return (value) => head + value + end;
  },
  join: (frames) => join(frames, ''),
  decoder: (longest = Number.POSITIVE_INFINITY) => new JsonDecoder(longest),
};

class JsonDecoder implements Decoder {
  /** The line that has not ended. */
  readonly #line = new Growing();
  readonly #longest: number;

  constructor(longest: number) {
    this.#longest = longest;
  }

  get partial(): boolean {
    return this.#line.length > 0;
  }

  push(chunk: Uint8Array, sink: FrameSink): void {
    const end = chunk[chunk.length - 1] === NEWLINE ? chunk.length - 1 : lastIndexOfByte(chunk, NEWLINE);
    if (end === -1) return this.#grow(chunk);
    // A newline byte is never part of a longer UTF-8 sequence, so each line decodes by itself.
    let start = 0;
    let begun: string | null = null;
    if (this.#line.length > 0) {
      start = indexOfByte(chunk, NEWLINE) + 1;
      this.#grow(subarray(chunk, 0, start - 1));
      const line = this.#line.take();
      begun = utf8Slice(line, 0, line.length);
    }
    const lines = start <= end ? utf8Slice(chunk, start, end) : null;
    // Before a line is decoded that may be none: what comes later belongs to this tail.
    if (end + 1 < chunk.length) this.#line.add(subarray(chunk, end + 1));
    if (begun !== null) decodeLine(begun, sink);
    if (lines !== null) decodeLines(lines, sink);
  }

  #grow(piece: Uint8Array): void {
    if (this.#line.length + piece.length > this.#longest) throw messageTooLong(this.#longest);
    this.#line.add(piece);
  }
}

function decodeLines(text: string, sink: FrameSink): void {
  let start = 0;
  for (let stop = indexOf(text, '\n'); stop !== -1; stop = indexOf(text, '\n', start)) {
    decodeLine(slice(text, start, stop), sink);
    start = stop + 1;
  }
  decodeLine(start === 0 ? text : slice(text, start), sink);
}

function decodeLine(line: string, sink: FrameSink): void {
  switch (charCodeAt(line, 0)) {
    case HANDLE: return sink(JSON.parse(slice(line, 1)), 'handle');
    case ENVELOPE: return sink(JSON.parse(slice(line, 1)), 'envelope');
    default: return sink(JSON.parse(line), 'plain');
  }
}

/** The same bytes as a Buffer. */
export const asBuffer = (bytes: Uint8Array): Buffer =>
  Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
