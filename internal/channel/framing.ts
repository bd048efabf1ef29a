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
 * Keeps    1. each byte is copied at most once, and looked at once: a message of many MB in many
 *             chunks takes linear time
 *          2. a frame that cannot be decoded does not take the earlier ones of its chunk with it
 * Node     the codec under lib/internal/child_process/serialization.js; the tags are ours.
 */
import { DefaultDeserializer, DefaultSerializer } from 'node:v8';

export type Serialization = 'json' | 'advanced';

/** What comes with a frame: nothing, a bare native handle, or a handle described by an envelope. */
export type Tag = 'plain' | 'handle' | 'envelope';

/** Called for each frame in turn. */
export type FrameSink = (message: unknown, tag: Tag) => void;

export interface Decoder {
  /** Takes one chunk; calls `sink` for each message that is now complete. Throws on bytes that are none. */
  push(chunk: Uint8Array, sink: FrameSink): void;
  /** Is there a part of a message that has not ended? */
  readonly partial: boolean;
}

export interface Codec {
  /** One frame. Throws what JSON or the structured clone throws on a message it cannot express. */
  encode(message: unknown, tag: Tag): string | Buffer;
  /** Several frames as one. */
  join(frames: readonly (string | Buffer)[]): string | Buffer;
  decoder(): Decoder;
}

export function codecFor(serialization: Serialization): Codec {
  return serialization === 'advanced' ? advanced : json;
}

// ── json ─────────────────────────────────────────────────────────────────────────────────────────

const NEWLINE = 0x0a;
const HANDLE = 0x48; // 'H'
const ENVELOPE = 0x45; // 'E'

const json: Codec = {
  encode(message, tag) {
    const line = `${JSON.stringify(message)}\n`;
    if (tag === 'plain') return line;
    return (tag === 'handle' ? 'H' : 'E') + line;
  },
  join: (frames) => (frames as string[]).join(''),
  decoder: () => new JsonDecoder(),
};

class JsonDecoder implements Decoder {
  /** Chunks since the last newline. */
  #parts: Uint8Array[] = [];

  get partial(): boolean {
    return this.#parts.length > 0;
  }

  push(chunk: Uint8Array, sink: FrameSink): void {
    const end = chunk.lastIndexOf(NEWLINE);
    if (end === -1) {
      this.#parts.push(chunk);
      return;
    }
    // A newline byte is never part of a longer UTF-8 sequence, so the text up to the last one decodes whole.
    let complete = chunk.subarray(0, end);
    if (this.#parts.length > 0) complete = Buffer.concat([...this.#parts, complete]);
    this.#parts = end + 1 < chunk.length ? [chunk.subarray(end + 1)] : [];
    const text = asBuffer(complete).toString('utf8');
    let start = 0;
    for (let stop = text.indexOf('\n'); stop !== -1; stop = text.indexOf('\n', start)) {
      decodeLine(text.slice(start, stop), sink);
      start = stop + 1;
    }
    decodeLine(start === 0 ? text : text.slice(start), sink);
  }
}

function decodeLine(line: string, sink: FrameSink): void {
  switch (line.charCodeAt(0)) {
    case HANDLE: return sink(JSON.parse(line.slice(1)), 'handle');
    case ENVELOPE: return sink(JSON.parse(line.slice(1)), 'envelope');
    default: return sink(JSON.parse(line), 'plain');
  }
}

// ── advanced ─────────────────────────────────────────────────────────────────────────────────────

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
  _readHostObject(): unknown {
    return this.readUint32() === VIEW ? hostObjects.read.call(this) : this.readValue();
  }
}

/** The documented extension points of v8.DefaultSerializer, which its types leave out. */
const hostObjects = {
  write: (DefaultSerializer.prototype as unknown as { _writeHostObject(object: object): void })._writeHostObject,
  read: (DefaultDeserializer.prototype as unknown as { _readHostObject(): unknown })._readHostObject,
};

const room = new Uint8Array(LENGTH_BYTES);

const advanced: Codec = {
  encode(message, tag) {
    const serializer = new MessageSerializer();
    serializer.writeRawBytes(room);
    if (tag !== 'plain') serializer.writeRawBytes(new Uint8Array([tag === 'handle' ? HANDLE : ENVELOPE]));
    serializer.writeHeader();
    serializer.writeValue(message);
    const frame = serializer.releaseBuffer();
    frame.writeUInt32BE(frame.length - LENGTH_BYTES, 0);
    return frame;
  },
  join: (frames) => Buffer.concat(frames as Buffer[]),
  decoder: () => new AdvancedDecoder(),
};

class AdvancedDecoder implements Decoder {
  #parts: Uint8Array[] = [];
  #have = 0;
  /** Bytes that the frame at the front needs, its length included; unknown before its length is there. */
  #need = LENGTH_BYTES;

  get partial(): boolean {
    return this.#have > 0;
  }

  push(chunk: Uint8Array, sink: FrameSink): void {
    this.#parts.push(chunk);
    this.#have += chunk.length;
    if (this.#have < this.#need) return;
    let bytes = asBuffer(this.#parts.length === 1 ? chunk : Buffer.concat(this.#parts));
    this.#parts = [];
    this.#have = 0;
    try {
      for (;;) {
        this.#need = bytes.length < LENGTH_BYTES ? LENGTH_BYTES : LENGTH_BYTES + bytes.readUInt32BE(0);
        if (bytes.length < this.#need) break;
        const frame = bytes.subarray(LENGTH_BYTES, this.#need);
        bytes = bytes.subarray(this.#need);
        decodeFrame(frame, sink);
      }
    } catch (error) {
      // The rest of the chunk is lost with the frame, as with a bad line of JSON.
      this.#need = LENGTH_BYTES;
      throw error;
    }
    if (bytes.length > 0) {
      this.#parts.push(bytes);
      this.#have = bytes.length;
    }
  }
}

function decodeFrame(frame: Buffer, sink: FrameSink): void {
  switch (frame[0]) {
    case HANDLE: return sink(decodeValue(frame.subarray(1)), 'handle');
    case ENVELOPE: return sink(decodeValue(frame.subarray(1)), 'envelope');
    default: return sink(decodeValue(frame), 'plain');
  }
}

function decodeValue(bytes: Buffer): unknown {
  const deserializer = new MessageDeserializer(bytes);
  deserializer.readHeader();
  return deserializer.readValue();
}

const asBuffer = (bytes: Uint8Array): Buffer =>
  Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
