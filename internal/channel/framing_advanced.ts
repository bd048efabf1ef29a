/**
 * The framing `advanced`: a length, and V8's structured clone. Except for the tag, each byte is what Node writes (I-12).
 * simple_writer.ts and simple_reader.ts write and read simple messages (simple_format.ts), V8 all others.
 *
 * Owns     the bytes of the frame that has not arrived completely
 * Used by  framing.ts
 * Keeps    1. a frame that arrives in pieces is decoded when its last byte has arrived
 *          2. a view in a message keeps the memory of its own frame, and of no other. So a frame with views is decoded
 *             again from memory of its own: that in which it was collected, or a copy of it
 * Costs    for each message that is not simple a serializer and a buffer of V8 (3 µs), and at the other end a
 *          deserializer (1.5 µs)
 */
import { DefaultDeserializer, DefaultSerializer } from 'node:v8';
import { Buffer, Math, Number, subarray } from '../builtins';
import { messageTooLong } from '../errors';
import { ENVELOPE, HANDLE, asBuffer, type Codec, type Decoder, type FrameSink } from './codec';
import { copyOf, FrameBuffer } from './frame_buffer';
import { VIEW } from './simple_format';
import { HAS_VIEWS, NOT_SIMPLE, readSimple } from './simple_reader';
import { writeSimple } from './simple_writer';

const LENGTH_BYTES = 4;
/** Bytes. Frames of this length or more on average are not copied to be joined: the kernel gets the list of them. */
const LONG = 4096;
/** The number before an object that V8 lets the serializer write and that is no view (VIEW): another native object. */
const OTHER = 1;

/** Writes views in Node's form, and other native objects as a shallow plain copy, as Node does. */
class MessageSerializer extends DefaultSerializer {
  override _writeHostObject(object: object): void {
    if (ArrayBuffer.isView(object)) {
      this.writeUint32(VIEW);
      writeHostObject.call(this, object);
    } else {
      this.writeUint32(OTHER);
      this.writeValue({ ...object });
    }
  }
}

class MessageDeserializer extends DefaultDeserializer {
  /** The bytes are borrowed, so no view of them may be returned. */
  borrowed = false;

  override _readHostObject(): unknown {
    if (this.readUint32() !== VIEW) return this.readValue();
    if (this.borrowed) throw hasViews;
    return readHostObject.call(this);
  }
}

/**
 * Thrown when a message contains a view and its bytes are borrowed: a view would show the bytes of the next message. The
 * message is then decoded again, from a copy.
 */
const hasViews = new Error('views of borrowed bytes');

/** Node documents these two methods; @types/node leaves them out. */
declare module 'v8' {
  interface DefaultSerializer {
    _writeHostObject(object: object): void;
  }
  interface DefaultDeserializer {
    _readHostObject(): unknown;
  }
}

/** Node's own methods. They are read now, because other code may replace them later. */
const { _writeHostObject: writeHostObject } = DefaultSerializer.prototype;
const { _readHostObject: readHostObject } = DefaultDeserializer.prototype;

/** The place of the length, which is known only when the message is encoded. */
const noLength = new Uint8Array(LENGTH_BYTES);

/** The codec `advanced`. */
export const advanced: Codec = {
  encode(message, tag) {
    const simple = writeSimple(message, tag === 'plain' ? LENGTH_BYTES : LENGTH_BYTES + 1);
    if (simple !== null) {
      if (tag !== 'plain') simple[LENGTH_BYTES] = tag === 'handle' ? HANDLE : ENVELOPE;
      writeLength(simple);
      return simple;
    }
    const serializer = new MessageSerializer();
    serializer.writeRawBytes(noLength);
    if (tag !== 'plain') serializer.writeRawBytes(new Uint8Array([tag === 'handle' ? HANDLE : ENVELOPE]));
    serializer.writeHeader();
    serializer.writeValue(message);
    const frame = serializer.releaseBuffer();
    writeLength(frame);
    return frame;
  },
  numbered: (body, field, tag) => (value) => advanced.encode({ ...body, [field]: value }, tag),
  whole: (frame) => frame,
  join(frames, length) {
    if (frames.length === 1) return frames[0] as Buffer;
    return length < frames.length * LONG ? Buffer.concat(frames as Buffer[]) : frames as Buffer[];
  },
  decoder: (longest = Number.POSITIVE_INFINITY) => new AdvancedDecoder(longest),
};

