/**
 * The end of what a worker writes to stderr, for the one who has to find out why it died.
 *
 * Owns     the last bytes; the stream belongs to the ChildProcess and ends with the process
 * Used by  process.ts
 */
import type { Readable } from 'node:stream';

/** How much is kept, in bytes. */
const KEPT = 4_096;
/** How long the rest of a stream may take to come after its process has gone. */
const LATE_MS = 500;

/** Follows one stream. */
export class Tail {
  readonly #stream: Readable | null;
  #bytes: Buffer = Buffer.alloc(0);

  /** `forward`: what comes is written to our own stderr, where it would have gone without us. */
  constructor(stream: Readable | null, forward: boolean) {
    this.#stream = stream;
    stream?.on('error', () => undefined); // It ends, and that is all.
    stream?.on('data', (bytes: Buffer | string) => {
      if (forward) process.stderr.write(bytes);
      this.#bytes = Buffer.concat([this.#bytes, Buffer.from(bytes)]);
      if (this.#bytes.length > KEPT) this.#bytes = this.#bytes.subarray(-KEPT);
    });
  }

  /** What there is when the stream has ended. */
  async text(): Promise<string> {
    const stream = this.#stream;
    if (stream !== null && !stream.readableEnded && !stream.destroyed) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, LATE_MS);
        stream.once('close', () => {
          clearTimeout(timer);
          resolve();
        });
      });
    }
    return this.#bytes.toString('utf8');
  }
}
