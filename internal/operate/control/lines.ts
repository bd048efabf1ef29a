/**
 * Cuts a stream of bytes into lines, and keeps no more than one line of it.
 *
 * Owns     the bytes of the line that is not complete yet, in one buffer of at most twice their number
 * Used by  connection.ts, client.ts, socket_file.ts
 * Keeps    1. a line is returned as a whole, so a character whose bytes come in two chunks is one character
 *          2. a line that comes byte by byte costs no more memory than one that comes at once, and each byte is
 *             searched for a line break once
 *          3. after a line that was too long nothing is returned any more, and nothing is kept
 */

/** The code of a line break. */
const LINE_BREAK = 10;
/** The size of the first buffer, in bytes: most lines that come in two chunks fit. */
const FIRST_BUFFER = 4096;
const EMPTY = Buffer.alloc(0);

/** Reads the lines of one stream. */
export class LineReader {
  readonly #longest: number;
  /** Holds the `#bytes` bytes of the incomplete line at its beginning. */
  #kept: Buffer = EMPTY;
  #bytes = 0;
  #isTooLong = false;

  /** `longest`: the most bytes of a line, without its line break. */
  constructor(longest: number) {
    this.#longest = longest;
  }

  /** Has a line been too long? Then the stream cannot be read on. */
  get isTooLong(): boolean {
    return this.#isTooLong;
  }

  /**
   * Returns the lines that `chunk` completes, in order, as bytes: to decode a long one takes time, and the caller may not
   * want it. A line is valid until the next one is asked for. The caller may stop between two, and then drops the reader.
   */
  *push(chunk: Buffer): Generator<Buffer, void, void> {
    for (let from = 0; from < chunk.length && !this.#isTooLong;) {
      const at = chunk.indexOf(LINE_BREAK, from);
      const part = chunk.subarray(from, at === -1 ? chunk.length : at);
      if (this.#bytes + part.length > this.#longest) {
        this.#isTooLong = true;
        this.#forget();
        return;
      }
      if (at === -1) return this.#keep(part);
      yield this.#complete(part);
      from = at + 1;
    }
  }

  #keep(part: Buffer): void {
    const bytes = this.#bytes + part.length;
    if (bytes > this.#kept.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(FIRST_BUFFER, 2 * bytes));
      this.#kept.copy(larger, 0, 0, this.#bytes);
      this.#kept = larger;
    }
    part.copy(this.#kept, this.#bytes);
    this.#bytes = bytes;
  }

  /** The line that ends with `part`. */
  #complete(part: Buffer): Buffer {
    if (this.#bytes === 0) return part;
    this.#keep(part);
    const line = this.#kept.subarray(0, this.#bytes);
    this.#forget();
    return line;
  }

  #forget(): void {
    this.#kept = EMPTY;
    this.#bytes = 0;
  }
}
