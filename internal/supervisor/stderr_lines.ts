/**
 * For `stderr: 'pipe'`, and for log files: writes what all workers print to one destination, in whole lines, so that
 * the output of two workers never shares a line.
 *
 *   worker ── its pipe ──► StderrLines (keeps an unfinished line) ── whole lines ──► StderrOutput ──► process.stderr,
 *                                                                                                     or a log file
 *
 * Owns     the unfinished line of each worker, and the list of paused pipes. The pipes belong to the ChildProcesses,
 *          the destination to this process
 * Used by  worker_words.ts (one StderrLines for each worker), worker_starts.ts (one StderrOutput);
 *          operate/app/ (for stdout as well)
 * Keeps    1. memory is bounded. While the destination is full, the pipe of each worker that writes is paused, so the
 *             worker itself has to wait. It goes on whatever the program has put in the place of `write`. A line longer than
 *             LONGEST_LINE is written in pieces, which begin and end between two characters of UTF-8
 *          2. an error of the destination (EPIPE, ENOSPC, EIO) loses what was being written and nothing else: the
 *             primary goes on, and the workers' pipes are still read
 */
import { timers } from '../builtins';
import type { Readable, Writable } from 'node:stream';
import { attach, detach } from './app_calls';

/** The longest line that is kept whole, in bytes: 1 MiB is enough for a log record with a large body. */
const LONGEST_LINE = 2 ** 20;
/** The byte that ends a line. */
const NEWLINE = 10;

/** Takes the lines of a worker. */
export interface LineOutput {
  /** `lines`: whole lines, or a piece of a line that is longer than LONGEST_LINE. `source`: the pipe that it may pause. */
  write(lines: Buffer, source: Readable): void;
}

/** The destination of the lines of all workers. */
export class StderrOutput implements LineOutput {
  readonly #to: Writable;
  readonly #paused = new Set<Readable>();
  /** How many writes have not been completed. */
  #unwritten = 0;

  constructor(to: Writable) {
    this.#to = to;
  }

  /** Writes `bytes`, and pauses `source` if the destination is full. */
  write(bytes: Buffer, source: Readable): void {
    if (!this.#to.writable) return; // It was ended, or an error destroyed it. The bytes are lost, and the worker is still read.
    // Without a listener for 'error' an error would end the primary. Ours is there only while a write of ours is open.
    if (this.#unwritten++ === 0) attach(this.#to, 'error', ignore);
    let hasRoom = true;
    try {
      // If the write fails, 'error' follows this callback in the same turn: the listener must stay until the next one.
      hasRoom = this.#to.write(bytes, () => timers.setImmediate(() => this.#written()));
    } catch {
      this.#written(); // The program has replaced `write` by a function that throws.
    }
    // The program may have replaced `write` by a function that returns nothing. The stream itself knows whether it is full.
    if (hasRoom || !this.#to.writableNeedDrain) return;
    // Such a function may drop our callback, too: then 'drain' comes alone.
    if (this.#paused.size === 0) attach(this.#to, 'drain', this.#resume);
    this.#paused.add(source);
    source.pause();
  }

  #written(): void {
    if (--this.#unwritten === 0) detach(this.#to, 'error', ignore);
    if (!this.#to.writableNeedDrain || this.#unwritten === 0) this.#resume();
  }

  readonly #resume = (): void => {
    if (this.#paused.size === 0) return;
    detach(this.#to, 'drain', this.#resume);
    const paused = [...this.#paused];
    this.#paused.clear();
    for (const source of paused) source.resume();
  };
}

/** Cuts one output of one worker into lines. */
export class StderrLines {
  readonly #source: Readable;
  readonly #output: LineOutput;
  /** The unfinished line, in the pieces in which it arrived. */
  #begun: Buffer[] = [];
  /** Its length in bytes. */
  #length = 0;

  constructor(source: Readable, output: LineOutput) {
    this.#source = source;
    this.#output = output;
    source.on('data', (bytes: Buffer | string) => this.#add(typeof bytes === 'string' ? Buffer.from(bytes) : bytes));
    source.on('end', () => {
      if (this.#length > 0) this.#add(Buffer.of(NEWLINE));
    });
  }

  #add(bytes: Buffer): void {
    const end = bytes.lastIndexOf(NEWLINE) + 1;
    if (end > 0) this.#write(bytes.subarray(0, end));
    if (end < bytes.length) this.#begun.push(bytes.subarray(end));
    this.#length += bytes.length - end;
    if (this.#length > LONGEST_LINE) this.#writePiece();
  }

  /** Writes the unfinished line and `rest`. */
  #write(...rest: Buffer[]): void {
    this.#output.write(Buffer.concat([...this.#begun, ...rest]), this.#source);
    this.#begun = [];
    this.#length = 0;
  }

  /** Writes the unfinished line, but for a character at its end that has not arrived completely. */
  #writePiece(): void {
    const piece = Buffer.concat(this.#begun);
    const end = piece.length - unfinishedCharacter(piece);
    this.#begun = [];
    this.#write(piece.subarray(0, end));
    if (end === piece.length) return;
    this.#begun.push(piece.subarray(end));
    this.#length = piece.length - end;
  }
}

/** How many bytes at the end begin a character of UTF-8 whose other bytes are not there; 0 for bytes that are no UTF-8. */
function unfinishedCharacter(bytes: Buffer): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back++) {
    const byte = bytes[bytes.length - back] ?? 0;
    if (byte >> 6 === 0b10) continue; // In the middle of a character.
    const size = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
    return size > back ? back : 0;
  }
  return 0;
}

function ignore(): void {
  // What could not be written is lost, as it would be if the worker had written to the destination itself.
}
