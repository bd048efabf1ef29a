/**
 * The writing end of a channel: frames leave in order, in as few writes as order and promptness allow.
 *
 *   first frames of a turn       written at once, each: a process that says its last words and dies
 *                                of a signal has said them
 *   later frames of that turn    joined, written together at its end (or at 64 KiB, or when an fd has
 *                                to go, or when the process exits): D15
 *   a frame with an fd           a write of its own, at once: the kernel takes one fd per call
 *
 * Owns     the frames that are joined and not written; a frame that is on its way belongs to the
 *          native write, which keeps it until it is done
 * Used by  channel.ts, which owns the pipe and tells `close` when that ends
 * Never    drops a frame without saying so: each write ends in its callback, in `failed`, or in silence
 *          where its sender asked for that
 */
import { causedByPeer, channelClosed, systemError } from '../errors';
import { PENDING, WRITTEN, isExiting, writePipe, type NativeHandle, type NativePipe } from '../native';
import type { Codec } from './framing';

/** Told when a message was written, or why it was not. */
export type SendCallback = (error: Error | null) => void;

/** `keepOpen`: a sent socket stays usable here. `swallowErrors`: nobody is told that the write failed. */
export interface SendOptions {
  readonly keepOpen?: boolean | undefined;
  readonly swallowErrors?: boolean | undefined;
}

/** Who wants to know how a write ended. */
export interface Told {
  readonly callback?: SendCallback | undefined;
  /** Without a callback a failed write is an 'error', unless this is set. */
  readonly swallowErrors?: boolean | undefined;
  /** Lets go of the fd that went with it, whatever became of the write. */
  readonly release?: (() => void) | undefined;
  /** Called beside all others when it could not be written. */
  readonly failed?: (() => void) | undefined;
}

/** What the channel hears of its writes. */
export interface OutboxSink {
  failed(error: Error): void;
  /** An asynchronous write began (+1) or ended (-1). */
  pending(change: 1 | -1): void;
  /** What was above the high-water mark when `write` returned false is below it again. */
  drained(): void;
}

/** In place of a write's status, where there was no write. */
const CLOSED = 2;
/** Above this many unwritten bytes `send` returns false. */
const HIGH_WATER = 65536 * 2;
/** So many frames of a turn are written at once, before the rest of the turn is joined. */
const EAGER = 8;
/** Joined frames are written before the end of the turn when they have grown to this length. */
const JOIN_LIMIT = 65536;

/** The frames of one channel that are not written yet. */
export class Outbox {
  readonly #pipe: NativePipe;
  readonly #codec: Codec;
  readonly #sink: OutboxSink;
  #joined: (string | Buffer)[] = [];
  #joinedLength = 0;
  /** Who wants to know of the joined frames, in their order. */
  #joinedTold: Told[] = [];
  /** How many frames this turn has written at once, at most; from the second on its end is waited for. */
  #written = 0;
  #closed = false;
  /** `write` has returned false, and nobody was told since that there is room again. */
  #full = false;

  constructor(pipe: NativePipe, codec: Codec, sink: OutboxSink) {
    this.#pipe = pipe;
    this.#codec = codec;
    this.#sink = sink;
  }

