/**
 * The part file of one process: its recorder appends one line for each event, and record.ts merges all parts at the end.
 * What was written is in the kernel's hands, so it survives every end of the process, SIGKILL too.
 *
 *   few events        each line is written at once, as long as there are tokens for it
 *   more events       lines are joined, and written together when the first of them is OLD_NS old, when they are long, and
 *                     when this process ends
 *
 * So a process that is killed while it has few events loses none. In a flood it loses at most those events that it had
 * within 5 ms.
 *
 * Owns     the fd of the current segment. The files belong to record.ts
 * Used by  recorder.ts, parts.ts
 * Never    throws, and never keeps the process alive. If a write fails (a full disk), recording ends for this process:
 *          a last line says so, the program goes on
 * Keeps    1. all part files of a recording together are about `limit` bytes long (a ring): a segment that is full is
 *             closed, and the oldest closed segments of all processes are deleted until there is room again. Each
 *             process keeps the segment that it is writing, of MIN_SEGMENT bytes or more
 *          2. each segment begins with a line that describes the process and gives the number of its first event, so a
 *             reader knows how many events are missing
 * Costs    in a flood a write and a timer every 4 ms, about 15 µs together
 */
import { closeSync, ftruncateSync, openSync, readdirSync, statSync, unlinkSync, writeSync } from 'node:fs';
import path from 'node:path';
import { Buffer, Math, Set, String, timers } from '../builtins';
import { hookProcessEnd, isExiting } from '../native/process_end';

/** Lines that may be written one by one when nothing was written for a while. */
const TOKENS = 32;
/** Tokens that each millisecond adds: 200 in a second. */
const TOKENS_PER_MS = 0.2;
/** Milliseconds after which joined lines are written. */
const LATER_MS = 4;
/** Nanoseconds after which they are written as the next one comes, if the event loop was too busy to run that timer. */
const OLD_NS = 5_000_000;
/** Characters of joined lines that are written at once. */
const LONG = 65_536;
/** Bytes of a segment: at least, and at most. */
const MIN_SEGMENT = 16_384;
const MAX_SEGMENT = 8 << 20;
/** Bytes that are cut off a file on a full disk, to make room for the line that says so. */
const ROOM = 8192;

/** The name of a part file: pid, start of the process, number of the segment. */
export const PART = /^(\d+)-(\d+)\.(\d+)\.part$/;

/** Describes this process, for the first line of a segment. `first`: the number of the segment's first event. `at`: the time from which the next line counts. */
export type SegmentHead = (first: number, at: number) => string;

/** The part file of this process. */
export class PartFile {
  readonly #directory: string;
  readonly #limit: number;
  readonly #head: SegmentHead;
  readonly #prefix: string;
  #fd = -1;
  #segment = 0;
  #segmentSize = 0;
  /** Bytes in the current segment. */
  #size = 0;
  /** The number of the next event. */
  #next = 0;
  /** When the last event was: each line has the time since the one before, whose few digits cost less to write. */
  #lastAt: number;
  #joined = '';
  /** When the joined lines have to be written. 0: each line is written at once if there is a token. */
  #dueAt = 0;
  #tokens = TOKENS;
  #tokensAt: number;
  #timer: NodeJS.Timeout | null = null;
  #state: 'open' | 'ended' = 'open';

  /** `started`: nanoseconds since the start of the recording. The first segment is opened now. */
  constructor(directory: string, limit: number, started: number, head: SegmentHead) {
    this.#directory = directory;
    this.#limit = limit;
    this.#head = head;
    this.#prefix = `${process.pid}-${started}`;
    this.#lastAt = started;
    this.#tokensAt = started;
    this.#openSegment();
    hookProcessEnd(() => this.flush());
  }

