/**
 * The writing end of a channel. Frames leave in the order of `write`. A system call costs about 4 µs, and the rest of a
 * message about 0.5 µs. So a program that sends few messages gets a write for each, and in a flood of messages several
 * frames are joined into one write (D15):
 *
 *   few frames                     each frame is written at once, as long as the channel's allowance lasts (allowance.ts)
 *   more frames                    frames are joined into groups. A group is written when it is full, when
 *                                  its turn ends, when it is older than OLDEST_MS as the next frame comes, before an fd
 *                                  is sent, and when this process ends (flush_at_exit.ts)
 *   the kernel's buffer is full    frames are joined up to JOIN_LIMIT: the kernel would not take them earlier anyway
 *   a frame with an fd             is written alone, at once: the kernel takes one fd for each call
 *
 * Owns     the joined frames that are not written yet. A frame that is being written belongs to the native write
 * Used by  channel.ts, which owns the pipe and calls `close` when the channel ends; attach_channel.ts, channel_types.ts
 *          and handle_queue.ts, for types
 * Uses     allowance.ts (how many frames are written one by one), send_callbacks.ts, flush_at_exit.ts
 * Never    drops a frame silently: each write ends in a call of its `Completion`, or in `sink.failed`, unless the sender
 *          asked for silence (`swallowErrors`)
 * States   writable ◄── all written ── write is pending ──► full, and either ── close() ──► closed
 * Keeps    1. a program that sends as many messages as the allowance in one turn, and then blocks or dies, has written all of them
 *          2. of more messages, a program that blocks, or is killed from outside within the same turn, has held back
 *             fewer than a group that the kernel would have taken (allowance.ts: 40, after a flood of several turns 640)
 *          3. each completion is called, even if an earlier one throws
 */
import { Array, performance, push, timers } from '../builtins';
import { causedByPeer, channelClosed, systemError } from '../errors';
import type { NativeHandle, NativePipe } from '../native/bindings';
import { PENDING, WRITTEN, writePipe, type PipeData } from '../native/pipes';
import { isExiting } from '../native/process_end';
import { Allowance } from './allowance';
import type { Codec } from './codec';
import { addUnflushed, prepareFlushAtExit, removeUnflushed } from './flush_at_exit';
import { framesAreTraced, traceFrame, type FrameTrace } from '../trace';
import { SendCallbacks, type PendingCallback, type SendCallback } from './send_callbacks';

/** `keepOpen`: a sent socket stays usable in this process. `swallowErrors`: a failed write is reported to nobody. */
export interface SendOptions {
  readonly keepOpen?: boolean | undefined;
  readonly swallowErrors?: boolean | undefined;
}

/** The callbacks of one write. */
export interface Completion {
  /** The app's callback. It is called in the order of the sends and in the async context of its own send. */
  readonly appCallback?: PendingCallback | undefined;
  /** A callback of ours. It is called as soon as the write has ended. */
  readonly callback?: SendCallback | undefined;
  /** If neither callback is given, a failed write is an 'error' event, unless this is true. */
  readonly swallowErrors?: boolean | undefined;
  /** Releases the handle whose fd was sent. It is called when the write has ended, well or badly. */
  readonly release?: (() => void) | undefined;
  /** Called, besides the others, if the write has failed. */
  readonly failed?: (() => void) | undefined;
}

/** The callbacks of the outbox, which the channel implements. */
export interface OutboxSink {
  /** A write has failed that had no callback. */
  failed(error: Error): void;
  /** An asynchronous write has begun (+1) or ended (-1). */
  pending(change: 1 | -1): void;
  /** `write` has returned false, and now fewer bytes than HIGH_WATER are unwritten. */
  drained(): void;
}

/** The status of a write that was not tried, because the outbox is closed. */
const CLOSED = 2;
/** Bytes. `send` returns false while at least this many are unwritten: Node's own limit. */
const HIGH_WATER = 65536 * 2;
/** Frames. After each read at least this many may be written one by one, so that replies do not wait. */
const REPLIES = 8;
/** Milliseconds. A frame that comes when the group is older than this is written at once, with the group. */
const OLDEST_MS = 1;
/** Bytes (of JSON: characters). A group of this length is written, whatever its number of frames. */
const JOIN_LIMIT = 65536;

/**
 * `writable`: the kernel has taken all that was written. `full`: some of it waits in libuv, so a write now would only
 * wait behind it. `closed`: nothing is written any more.
 */
type OutboxState = 'writable' | 'full' | 'closed';

