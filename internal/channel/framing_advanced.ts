/**
 * The framing `advanced`: V8's structured clone in frames of a known length. Byte for byte what Node
 * writes (I-12), but for the tag.
 *
 * Owns     the bytes of the frame that is not complete yet
 * Used by  framing.ts
 * Keeps    a frame is put together once, when its last byte is there
 * Costs    V8 a serializer, a buffer and a deserializer for each message, 1.5 and 1 µs
 */
import { DefaultDeserializer, DefaultSerializer } from 'node:v8';
import { Buffer, Math, Number, subarray } from '../builtins';
import { messageTooLong } from '../errors';
import { ENVELOPE, HANDLE, asBuffer, type Codec, type Decoder, type FrameSink } from './codec';
import { FrameBuffer } from './frame_buffer';

const LENGTH_BYTES = 4;
/** What V8 writes for an object that it leaves to us. */
const VIEW = 0;
const OTHER = 1;

/** V8's own form for views; of other native objects a plain shallow copy, as Node sends it. */
class MessageSerializer extends DefaultSerializer {
  _writeHostObject(object: object): void {
    if (ArrayBuffer.isView(object)) {
      this.writeUint32(VIEW);
      hostObjects.write.call(this, object);
    } else {
      this.writeUint32(OTHER);
      this.writeValue({ ...object });
    }
  }
}

class MessageDeserializer extends DefaultDeserializer {
  borrowed = false;

  _readHostObject(): unknown {
    if (this.readUint32() !== VIEW) return this.readValue();
    if (this.borrowed) throw hasViews;
    return hostObjects.read.call(this);
  }
}

/** Thrown by a view in a message whose bytes the next message overwrites: it is read again, from a copy. */
const hasViews = new Error('views of borrowed bytes');

/** The documented extension points of v8.DefaultSerializer, which its types leave out. */
const hostObjects = {
  write: (DefaultSerializer.prototype as unknown as { _writeHostObject(object: object): void })._writeHostObject,
  read: (DefaultDeserializer.prototype as unknown as { _readHostObject(): unknown })._readHostObject,
};

const room = new Uint8Array(LENGTH_BYTES);

/** The codec `advanced`. */
export const advanced: Codec = {
  encode(message, tag) {
    const serializer = new MessageSerializer();
    serializer.writeRawBytes(room);
    if (tag !== 'plain') serializer.writeRawBytes(new Uint8Array([tag === 'handle' ? HANDLE : ENVELOPE]));
    serializer.writeHeader();
    serializer.writeValue(message);
    const frame = serializer.releaseBuffer();
    writeLength(frame);
    return frame;
  },
  numbered: (body, field, tag) => (value) => advanced.encode({ ...body, [field]: value }, tag),
  join: (frames) => Buffer.concat(frames as Buffer[]),
  decoder: (longest = Number.POSITIVE_INFINITY) => new AdvancedDecoder(longest),
};

class AdvancedDecoder implements Decoder {
  /** The frame that has not ended, with its length. */
  readonly #frame = new FrameBuffer();
  readonly #longest: number;

  constructor(longest: number) {
    this.#longest = longest;
  }

  get partial(): boolean {
    return this.#frame.length > 0;
  }

  push(chunk: Uint8Array, sink: FrameSink): void {
    const bytes = asBuffer(chunk);
    const start = this.#frame.length > 0 ? this.#finish(bytes) : 0;
    if (start > 0 && this.#isWhole()) decodeFrame(this.#frame.take(), sink);
    let end = start;
    while (bytes.length - end >= LENGTH_BYTES && bytes.length - end >= wholeLength(bytes, end)) end += wholeLength(bytes, end);
    if (end < bytes.length) this.#frame.add(subarray(bytes, end));
    for (let at = start; at < end; at += wholeLength(bytes, at)) {
      decodeFrame(subarray(bytes, at, at + wholeLength(bytes, at)), sink);
    }
    if (this.#frame.length >= LENGTH_BYTES && wholeLength(this.#frame.bytes, 0) > this.#longest) throw messageTooLong(this.#longest);
  }

  /** Adds to the frame what belongs to it, and says how much that was: all, if the frame does not end here. */
  #finish(bytes: Buffer): number {
    let used = 0;
    if (this.#frame.length < LENGTH_BYTES) {
      used = Math.min(LENGTH_BYTES - this.#frame.length, bytes.length);
      this.#frame.add(subarray(bytes, 0, used));
      if (this.#frame.length < LENGTH_BYTES) return used;
    }
    const more = Math.min(wholeLength(this.#frame.bytes, 0) - this.#frame.length, bytes.length - used);
    this.#frame.add(subarray(bytes, used, used + more));
    return used + more;
  }

  #isWhole(): boolean {
    return this.#frame.length >= LENGTH_BYTES && this.#frame.length === wholeLength(this.#frame.bytes, 0);
  }
}

/** How long the frame is that begins there, its length included. */
const wholeLength = (bytes: Uint8Array, at: number): number => LENGTH_BYTES
  + (bytes[at] as number) * 0x1000000 + (((bytes[at + 1] as number) << 16) | ((bytes[at + 2] as number) << 8) | (bytes[at + 3] as number));

/** Puts before a frame how many bytes follow its length. */
function writeLength(frame: Uint8Array): void {
  const length = frame.length - LENGTH_BYTES;
  frame[0] = length >>> 24;
  frame[1] = length >>> 16;
  frame[2] = length >>> 8;
  frame[3] = length;
}

/** `frame` (borrowed) begins with its length. */
function decodeFrame(frame: Buffer, sink: FrameSink): void {
  switch (frame[LENGTH_BYTES]) {
    case HANDLE: return sink(decodeValue(frame, LENGTH_BYTES + 1), 'handle');
    case ENVELOPE: return sink(decodeValue(frame, LENGTH_BYTES + 1), 'envelope');
    default: return sink(decodeValue(frame, LENGTH_BYTES), 'plain');
  }
}

function decodeValue(frame: Buffer, start: number): unknown {
  try {
    return read(subarray(frame, start), true);
  } catch (error) {
    if (error !== hasViews) throw error;
    const copy = Buffer.allocUnsafeSlow(frame.length);
    copy.set(frame);
    return read(subarray(copy, start), false);
  }
}

function read(bytes: Buffer, borrowed: boolean): unknown {
  const deserializer = new MessageDeserializer(bytes);
  deserializer.borrowed = borrowed;
  deserializer.readHeader();
  return deserializer.readValue();
}
