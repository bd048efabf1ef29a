/**
 * Collects the bytes of a frame that arrives in several chunks.
 *
 * Owns     its memory, which is used again for later frames
 * Used by  framing_json.ts, framing_advanced.ts
 * Never    keeps a chunk: the next read overwrites it, so its bytes are copied
 * Keeps    the memory at most twice as long as the bytes that have arrived (and at least FIRST). The length that a frame
 *          announces is not reserved: a peer could announce gigabytes
 * Costs    one copy of each byte, and one more when the memory grows: linear in the length of the frame
 */
import { Buffer, Math, setBytes, subarray } from '../builtins';

/** Bytes. The first memory for a long frame: as long as one read, since such a frame mostly needs another read. */
const FIRST = 65536;
/** Bytes. Longer memory is given back after a frame. Shorter memory is kept: to get it from the system again costs more than to fill it. */
const KEPT = 4 << 20;

const none = Buffer.alloc(0);

/** The bytes of one frame, as they arrive. */
export class FrameBuffer {
  #bytes = none;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** The bytes that have arrived (borrowed). */
  get bytes(): Buffer {
    return subarray(this.#bytes, 0, this.#length);
  }

  /** Copies a piece (borrowed) to the end. */
  add(piece: Uint8Array): void {
    const length = this.#length + piece.length;
    if (length > this.#bytes.length) {
      // A short frame gets exactly what it needs, since the next read mostly brings its end.
      const grown = Buffer.allocUnsafeSlow(length < FIRST / 4 ? length : Math.max(FIRST, length, 2 * this.#bytes.length));
      setBytes(grown, this.bytes);
      this.#bytes = grown;
    }
    setBytes(this.#bytes, piece, this.#length);
    this.#length = length;
  }

  /** Returns all bytes (borrowed until the next `add`), and starts the next frame. */
  take(): Buffer {
    const { bytes } = this;
    this.#length = 0;
    if (this.#bytes.length > KEPT) this.#bytes = none;
    return bytes;
  }
}
