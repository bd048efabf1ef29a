/**
 * All output of the workers of one app: from the pipes of each worker into the log files, and to those who follow.
 *
 * Owns     the log files. The pipes belong to the workers' ChildProcesses
 * Used by  app_primary.ts
 * Uses     log_files.ts, worker_output.ts, supervisor/stderr_lines.ts, supervisor/error_line.ts
 * Keeps    a worker that prints faster than the disk writes has to wait; nobody else does
 */
import type { Worker } from 'node:cluster';
import type { Readable } from 'node:stream';
import { machineClock, type MachineClock } from '../../clock';
import { errorLine } from '../../supervisor/error_line';
import { StderrOutput } from '../../supervisor/stderr_lines';
import type { LogSpec } from './app_spec';
import { LogFile } from './log_files';
import { readWorker } from './worker_output';

/** How much of the latest stderr is kept for an error message, in bytes: room for the errors of some workers, with long stacks. */
const KEPT_ERRORS = 16_384;

/** One file, and what pauses the pipes that fill it. */
interface Destination {
  readonly file: LogFile;
  readonly output: StderrOutput;
}

/** The logs of one app. */
export class AppLogs {
  readonly #spec: LogSpec;
  readonly #out: Destination;
  readonly #err: Destination;
  #errors: Buffer = Buffer.alloc(0);

  /** `warn`: where it is said that lines are lost. */
  constructor(spec: LogSpec, warn: (text: string) => void, clock: Pick<MachineClock, 'now'> = machineClock) {
    this.#spec = spec;
    const open = (file: string): Destination => {
      const opened = new LogFile({ file, maxBytes: spec.maxBytes, keep: spec.keep }, { clock, warn });
      return { file: opened, output: new StderrOutput(opened) };
    };
    this.#out = open(spec.file);
    this.#err = spec.errorFile === null || spec.errorFile === spec.file ? this.#out : open(spec.errorFile);
  }

  /** Reads what a worker prints. `place`: the number of its slot. Call it before the worker can have printed anything. */
  add(worker: Worker, place: () => number | null): void {
    const { stdout, stderr } = worker.process;
    this.#read(stdout, place, this.#out, () => undefined);
    this.#read(stderr, place, this.#err, (lines) => {
      this.#errors = Buffer.from(Buffer.concat([this.#errors, lines]).subarray(-KEPT_ERRORS));
    });
  }

  #read(source: Readable | null, place: () => number | null, { output }: Destination, seen: (lines: Buffer) => void): void {
    if (source !== null) readWorker(source, place, output, this.#spec, seen);
  }

  /** The error that the workers have printed to stderr last, in one line; '' if they printed nothing there. */
  get lastError(): string {
    return errorLine(this.#errors.toString('utf8'));
  }

  /** The last lines in the files: those of stdout, then those of stderr if that has a file of its own. */
  lastLines(count: number): string[] {
    return this.#files.flatMap((file) => file.lastLines(count));
  }

  /** Calls `listener` with each line from now on. Returns a function that ends this. */
  follow(listener: (line: string) => void): () => void {
    const stops = this.#files.map((file) => file.follow(listener));
    return () => { for (const stop of stops) stop(); };
  }

  /** Opens all files anew, before the next line. */
  reopen(): void {
    for (const file of this.#files) file.reopen();
  }

  /** Resolves when all lines are written, or lost. Nothing can be written afterwards. */
  async end(): Promise<void> {
    await Promise.all(this.#files.map((file) => new Promise<void>((resolve) => { file.end(resolve); })));
  }

  get #files(): LogFile[] {
    return this.#out === this.#err ? [this.#out.file] : [this.#out.file, this.#err.file];
  }
}
