/**
 * Writes what workers print to stderr to one destination, for `stderr: 'pipe'`: whole lines, so that two
 * workers never share one.
 *
 *   worker ── its pipe ──► Lines (the beginning of a line) ── whole lines ──► Output ──► process.stderr
 *
 * Owns     of each worker the beginning of its present line; the list of pipes that are paused. The pipes
 *          belong to the ChildProcesses, the destination to the process
 * Used by  worker_process.ts (a Lines for each worker), supervisor.ts (one Output)
 * Keeps    1. memory is bounded: a worker's pipe is paused until the destination takes more, so what
 *             nobody reads stays with the worker; a line longer than LONGEST goes on in pieces
 *          2. an error of the destination (EPIPE, ENOSPC, EIO) loses what was being written and nothing
 *             else: the primary goes on, and the workers' pipes are still read
 */
import { timers } from '../builtins';
import type { Readable, Writable } from 'node:stream';
import { attach, detach } from './app_calls';

/** The longest line that is kept whole, in bytes: a log record with a large body, and no more. */
const LONGEST = 2 ** 20;
const NEWLINE = 10;

/** Where the lines of all workers go. */
export class Output {
  readonly #to: Writable;
  readonly #paused = new Set<Readable>();
  #unwritten = 0;

  constructor(to: Writable) {
    this.#to = to;
  }

  /** Writes `bytes`; pauses `source` while the destination is full. */
  write(bytes: Buffer, source: Readable): void {
    if (!this.#to.writable) return; // It was ended, or destroyed by an error: lost, and the worker is read on.
    // Without a listener an error would end the primary. It is there only while something of ours is on its way.
    if (this.#unwritten++ === 0) attach(this.#to, 'error', ignore);
    let takesMore = true;
    try {
      // An 'error' follows the callback within the same turn.
      takesMore = this.#to.write(bytes, () => timers.setImmediate(() => this.#written()));
    } catch {
      this.#written(); // Somebody has replaced `write`, and theirs throws.
    }
    if (takesMore) return;
    this.#paused.add(source);
    source.pause();
  }

  #written(): void {
    if (--this.#unwritten === 0) detach(this.#to, 'error', ignore);
    if (this.#to.writableNeedDrain && this.#unwritten > 0) return;
    const paused = [...this.#paused];
    this.#paused.clear();
    for (const source of paused) source.resume();
  }
}

/** The lines of one worker. */
export class Lines {
  readonly #source: Readable;
  readonly #output: Output;
  #begun: Buffer[] = [];
  #length = 0;

  constructor(source: Readable, output: Output) {
    this.#source = source;
    this.#output = output;
    source.on('data', (bytes: Buffer | string) => this.#add(typeof bytes === 'string' ? Buffer.from(bytes) : bytes));
    source.on('end', () => {
      if (this.#length > 0) this.#add(Buffer.of(NEWLINE));
    });
  }

  #add(bytes: Buffer): void {
    const end = bytes.lastIndexOf(NEWLINE) + 1;
    if (end > 0) {
      this.#output.write(Buffer.concat([...this.#begun, bytes.subarray(0, end)]), this.#source);
      this.#begun = [];
      this.#length = 0;
    }
    if (end < bytes.length) this.#begun.push(bytes.subarray(end));
    this.#length += bytes.length - end;
    if (this.#length <= LONGEST) return;
    this.#output.write(Buffer.concat(this.#begun), this.#source);
    this.#begun = [];
    this.#length = 0;
  }
}

function ignore(): void {
  // What could not be written is lost, as it would be if the worker had written it there itself.
}
