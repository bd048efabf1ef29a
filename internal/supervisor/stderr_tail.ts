/**
 * Keeps the end of what a worker writes to stderr. That is possible where its stderr is a pipe to this process: the
 * program set `silent` or `stdio`, or the supervisor has `stderr: 'pipe'`. Where stderr is inherited there is nothing
 * to read; then the agent reports the uncaught error (worker/last_error.ts).
 *
 * Owns     the last bytes. The stream belongs to the ChildProcess, and ends with the process
 * Used by  worker_words.ts
 */
import { timers } from '../builtins';
import type { Readable } from 'node:stream';

/** How much is kept, in bytes: room for an error with a long stack, and small beside a process. */
const KEPT = 4_096;
/**
 * How long the rest of the output may take to arrive after the process is gone, in milliseconds. The pipe can stay
 * open for longer if a child of the worker inherited it, so there must be an end.
 */
export const LATE_MS = 500;

/** The end of one stream. */
export class StderrTail {
  readonly #stream: Readable | null;
  #bytes: Buffer = Buffer.alloc(0);

  /** null: the worker's stderr is no pipe. */
  constructor(stream: Readable | null) {
    this.#stream = stream;
    stream?.on('error', () => undefined); // An error ends the stream. What was read before it is kept.
    stream?.on('data', (bytes: Buffer | string) => {
      this.#bytes = Buffer.concat([this.#bytes, Buffer.from(bytes)]);
      if (this.#bytes.length > KEPT) this.#bytes = Buffer.from(this.#bytes.subarray(-KEPT));
    });
  }

  /** Resolves to the last KEPT bytes when the stream has ended, or after LATE_MS. Call it when the process is gone. */
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
