/**
 * The end of what a worker writes to stderr, where that is a pipe to this process: the program said
 * `silent` or `stdio`, or the supervisor `stderr: 'pipe'`. Where stderr is inherited there is nothing to
 * read here, and worker/last_error.ts tells why a worker died.
 *
 * Owns     the last bytes; the stream belongs to the ChildProcess and ends with the process
 * Used by  worker_process.ts
 */
import { timers } from '../builtins';
import type { Readable } from 'node:stream';

/** How much is kept, in bytes. */
const KEPT = 4_096;
/** How long the rest of a stream may take to come after its process has gone. */
export const LATE_MS = 500;

/** Follows one stream. */
export class Tail {
  readonly #stream: Readable | null;
  #bytes: Buffer = Buffer.alloc(0);

  constructor(stream: Readable | null) {
    this.#stream = stream;
    stream?.on('error', () => undefined); // It ends, and that is all.
    stream?.on('data', (bytes: Buffer | string) => {
      this.#bytes = Buffer.concat([this.#bytes, Buffer.from(bytes)]);
      if (this.#bytes.length > KEPT) this.#bytes = Buffer.from(this.#bytes.subarray(-KEPT));
    });
  }

  /** What there is when the stream has ended. */
  async text(): Promise<string> {
    const stream = this.#stream;
    if (stream !== null && !stream.readableEnded && !stream.destroyed) {
      await new Promise<void>((resolve) => {
        const timer = timers.setTimeout(resolve, LATE_MS);
        stream.once('close', () => {
          timers.clearTimeout(timer);
          resolve();
        });
      });
    }
    return this.#bytes.toString('utf8');
  }
}
