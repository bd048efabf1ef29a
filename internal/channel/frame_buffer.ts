/**
 * Collects the bytes of a frame that arrives in several chunks.
 *
 * Owns     its memory, which is used again for later frames, unless it was given away with a frame
 * Used by  framing_json.ts, framing_advanced.ts
 * Never    keeps a chunk: the next read overwrites it, so its bytes are copied
 * Keeps    of the length that a frame announces at most RESERVED bytes are reserved: a peer could announce gigabytes.
 *          Longer memory is at most twice as long as the bytes that have arrived
 * Costs    one copy of each byte, and one more when the memory grows: linear in the length of the frame
 */
import { Buffer, Math, setBytes, subarray } from '../builtins';

/** Bytes. The first memory for a long frame: as long as one read, since such a frame mostly needs another read. */
const FIRST = 65536;
/** Bytes. A frame that announces no more gets memory of its length at once. The system provides it as it is filled. */
const RESERVED = 4 << 20;
/** Bytes. Longer memory is given back after a frame. Shorter memory is kept: to get it from the system again costs more than to fill it. */
const KEPT = RESERVED;

const none = Buffer.alloc(0);

/** The bytes of one frame, as they arrive. */
export class FrameBuffer {
  #bytes = none;
  #length = 0;
  /** The frame that was taken last filled the memory. */
  #takenWhole = false;

  get length(): number {
    return this.#length;
  }

  /** The bytes that have arrived (borrowed). */
  get bytes(): Buffer {
    return subarray(this.#bytes, 0, this.#length);
  }

  /** Copies a piece (borrowed) to the end. `whole`: the announced length of the frame; 0 if it is not known. */
  add(piece: Uint8Array, whole = 0): void {
    const length = this.#length + piece.length;
    if (length > this.#bytes.length) {
      const grown = Buffer.allocUnsafeSlow(this.#nextLength(length, whole));
      setBytes(grown, this.bytes);
      this.#bytes = grown;
    }
    setBytes(this.#bytes, piece, this.#length);
    this.#length = length;
  }

  /** How long the memory must be for `length` bytes now, and `whole` bytes in the end. */
  #nextLength(length: number, whole: number): number {
    if (whole >= length && whole <= RESERVED) return whole;
    // A short frame gets exactly what it needs, since the next read mostly brings its end.
    if (length < FIRST / 4) return length;
    const next = Math.max(FIRST, length, 2 * this.#bytes.length);
    return whole >= length ? Math.min(next, whole) : next;
  }

  /** Returns all bytes (borrowed until the next `add`), and starts the next frame. */
  take(): Buffer {
    const { bytes } = this;
    this.#takenWhole = this.#length === this.#bytes.length;
    this.#length = 0;
    if (this.#bytes.length > KEPT) this.#bytes = none;
    return bytes;
  }

  /**
   * Returns the bytes that `take` has just returned, transferred. If they fill the memory, they are not copied. In both
   * cases the next frame begins new memory, of its own length: it will be given away, too.
   */
  give(taken: Buffer): Buffer {
    const own = this.#takenWhole ? taken : copyOf(taken, 0, taken.length);
    this.#bytes = none;
    return own;
  }
}

/** Copies the bytes from `start` to `end` into memory of their own. */
export function copyOf(bytes: Buffer, start: number, end: number): Buffer {
  const copy = Buffer.allocUnsafeSlow(end - start);
  setBytes(copy, subarray(bytes, start, end));
  return copy;
}
