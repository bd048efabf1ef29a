/**
 * The writing end of a channel: frames leave in order, and each at once, unless there are so many that
 * a write for each would be what costs most (about 4 µs of a message's 0.5: D15).
 *
 *   within the allowance      written at once, each. ALLOWANCE frames of a turn; in a flood of many
 *                             turns no more than REFILL in each millisecond
 *   beyond it                 joined in groups of GROUP frames. A group is written when it is full, when
 *                             its turn ends, when a frame comes that finds it older than OLDEST_MS, when
 *                             an fd has to go, and when this process ends (flush_at_exit.ts). A frame that
 *                             comes so late behind all others is written at once
 *   the kernel takes no more  joined up to JOIN_LIMIT bytes: what it would not take is not held back
 *   a frame with an fd        a write of its own, at once: the kernel takes one fd per call
 *
 * Owns     the frames that are joined and not written; a frame that is on its way belongs to the
 *          native write, which keeps it until it is done
 * Used by  channel.ts, which owns the pipe and tells `close` when that ends
 * Never    drops a frame without saying so: each write ends in its callback, in `failed`, or in silence
 *          where its sender asked for that
 * Keeps    1. a program that sends ALLOWANCE messages and then blocks, or dies in any way, has sent them all
 *          2. beyond them one that blocks, or is killed from outside or by a lack of memory within the
 *             same turn, has held back fewer than GROUP of those that the kernel would have taken; one that has flooded
 *             for several turns before, fewer than LARGEST_GROUP
 *          3. the end of each write is seen to by all whom it concerns, also when one of them throws
 * Decided  the allowance is not raised where pipes hold less, though Node writes each frame at once: what the
 *          kernel does not take is given to libuv, which drops it when the process ends and when the channel
 *          is disconnected. At the end of the process it could be written with writeSync under a deadline; but
 *          who survives that end (a signal that is handled, a replaced `reallyExit`) would send it twice, and
 *          `disconnect` would block a process that lives on. Where nobody reads, Node 26 gets 171 frames through
 *          too, and this 176 of 200
 */
import { Array, Math, performance, push } from '../builtins';
import { causedByPeer, channelClosed, systemError } from '../errors';
import { nodeMajor, type NativeHandle, type NativePipe } from '../native/bindings';
import { PENDING, WRITTEN, writePipe } from '../native/pipes';
import { isExiting } from '../native/process_end';
import type { Codec } from './codec';
import { hookTheEnd, holdsNothing, holdsSomething } from './flush_at_exit';
import { SendCallbacks, type SendCallback, type Sent } from './send_callbacks';

/** `keepOpen`: a sent socket stays usable here. `swallowErrors`: nobody is told that the write failed. */
export interface SendOptions {
  readonly keepOpen?: boolean | undefined;
  readonly swallowErrors?: boolean | undefined;
}

/** Who wants to know how a write ended. */
export interface Told {
  /** The callback of a program, which is called in the order and the context of its send. */
  readonly sent?: Sent | undefined;
  /** One of ours, called with the completion itself. */
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
/**
 * So many frames of a turn are written one by one before any is joined. A pipe holds 278 short frames,
 * from Node 22 on 171 (its libuv asks for a smaller buffer); after this many, and the rest in groups, a
 * thousand fit into it even if nobody reads.
 */
const ALLOWANCE = nodeMajor < 22 ? 200 : 96;
/** Frames by which the allowance grows again for each millisecond since the last turn: one by one they take 4 % of it. */
const REFILL = 10;
/** Whatever was read last may be answered with so many frames at least, one by one. */
const ANSWERS = 8;
/**
 * So many frames are joined at most in the first turn of a flood. Each turn that floods on doubles it, since a program
 * that has come back to its event loop so often is no program that blocks; a group of 40 costs a flood a quarter of its rate.
 */
const GROUP = 40;
/** So many are joined at most in any turn. */
const LARGEST_GROUP = 640;
/** Milliseconds after which a frame does not wait for others. */
const OLDEST_MS = 1;
/** Frames are joined up to this length, in characters or bytes. */
const JOIN_LIMIT = 65536;


/** The frames of one channel that are not written yet. */
export class Outbox {
  readonly #pipe: NativePipe;
  readonly #codec: Codec;
  readonly #sink: OutboxSink;
  readonly #callbacks = new SendCallbacks(() => this.#writeUnlessFull());
  #joined: (string | Buffer)[] = [];
  #joinedLength = 0;
  /** Who wants to know of the joined frames, in their order. */
  #joinedTold: Told[] = [];
  /** When the last group was begun, or a frame was written in the place of one. */
  #joinedAt = 0;
  /** Frames of this turn, up to the second: from that on the end of the turn is waited for. */
  #ofThisTurn = 0;
  /** Frames that may be written one by one, as of `#allowedAt`. */
  #allowance = ALLOWANCE;
  #allowedAt = performance.now();
  /** How many frames are joined at most, in this turn. */
  #group = GROUP;
  /** The kernel takes no more: what is written now leaves in another turn of the event loop, behind what waits already. */
  #stuck = false;
  #closed = false;
  /** `write` has returned false, and nobody was told since that there is room again. */
  #full = false;

  constructor(pipe: NativePipe, codec: Codec, sink: OutboxSink) {
    this.#pipe = pipe;
    this.#codec = codec;
    this.#sink = sink;
    hookTheEnd();
  }

  /** The callback of a program, for a message that is being sent now. */
  callbackOf(callback: SendCallback): Sent {
    return this.#callbacks.add(callback);
  }