/** The unwritten frames of one channel. */
export class Outbox {
  readonly #pipe: NativePipe;
  readonly #codec: Codec;
  readonly #sink: OutboxSink;
  readonly #name: string;
  readonly #dialect: FrameTrace['dialect'];
  readonly #appCallbacks = new SendCallbacks(() => this.#flushIfWritable());
  #state: OutboxState = 'writable';
  /** `write` has returned false and `sink.drained` has not been called since. Depends on bytes, so it is independent of the state. */
  #owesDrain = false;
  /** The group: frames that wait for one write together. */
  #joined: (string | Buffer)[] = [];
  #joinedLength = 0;
  /** The completions of the joined frames, in the same order. */
  #joinedCompletions: Completion[] = [];
  /** When the newest group was begun, or a frame was written at once in place of a group. */
  #joinedAt = 0;
  /** Counts the frames of this turn up to 2. */
  #ofThisTurn = 0;
  /** The tick that ends the turn is scheduled. It is, whenever a frame is joined: without it nobody may write the group. */
  #endIsDue = false;
  readonly #allowance = new Allowance();

  /** `name` and `dialect` are those of the channel, for the trace. */
  constructor(pipe: NativePipe, codec: Codec, sink: OutboxSink, name = '', dialect: FrameTrace['dialect'] = 'pipelined') {
    this.#name = name;
    this.#dialect = dialect;
    this.#pipe = pipe;
    this.#codec = codec;
    this.#sink = sink;
    prepareFlushAtExit();
  }

  /** Registers the app's callback of a message that is being sent now. */
  addCallback(callback: SendCallback): PendingCallback {
    return this.#appCallbacks.add(callback);
  }

