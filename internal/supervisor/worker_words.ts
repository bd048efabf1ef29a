/**
 * The last words of a worker: the end of its stderr if that is a pipe, otherwise the uncaught error that its agent reported.
 *
 * Owns     what is kept of both, and the copy of the worker's stderr, if the supervisor writes it
 * Used by  worker_process.ts, one for each worker
 * Uses     stderr_tail.ts, stderr_lines.ts
 */
import type { Worker } from 'node:cluster';
import type { EpochClock } from '../clock';
import { KEPT_ERROR } from './app_calls';
import { StderrLines, type StderrOutput } from './stderr_lines';
import { LATE_MS, StderrTail } from './stderr_tail';

/** The last words of one worker. */
export class WorkerWords {
  readonly #worker: Worker;
  readonly #clock: EpochClock;
  readonly #tail: StderrTail;
  #error = '';

  /** `output`: where the worker's stderr is written, line by line; null if the supervisor does not write it. */
  constructor(worker: Worker, clock: EpochClock, output: StderrOutput | null) {
    this.#worker = worker;
    this.#clock = clock;
    const { stderr } = worker.process;
    this.#tail = new StderrTail(stderr);
    if (stderr !== null && output !== null) new StderrLines(stderr, output);
  }

  /** The agent reported this uncaught error. */
  error(text: string): void {
    // The agent sends no more than this; another program on the channel could.
    this.#error = text.slice(0, KEPT_ERROR);
  }

  /** Resolves when all of it has arrived. Call it when the process is gone. */
  async last(): Promise<string> {
    const text = await this.#tail.text();
    if (text === '' && this.#worker.isConnected()) {
      // The process is gone, but the message with its last error may still be in the channel.
      await new Promise<void>((resolve) => {
        const cancel = this.#clock.after(LATE_MS, resolve);
        this.#worker.once('disconnect', () => {
          cancel();
          resolve();
        });
      });
    }
    return text === '' ? this.#error : text;
  }
}
