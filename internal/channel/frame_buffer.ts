/**
 * The bytes of a frame that has not ended, in one piece, copied out of the chunks that brought them.
 *
 * Owns     its memory, which serves one frame after the other
 * Used by  framing_json.ts, framing_advanced.ts
 * Never    keeps a chunk: the next read overwrites it
 * Keeps    memory at most twice what has come, whatever a length says that is to come
 * Costs    one copy of each byte, and one more when the memory grows: linear in the frame's length
 */
import { Buffer, Math, subarray } from '../builtins';

/** Memory begins at this length, in bytes: a long message is mostly longer than one read. */
const FIRST = 65536;
/** Memory up to this, in bytes, is kept for the next frame: to get it anew from the system costs more than to fill it. */
const KEPT = 4 << 20;

const none = Buffer.alloc(0);

/** Bytes that come in pieces. */
export class FrameBuffer {
  #bytes = none;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** The bytes so far (borrowed). */
  get bytes(): Buffer {
    return subarray(this.#bytes, 0, this.#length);
  }

  /** Adds a copy of a piece (borrowed). */
  add(piece: Uint8Array): void {
    const length = this.#length + piece.length;
    if (length > this.#bytes.length) {
      // A short frame takes what it needs: its end mostly comes with the next read.
      const grown = Buffer.allocUnsafeSlow(length < FIRST / 4 ? length : Math.max(FIRST, length, 2 * this.#bytes.length));
      grown.set(this.bytes, 0);
      this.#bytes = grown;
    }
    this.#bytes.set(piece, this.#length);
    this.#length = length;
  }

  /** All bytes (borrowed until the next `add`); begins anew. */
  take(): Buffer {
    const { bytes } = this;
    this.#length = 0;
    if (this.#bytes.length > KEPT) this.#bytes = none;
    return bytes;
  }
}
