/**
 * The bytes of a frame that has not ended, in one piece. A large frame is read straight into it: the
 * pipe is told to put the next bytes where they belong (`room`), and `add` finds them in place.
 *
 * Owns     its memory, which serves one frame after the other
 * Used by  framing.ts, framing_advanced.ts
 * Keeps    memory at most twice what has come, whatever a length says that is to come
 */

/** Below this a frame is short: it is copied, and the next read may bring many others with its end. */
const LARGE = 16384;
/** Memory up to this is kept for the next frame: to get it anew from the system costs more than to fill it. */
const KEPT = 4 << 20;

const none = Buffer.alloc(0);

/** Bytes that come in pieces. */
export class Growing {
  #bytes = none;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** The bytes so far (borrowed). */
  get bytes(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }

  /** Adds a piece (borrowed): a copy of it, unless it was read to its place. */
  add(piece: Uint8Array): void {
    const inPlace = piece.buffer === this.#bytes.buffer && piece.byteOffset === this.#bytes.byteOffset + this.#length;
    if (!inPlace) {
      this.#reserve(piece.length, Number.POSITIVE_INFINITY);
      this.#bytes.set(piece, this.#length);
    }
    this.#length += piece.length;
  }

  /** Where the next bytes belong, up to `whole` in all; null as long as there are few. */
  room(whole = Number.POSITIVE_INFINITY): Uint8Array | null {
    if (this.#length < LARGE || whole - this.#length < LARGE) return null;
    this.#reserve(Math.min(4 * LARGE, whole - this.#length), whole);
    return this.#bytes.subarray(this.#length, Math.min(whole, this.#bytes.length));
  }

  /** All bytes (borrowed until the next `add`); begins anew. */
  take(): Buffer {
    const { bytes } = this;
    this.#length = 0;
    if (this.#bytes.length > KEPT) this.#bytes = none;
    return bytes;
  }

  #reserve(more: number, whole: number): void {
    const needed = this.#length + more;
    if (needed <= this.#bytes.length) return;
    const grown = this.#length < LARGE && needed < LARGE ? needed : Math.max(needed, Math.min(2 * this.#bytes.length, whole));
    const bytes = Buffer.allocUnsafeSlow(grown);
    bytes.set(this.bytes, 0);
    this.#bytes = bytes;
  }
}