class AdvancedDecoder implements Decoder {
  /** The frame that has not arrived completely, including its length. */
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
    if (start > 0 && this.#isWhole()) {
      const frame = this.#frame.take();
      decodeFrame(frame, 0, frame.length, this.#frame, sink);
    }
    let end = start;
    while (bytes.length - end >= LENGTH_BYTES && bytes.length - end >= wholeLength(bytes, end)) end += wholeLength(bytes, end);
    if (end < bytes.length) this.#frame.add(subarray(bytes, end), bytes.length - end < LENGTH_BYTES ? 0 : wholeLength(bytes, end));
    for (let at = start, next = at; at < end; at = next) {
      next = at + wholeLength(bytes, at);
      decodeFrame(bytes, at, next, null, sink);
    }
    if (this.#frame.length >= LENGTH_BYTES && wholeLength(this.#frame.bytes, 0) > this.#longest) throw messageTooLong(this.#longest);
  }

  /** Adds the bytes that belong to the collected frame, and returns their number. If the frame does not end in them, that is all of them. */
  #finish(bytes: Buffer): number {
    let used = 0;
    if (this.#frame.length < LENGTH_BYTES) {
      used = Math.min(LENGTH_BYTES - this.#frame.length, bytes.length);
      this.#frame.add(subarray(bytes, 0, used));
      if (this.#frame.length < LENGTH_BYTES) return used;
    }
    const whole = wholeLength(this.#frame.bytes, 0);
    const more = Math.min(whole - this.#frame.length, bytes.length - used);
    this.#frame.add(subarray(bytes, used, used + more), whole);
    return used + more;
  }

  #isWhole(): boolean {
    return this.#frame.length >= LENGTH_BYTES && this.#frame.length === wholeLength(this.#frame.bytes, 0);
  }
}

/** The length of the frame that begins at `at`, including the bytes of the length itself. */
const wholeLength = (bytes: Uint8Array, at: number): number => LENGTH_BYTES
  + (bytes[at] as number) * 0x1000000 + (((bytes[at + 1] as number) << 16) | ((bytes[at + 2] as number) << 8) | (bytes[at + 3] as number));

/** Writes the number of bytes that follow into the first bytes of a frame. */
function writeLength(frame: Uint8Array): void {
  const length = frame.length - LENGTH_BYTES;
  frame[0] = length >>> 24;
  frame[1] = length >>> 16;
  frame[2] = length >>> 8;
  frame[3] = length;
}

/**
 * Decodes the frame (borrowed) that takes the bytes from `start`, where its length is, to `end`. `collected`: where it was
 * collected, if it arrived in pieces.
 */
function decodeFrame(bytes: Buffer, start: number, end: number, collected: FrameBuffer | null, sink: FrameSink): void {
  const first = start + LENGTH_BYTES;
  switch (first < end ? bytes[first] : undefined) {
    case HANDLE: return sink(decodeValue(bytes, start, first + 1, end, collected), 'handle');
    case ENVELOPE: return sink(decodeValue(bytes, start, first + 1, end, collected), 'envelope');
    default: return sink(decodeValue(bytes, start, first, end, collected), 'plain');
  }
}

/** `start`: of the frame; `first`: of the value in it. */
function decodeValue(bytes: Buffer, start: number, first: number, end: number, collected: FrameBuffer | null): unknown {
  const simple = readSimple(bytes, first, end, true);
  if (simple === NOT_SIMPLE) {
    try {
      return read(subarray(bytes, first, end), true);
    } catch (error) {
      if (error !== hasViews) throw error;
    }
  } else if (simple !== HAS_VIEWS) {
    return simple;
  }
  // A view shows the whole frame as its buffer, as under Node.
  const frame = collected === null ? copyOf(bytes, start, end) : collected.give(bytes);
  const withViews = readSimple(frame, first - start, frame.length, false);
  return withViews === NOT_SIMPLE ? read(subarray(frame, first - start), false) : withViews;
}

function read(bytes: Buffer, borrowed: boolean): unknown {
  const deserializer = new MessageDeserializer(bytes);
  deserializer.borrowed = borrowed;
  deserializer.readHeader();
  return deserializer.readValue();
}