  /** Writes a frame now, or joins it to the group. Returns false at or above HIGH_WATER. */
  write(frame: string | Buffer, completion: Completion): boolean {
    if (framesAreTraced()) this.#trace(frame, null);
    this.#allowance.wrote();
    // A program that writes once in a turn, mostly a reply to what it read, needs no tick if that is written at once.
    if (this.#ofThisTurn < 2 && ++this.#ofThisTurn === 2) this.#scheduleEnd();
    if (this.#joined.length === 0) {
      if (this.#state !== 'full' && this.#mayWriteAtOnce()) return this.#writeNow(frame, null, completion);
      addUnflushed(this);
      this.#scheduleEnd();
    }
    push(this.#joined, frame);
    push(this.#joinedCompletions, completion);
    this.#joinedLength += frame.length;
    const isDue = this.#state !== 'full' && (this.#joined.length >= this.#allowance.groupSize || this.#isOld(performance.now()));
    if (isDue || this.#joinedLength >= JOIN_LIMIT) this.flush();
    return this.hasRoom;
  }

  /** No frame is joined: may this one be written at once? If not, it begins a group. */
  #mayWriteAtOnce(): boolean {
    if (this.#state === 'closed' || this.#allowance.take()) return true;
    const now = performance.now();
    const late = this.#isOld(now);
    this.#joinedAt = now;
    return late || isExiting();
  }

  #isOld(now: number): boolean {
    return now - this.#joinedAt > OLDEST_MS;
  }

  /** Are fewer than HIGH_WATER bytes unwritten? If not, `sink.drained` will be called. */
  get hasRoom(): boolean {
    const hasRoom = this.unwritten < HIGH_WATER;
    // It stays owed if there is room at a later call, of somebody else: who got `false` waits for `drained`.
    if (!hasRoom) this.#owesDrain = true;
    return hasRoom;
  }

  /** Bytes (of joined JSON: characters) that the kernel has not taken. */
  get unwritten(): number {
    return this.#joinedLength + this.#pipe.writeQueueSize;
  }

  #scheduleEnd(): void {
    if (this.#endIsDue) return;
    this.#endIsDue = true;
    timers.nextTick(this.#endTurn);
  }

  readonly #endTurn = (): void => {
    this.#endIsDue = false;
    this.#beginTurn(0);
    this.#flushIfWritable();
  };

  #flushIfWritable(): void {
    if (this.#state !== 'full') this.flush();
  }

  /** Something was read, and may be replied to. */
  newTurn(): void {
    this.#beginTurn(REPLIES);
  }

  /** At least `least` frames of the turn that begins may be written one by one. */
  #beginTurn(least: number): void {
    this.#ofThisTurn = 0;
    this.#allowance.newTurn(least);
  }

  /** Are more than `limit` bytes unwritten? The channel asks before each message, so this reads the pipe only above HIGH_WATER. */
  holdsMoreThan(limit: number): boolean {
    return this.#owesDrain && this.unwritten > limit;
  }

  /** Writes the joined frames. */
  flush(): void {
    if (this.#joined.length === 0) return;
    const frames = this.#joined;
    const completions = this.#joinedCompletions;
    const length = this.#joinedLength;
    this.#joined = [];
    this.#joinedCompletions = [];
    this.#joinedLength = 0;
    removeUnflushed(this);
    this.#put(this.#codec.join(frames, length), null, completions);
  }

  /** Writes the joined frames, then this frame with the fd of `native` (borrowed until `completion.release`). */
  writeNow(frame: string | Buffer, native: NativeHandle | null, completion: Completion): boolean {
    if (framesAreTraced()) this.#trace(frame, native);
    return this.#writeNow(frame, native, completion);
  }

  #writeNow(frame: string | Buffer, native: NativeHandle | null, completion: Completion): boolean {
    this.flush();
    this.#put(native === null ? this.#codec.join([frame], frame.length) : this.#codec.whole(frame), native, completion);
    return this.hasRoom;
  }

  /**
   * Writes now. Returns true if the kernel has taken the frame; then `callback` is not called. Otherwise `callback` is
   * called later: when the kernel has taken it, or with the error.
   */
  writeAtOnce(frame: string | Buffer, callback: SendCallback): boolean {
    if (framesAreTraced()) this.#trace(frame, null);
    this.flush();
    const completion: Completion = { callback };
    const status = this.#state === 'closed' ? CLOSED : writePipe(this.#pipe, this.#codec.whole(frame), null, this.#ended, completion);
    if (status === PENDING) this.#sink.pending(1);
    else if (status === CLOSED) this.fail(channelClosed(), completion);
    else if (status !== WRITTEN) this.fail(causedByPeer(systemError(status, 'write')), completion);
    return status === WRITTEN;
  }

  /** Publishes a frame, in the order of the wire. */
  #trace(frame: string | Buffer, native: NativeHandle | null): void {
    const trace: FrameTrace = { channel: this.#name, dialect: this.#dialect, way: 'sent', frame: this.#codec.whole(frame) };
    if (native !== null) trace.fd = native.fd ?? -1;
    traceFrame(trace);
  }

  /** Writes the joined frames, and refuses all later ones. A pending write may still reach the other end. */
  close(): void {
    this.flush();
    this.#state = 'closed';
    this.#allowance.close();
  }

  #put(data: PipeData, native: NativeHandle | null, completions: Completion | readonly Completion[]): void {
    if (this.#state === 'closed') return this.#failAll(channelClosed(), completions);
    const status = writePipe(this.#pipe, data, native, this.#ended, completions);
    switch (status) {
      case PENDING:
        this.#readState();
        return this.#sink.pending(1);
      case WRITTEN:
        return forEach(completions, this.#writtenAtOnce);
      default:
        return this.#failAll(causedByPeer(systemError(status, 'write')), completions);
    }
  }

  /** A pending write is not always in libuv's queue: one with an fd is pending even if the kernel has taken it. */
  #readState(): void {
    if (this.#state !== 'closed') this.#state = this.#pipe.writeQueueSize > 0 ? 'full' : 'writable';
  }

  readonly #writtenAtOnce = ({ appCallback, callback, release }: Completion): void => {
    release?.();
    if (appCallback !== undefined) this.#appCallbacks.complete(appCallback, null);
    if (callback !== undefined) timers.nextTick(callback, null);
  };

  /** A pending write has ended. One function serves all writes; each write keeps its own completions. */
  readonly #ended = (errno: number, completions: Completion | readonly Completion[]): void => {
    const error = errno < 0 ? systemError(errno, 'write') : null;
    this.#readState();
    try {
      forEach(completions, ({ appCallback, callback, release, failed }) => {
        release?.();
        if (error !== null) failed?.();
        if (appCallback !== undefined) this.#appCallbacks.complete(appCallback, error);
        callback?.(error);
      });
    } finally {
      this.#flushIfWritable();
      try {
        this.#sink.pending(-1);
      } finally {
        if (this.#owesDrain && this.hasRoom) {
          this.#owesDrain = false;
          this.#sink.drained();
        }
      }
    }
  };

  #failAll(error: Error, completions: Completion | readonly Completion[]): void {
    forEach(completions, (completion) => this.fail(error, completion));
  }

  /** Reports that a message will not be written: to its callbacks, or, if it has none, as an 'error'. */
  fail(error: Error, { appCallback, callback, swallowErrors, release, failed }: Completion): void {
    release?.();
    if (failed !== undefined) timers.nextTick(failed);
    if (appCallback !== undefined) this.#appCallbacks.refuse(appCallback, error);
    if (callback !== undefined) timers.nextTick(callback, error);
    if (appCallback === undefined && callback === undefined && !swallowErrors) timers.nextTick(() => this.#sink.failed(error));
  }
}

/** Calls `each` for all completions, even if one of the calls throws. */
function forEach(completions: Completion | readonly Completion[], each: (completion: Completion) => void): void {
  if (!isList(completions)) return each(completions);
  let at = 0;
  const callTheRest = (): void => {
    try {
      while (at < completions.length) each(completions[at++] as Completion);
    } finally {
      if (at < completions.length) callTheRest();
    }
  };
  callTheRest();
}

const isList = (completions: Completion | readonly Completion[]): completions is readonly Completion[] => Array.isArray(completions);