  /** Writes now if it is one of the first frames of the turn, else joins it to the others. False above the high-water mark. */
  write(frame: string | Buffer, told: Told): boolean {
    if (this.#written < EAGER || (this.#joined.length === 0 && isExiting())) {
      // Who writes once a turn, mostly in answer to what was read, needs no tick for it.
      if (this.#written++ === 1) process.nextTick(this.#endTurn);
      return this.writeNow(frame, null, told);
    }
    if (this.#joined.length === 0) flushAtExit(this);
    this.#joined.push(frame);
    this.#joinedLength += frame.length;
    this.#joinedTold.push(told);
    if (this.#joinedLength >= JOIN_LIMIT) this.flush();
    return this.#hasRoom();
  }

  #hasRoom(): boolean {
    this.#full = this.#joinedLength + this.#pipe.writeQueueSize >= HIGH_WATER;
    return !this.#full;
  }

  readonly #endTurn = (): void => {
    this.#written = 0;
    this.flush();
  };

  /** Are more than `limit` bytes on their way? Asked before each message: costs nothing while there is room. */
  holdsMoreThan(limit: number): boolean {
    return this.#full && this.#joinedLength + this.#pipe.writeQueueSize > limit;
  }

  /** Something was read: whatever is written now is written in another turn than what was before. */
  newTurn(): void {
    this.#written = 0;
  }

  /** Writes what is joined. */
  flush(): void {
    if (this.#joined.length === 0) return;
    const frames = this.#joined;
    const told = this.#joinedTold;
    this.#joined = [];
    this.#joinedTold = [];
    this.#joinedLength = 0;
    unflushed.delete(this);
    if (frames.length === 1) this.#put(frames[0] as string | Buffer, null, told[0] as Told);
    else this.#put(this.#codec.join(frames), null, told);
  }

  /** Writes what is joined, then this frame, with the fd of `native` (borrowed until `told.release`). */
  writeNow(frame: string | Buffer, native: NativeHandle | null, told: Told): boolean {
    this.flush();
    this.#put(frame, native, told);
    return this.#hasRoom();
  }

  /** Writes now, and says whether the kernel has it; `callback` is called only if it has not, when it has or never will. */
  writeFirmly(frame: string | Buffer, told: Told): boolean {
    this.flush();
    const status = this.#closed ? CLOSED : writePipe(this.#pipe, frame, null, this.#done, told);
    if (status === PENDING) this.#sink.pending(1);
    else if (status === CLOSED) this.fail(channelClosed(), told);
    else if (status !== WRITTEN) this.fail(causedByPeer(systemError(status, 'write')), told);
    return status === WRITTEN;
  }

  /** Nothing is written from now on; what is on its way may still arrive. */
  close(): void {
    this.flush();
    this.#closed = true;
  }

  #put(frame: string | Buffer, native: NativeHandle | null, told: Told | readonly Told[]): void {
    if (this.#closed) return this.#fail(channelClosed(), told);
    const status = writePipe(this.#pipe, frame, native, this.#done, told);
    switch (status) {
      case PENDING:
        return this.#sink.pending(1);
      case WRITTEN:
        return each(told, writtenAtOnce);
      default:
        return this.#fail(causedByPeer(systemError(status, 'write')), told);
    }
  }

  /** An asynchronous write has ended. One function for all of them: a write keeps who wants to know. */
  readonly #done = (errno: number, told: Told | readonly Told[]): void => {
    this.#sink.pending(-1);
    const error = errno < 0 ? systemError(errno, 'write') : null;
    each(told, ({ callback, release, failed }) => {
      release?.();
      if (error !== null) failed?.();
      callback?.(error);
    });
    if (this.#full && this.#hasRoom()) this.#sink.drained();
  };

  #fail(error: Error, told: Told | readonly Told[]): void {
    each(told, (one) => this.fail(error, one));
  }

  /** A message will not be written: its callback is told, or everybody is. */
  fail(error: Error, { callback, swallowErrors, release, failed }: Told): void {
    release?.();
    if (failed !== undefined) process.nextTick(failed);
    if (callback !== undefined) process.nextTick(callback, error);
    else if (!swallowErrors) process.nextTick(() => this.#sink.failed(error));
  }
}

function each(told: Told | readonly Told[], tell: (one: Told) => void): void {
  if (Array.isArray(told)) for (const one of told as readonly Told[]) tell(one);
  else tell(told as Told);
}

function writtenAtOnce({ callback, release }: Told): void {
  release?.();
  if (callback !== undefined) process.nextTick(callback, null);
}

// ── what is joined must be written before the process exits ──────────────────────────────────────

const unflushed = new Set<Outbox>();
let exitListener = false;

function flushAtExit(outbox: Outbox): void {
  unflushed.add(outbox);
  if (exitListener) return;
  exitListener = true;
  process.on('exit', () => {
    for (const unwritten of unflushed) unwritten.flush();
  });
}