  /** Writes now, or joins it to the others. False above the high-water mark. */
  write(frame: string | Buffer, told: Told): boolean {
    // Who writes once a turn, mostly in answer to what was read, needs no tick for it.
    if (this.#ofThisTurn < 2 && ++this.#ofThisTurn === 2) process.nextTick(this.#endTurn);
    if (this.#joined.length === 0) {
      if (!this.#stuck && this.#mayGoAtOnce()) return this.writeNow(frame, null, told);
      holdsSomething(this);
    }
    push(this.#joined, frame);
    push(this.#joinedTold, told);
    this.#joinedLength += frame.length;
    const enough = !this.#stuck && (this.#joined.length >= this.#group || this.#isOld(performance.now()));
    if (enough || this.#joinedLength >= JOIN_LIMIT) this.flush();
    return this.hasRoom;
  }

  /** Nothing is joined: may a frame be written, or does it begin a group? */
  #mayGoAtOnce(): boolean {
    if (this.#allowance > 0) {
      this.#allowance--;
      return true;
    }
    const now = performance.now();
    const late = this.#isOld(now);
    this.#joinedAt = now;
    return late || isExiting();
  }

  #isOld(now: number): boolean {
    return now - this.#joinedAt > OLDEST_MS;
  }

  /** Are fewer bytes unwritten than the high-water mark? */
  get hasRoom(): boolean {
    this.#full = this.unwritten >= HIGH_WATER;
    return !this.#full;
  }

  /** Bytes (of JSON that is joined: characters) that the kernel has not taken. */
  get unwritten(): number {
    return this.#joinedLength + this.#pipe.writeQueueSize;
  }

  readonly #endTurn = (): void => {
    this.newTurn();
    this.#writeUnlessFull();
  };

  #writeUnlessFull(): void {
    if (!this.#stuck) this.flush();
  }

  /** What is written now is written in another turn than what was before; or something was read, and may be answered. */
  newTurn(): void {
    const now = performance.now();
    this.#ofThisTurn = 0;
    const flooded = this.#allowance === 0;
    this.#allowance = Math.min(ALLOWANCE, Math.max(ANSWERS, this.#allowance + Math.floor((now - this.#allowedAt) * REFILL)));
    this.#allowedAt = now;
    if (flooded) this.#group = Math.min(LARGEST_GROUP, this.#group * 2);
    else if (this.#allowance === ALLOWANCE) this.#group = GROUP;
  }

  /** Are more than `limit` bytes on their way? Asked before each message: costs nothing while there is room. */
  holdsMoreThan(limit: number): boolean {
    return this.#full && this.unwritten > limit;
  }

  /** Writes what is joined. */
  flush(): void {
    if (this.#joined.length === 0) return;
    const frames = this.#joined;
    const told = this.#joinedTold;
    this.#joined = [];
    this.#joinedTold = [];
    this.#joinedLength = 0;
    holdsNothing(this);
    if (frames.length === 1) this.#put(frames[0] as string | Buffer, null, told[0] as Told);
    else this.#put(this.#codec.join(frames), null, told);
  }

  /** Writes what is joined, then this frame, with the fd of `native` (borrowed until `told.release`). */
  writeNow(frame: string | Buffer, native: NativeHandle | null, told: Told): boolean {
    this.flush();
    this.#put(frame, native, told);
    return this.hasRoom;
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
        // One with an fd always ends later; it may have left all the same.
        this.#stuck = this.#pipe.writeQueueSize > 0;
        return this.#sink.pending(1);
      case WRITTEN:
        return each(told, this.#writtenAtOnce);
      default:
        return this.#fail(causedByPeer(systemError(status, 'write')), told);
    }
  }

  readonly #writtenAtOnce = ({ sent, callback, release }: Told): void => {
    release?.();
    if (sent !== undefined) this.#callbacks.settle(sent, null);
    if (callback !== undefined) process.nextTick(callback, null);
  };

  /** An asynchronous write has ended. One function for all of them: a write keeps who wants to know. */
  readonly #done = (errno: number, told: Told | readonly Told[]): void => {
    const error = errno < 0 ? systemError(errno, 'write') : null;
    this.#stuck = this.#pipe.writeQueueSize > 0;
    try {
      each(told, ({ sent, callback, release, failed }) => {
        release?.();
        if (error !== null) failed?.();
        if (sent !== undefined) this.#callbacks.settle(sent, error);
        callback?.(error);
      });
    } finally {
      this.#writeUnlessFull();
      try {
        this.#sink.pending(-1);
      } finally {
        if (this.#full && this.hasRoom) this.#sink.drained();
      }
    }
  };

  #fail(error: Error, told: Told | readonly Told[]): void {
    each(told, (one) => this.fail(error, one));
  }

  /** A message will not be written: its callback is told, or everybody is. */
  fail(error: Error, { sent, callback, swallowErrors, release, failed }: Told): void {
    release?.();
    if (failed !== undefined) process.nextTick(failed);
    if (sent !== undefined) this.#callbacks.refuse(sent, error);
    if (callback !== undefined) process.nextTick(callback, error);
    if (sent === undefined && callback === undefined && !swallowErrors) process.nextTick(() => this.#sink.failed(error));
  }
}

/** Tells all, also when one of them throws. */
function each(told: Told | readonly Told[], tell: (one: Told) => void): void {
  if (!isList(told)) return tell(told);
  let at = 0;
  const tellTheRest = (): void => {
    try {
      while (at < told.length) tell(told[at++] as Told);
    } finally {
      if (at < told.length) tellTheRest();
    }
  };
  tellTheRest();
}

const isList = (told: Told | readonly Told[]): told is readonly Told[] => Array.isArray(told);