  /** Adds a line for an event at `at`: its kind, and the text of its other fields, which begins with a comma or is empty. */
  add(kind: string, at: number, fields: string): void {
    if (this.#state === 'ended') return;
    this.#joined += `{"k":"${kind}","t":${at - this.#lastAt}${fields}}\n`;
    this.#lastAt = at;
    this.#next++;
    if (isExiting()) this.flush(); // Nobody writes later what is joined now.
    else if (at >= this.#dueAt || this.#joined.length > LONG) this.#writeOrWait(at);
  }

  /** The joined lines are due. If there are more events than tokens, the next lines are joined. */
  #writeOrWait(at: number): void {
    this.#tokens = Math.min(TOKENS, this.#tokens + ((at - this.#tokensAt) / 1e6) * TOKENS_PER_MS);
    this.#tokensAt = at;
    const isFlood = this.#tokens < 1;
    if (!isFlood) this.#tokens--;
    // The first line of a flood waits for others.
    if (!isFlood || this.#dueAt !== 0) this.flush();
    this.#dueAt = isFlood ? at + OLD_NS : 0;
    if (isFlood) this.#timer ??= timers.setTimeout(this.#flushLater, LATER_MS).unref();
  }

  /** Are there more events than can be written one by one? */
  get isFlooded(): boolean {
    return this.#dueAt !== 0;
  }

  readonly #flushLater = (): void => {
    this.#timer = null;
    this.#dueAt = 0;
    this.flush();
  };

  /** Writes what is joined. */
  flush(): void {
    if (this.#joined === '' || this.#state === 'ended') return;
    const text = this.#joined;
    this.#joined = '';
    this.#write(text);
    if (this.#size >= this.#segmentSize) this.#openSegment();
  }

  #write(text: string): void {
    try {
      const written = writeSync(this.#fd, text);
      this.#size += written;
      if (written < Buffer.byteLength(text)) this.#size += writeSync(this.#fd, Buffer.from(text).subarray(written));
    } catch (error) {
      this.#end(error);
    }
  }

  /** Recording has to end, for example because the disk is full. The file says so, if there is any room for it. */
  #end(error: unknown): void {
    this.#state = 'ended';
    const reason = String((error as Error).message).slice(0, 200);
    const text = `\n${JSON.stringify({ k: 'z', t: this.#lastAt, seq: this.#next, reason })}\n`;
    for (let tries = 0; tries < 3; tries++) {
      try {
        writeSync(this.#fd, text);
        return;
      } catch {
        this.#shorten(); // The disk is full: give some bytes back, and write into their place.
      }
    }
  }

  #shorten(): void {
    this.#size = Math.max(0, this.#size - ROOM);
    try {
      ftruncateSync(this.#fd, this.#size);
    } catch {
      this.#size = 0; // It is no regular file. The reader notices that the process has no end.
    }
  }

  /** Opens the next segment. If that fails, the process goes on without a recording. */
  #openSegment(): void {
    try {
      if (this.#fd !== -1) closeSync(this.#fd);
      this.#fd = -1;
      this.#segmentSize = this.#makeRoom();
      this.#fd = openSync(path.join(this.#directory, `${this.#prefix}.${this.#segment++}.part`), 'ax', 0o600);
      this.#size = 0;
    } catch (error) {
      if (this.#fd === -1) this.#state = 'ended';
      else this.#end(error);
      return;
    }
    this.#write(`${this.#head(this.#next, this.#lastAt)}\n`);
  }

  /** Deletes the oldest closed segments of the recording while it is too long. Returns the bytes that the next segment may have. */
  #makeRoom(): number {
    const parts = readdirSync(this.#directory).flatMap((name) => {
      const [, pid = '', start = '', segment = ''] = PART.exec(name) ?? [];
      const stat = pid === '' ? undefined : statSync(path.join(this.#directory, name), { throwIfNoEntry: false });
      return stat === undefined ? [] : [{ name, process: `${pid}-${start}`, pid: +pid, segment: +segment, size: stat.size, changed: stat.mtimeMs }];
    });
    const processes = new Set(parts.map((part) => part.process));
    const size = Math.min(MAX_SEGMENT, Math.max(MIN_SEGMENT, this.#limit / (4 * (processes.size + 1))));
    let total = parts.reduce((sum, part) => sum + part.size, 0);
    if (total + size <= this.#limit) return size;
    const isCurrent = (one: (typeof parts)[number]): boolean => !parts.some((other) => other.process === one.process && other.segment > one.segment);
    const closed = parts.filter((part) => part.process === this.#prefix || !isCurrent(part) || !isAlive(part.pid)).sort((a, b) => a.changed - b.changed);
    for (const part of closed) {
      if (total + size <= this.#limit) break;
      unlink(path.join(this.#directory, part.name));
      total -= part.size;
    }
    return size;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false; // No such process. One of another user counts as gone: its segment is old, or it would not be deleted.
  }
}

function unlink(file: string): void {
  try {
    unlinkSync(file);
  } catch {
    return; // Another process has deleted it in the same moment.
  }
}
