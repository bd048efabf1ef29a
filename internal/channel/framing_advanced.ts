/**
 * The framing `advanced`: V8's structured clone in frames of a known length. Byte for byte what Node
 * writes (I-12), but for the tag.
 *
 * Owns     the bytes of the frame that is not complete yet
 * Used by  framing.ts
 * Keeps    a frame is put together once, when its last byte is there
 */
import { DefaultDeserializer, DefaultSerializer } from 'node:v8';
import { ENVELOPE, HANDLE, asBuffer, type Codec, type Decoder, type FrameSink } from './framing';

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

/** The codec `advanced`. */
export const advanced: Codec = {
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
