/**
 * One end of the pipe between a parent and a child. Messages and fds travel on it in order, in both directions. It knows
 * neither ChildProcess nor `process` nor clusters: its owner passes a `ChannelSink` that handles what it receives.
 *
 * Owns     the native pipe, which `#close` closes, once
 * Used by  attach_channel.ts, which gives a channel to a ChildProcess or to `process`
 * Uses     framing.ts (bytes ⇄ messages), outbox.ts (writes), incoming.ts (reads), handles.ts (objects → fds),
 *          handle_queue.ts (in dialect node: what waits for a handle's acknowledgement), native/pipes.ts
 * Never    passes a message on inside the read that brought it. Each message has a tick and an async scope of its own,
 *          so neither an exception of one listener nor its context (`AsyncLocalStorage.enterWith`) reaches the next
 *          message. As in Node, what a listener schedules with `process.nextTick` runs after all messages of that read
 * States   open ── disconnect(), while a handle is un-acked or a message half received ──► draining ──► closed
 *            └── disconnect() otherwise, abort(), end of the stream ───────────────────────────────────────▲
 * Keeps    1. messages leave in the order of `send`, with or without handles
 *          2. in dialect node one handle is in flight, and everything behind it waits
 *          3. an fd is written with the first byte of its frame. So fds, and the frames that announce them, arrive in
 *             the same order
 *          4. at most one fd is without its frame, while that frame is arriving; if another one comes, the channel ends
 *          5. `sink.closed` is called once, after all received messages were passed on
 * Wire     node:      NODE_HANDLE + fd →, ← NODE_HANDLE_ACK (or _NACK: the handle is sent again, up to 4 times in all)
 *          pipelined: frames with a tag (framing.ts); the channel itself sends no acknowledgement
 * Node     the setupChannel part of lib/internal/child_process.js. Differences: D4 (the end of the channel is always
 *          reported), D9 (a callback reports how the write really ended)
 */
import { NativeObject, timers } from '../builtins';
import { alreadyDisconnected, causedByPeer, notRead } from '../errors';
import { NO_LIMITS, type ChannelLimits } from '../limits';
import type { NativeHandle, NativePipe } from '../native/bindings';
import { readPipe, stopReading } from '../native/pipes';
import { traceHandle, traceState } from '../trace';
import type { ChannelOptions, ChannelSink, Dialect } from './channel_types';
import type { Codec } from './codec';
import { codecFor } from './framing';
import { HandleQueue } from './handle_queue';
import { prepare, typeOf, type HandleType, type Prepared, type SendHandle } from './handles';
import { Incoming, isInternal } from './incoming';
import { Outbox, type Completion, type SendOptions } from './outbox';
import type { PendingCallback, SendCallback } from './send_callbacks';

type ChannelState = 'open' | 'draining' | 'closed';

/** Adds the app's callback to those that wait. Called when nothing can throw any more, so that no callback is left behind. */
type AddCallback = (() => PendingCallback | undefined) | undefined;

/** One end of a channel. `start` begins to read; `disconnect` or the other end's end closes it. */
export class Channel {
  readonly dialect: Dialect;
  readonly #pipe: NativePipe;
  readonly #codec: Codec;
  readonly #incoming: Incoming;
  readonly #outbox: Outbox;
  readonly #sink: ChannelSink;
  readonly #name: string;
  readonly #limits: ChannelLimits;
  /** The handle in flight and the messages behind it; it is always free in dialect pipelined. */
  readonly #queue: HandleQueue;
  #state: ChannelState = 'open';
  /** This end has closed the channel, not the other one. It stays true in both later states, so it is no state of its own. */
  #endedHere = false;

  constructor(pipe: NativePipe, options: ChannelOptions, sink: ChannelSink) {
    this.#pipe = pipe;
    this.#sink = sink;
    this.#name = options.name;
    this.dialect = options.dialect;
    this.#limits = options.limits ?? NO_LIMITS;
    this.#codec = codecFor(options.serialization);
    this.#outbox = new Outbox(pipe, this.#codec, {
      failed: (error) => sink.error(error), pending: (change) => sink.pending(change), drained: () => sink.drained(),
    }, options.name, options.dialect);
    this.#queue = new HandleQueue({
      sendAgain: (frame, native, failed) => void this.#writeHandle(frame, native, { swallowErrors: true, failed }),
      fail: (error, completion) => this.#outbox.fail(error, completion),
      idle: () => this.#closeIfDrained(),
    });
    this.#incoming = new Incoming(this.#codec.decoder(this.#limits.messageBytes), options, sink, this.#queue, (cmd) => this.#reply(cmd));
  }

  /** Begins to read. It is separate from the constructor, because the owner must be ready for the first message. */
  start(): void {
    const errno = readPipe(this.#pipe, this.#onBytes, this.#onEnd);
    // If the child could not be started, the pipe has no other end.
    if (errno < 0) timers.nextTick(this.#onEnd, errno);
  }

  get fd(): number {
    return this.#pipe.fd ?? -1;
  }

  /** Has this side closed the channel? Then it did not read the last messages of the other side. */
  get endedHere(): boolean {
    return this.#endedHere;
  }

  ref(): void {
    if (this.#state !== 'closed') this.#pipe.ref();
  }

  unref(): void {
    if (this.#state !== 'closed') this.#pipe.unref();
  }

  // ── sending ────────────────────────────────────────────────────────────────────────────────────

  /**
   * Sends a message, with or without a handle. A net.Socket without `keepOpen` is transferred; all other handles are
   * borrowed. Returns false if more than 128 KiB are unwritten, or if another message already waits behind an un-acked
   * handle. If more than `limits.unreadBytes` are unwritten the message is refused: the callback, or 'error', gets the
   * error, and the handle stays where it is. Throws ERR_INVALID_HANDLE_TYPE, and whatever the codec throws.
   */
  send(message: unknown, handle: SendHandle | undefined, options: SendOptions, callback: SendCallback | undefined): boolean {
    if (this.#queue.busy) return this.#enqueue(message, handle, options, callback);
    return this.#send(message, handle, options, callback === undefined ? undefined : () => this.#outbox.addCallback(callback));
  }

  #send(message: unknown, handle: SendHandle | undefined, options: SendOptions, addCallback: AddCallback): boolean {
    const type = handle === undefined ? undefined : typeOf(handle);
    if (this.#outbox.holdsMoreThan(this.#limits.unreadBytes)) return this.#refuse(message, completionOf(addCallback, options));
    if (type === undefined) return this.#outbox.write(this.#codec.encode(message, 'plain'), completionOf(addCallback, options));
    if (type === 'net.Native' && this.dialect === 'pipelined') {
      return this.#writeHandle(this.#codec.encode(message, 'handle'), handle as NativeHandle, completionOf(addCallback, options));
    }
    return this.#sendEnvelope(type, handle as SendHandle, message, options, addCallback);
  }

  /**
   * Queues a message behind an un-acked handle. It is encoded now: its length counts as unwritten, and a later change of
   * the object does not change the message.
   */
  #enqueue(message: unknown, handle: SendHandle | undefined, options: SendOptions, callback: SendCallback | undefined): boolean {
    const prepared = handle === undefined ? undefined : prepare(typeOf(handle), handle, message, options.keepOpen === true);
    const frame = this.#codec.encode(prepared?.envelope ?? message, 'plain');
    const appCallback = callback && this.#outbox.addCallback(callback);
    const completion: Completion = { appCallback, swallowErrors: options.swallowErrors };
    const send = (): boolean => (
      prepared === undefined ? this.#outbox.write(frame, completion) : this.#sendPrepared(prepared, frame, message, () => completion)
    );
    if (!this.#queue.busy) return send(); // The encoding ran a `toJSON` of the app, and that closed the channel.
    const bytes = this.#outbox.unwritten + this.#queue.bytes;
    if (bytes > this.#limits.unreadBytes) {
      if (!isInternal(message)) this.#outbox.fail(this.#notRead(), completion);
      if (!isInternal(message) || !this.#hasInternalRoom(bytes)) return false;
    }
    return this.#queue.add({ send, bytes: frame.length, completion });
  }

  /** The other end does not read. A message of the runtime is still sent, up to INTERNAL_ROOM. */
  #refuse(message: unknown, completion: Completion): boolean {
    if (!isInternal(message)) this.#outbox.fail(this.#notRead(), completion);
    else if (this.#hasInternalRoom()) return this.#outbox.write(this.#codec.encode(message, 'plain'), completion);
    return false;
  }

  /** May the runtime's own messages still be written? If not, ends the channel. */
  #hasInternalRoom(bytes = this.#outbox.unwritten): boolean {
    if (bytes <= this.#limits.unreadBytes + INTERNAL_ROOM) return true;
    this.#sink.malformed(this.#notRead());
    return false;
  }

  #notRead(): Error {
    return causedByPeer(notRead(this.#limits.unreadBytes));
  }

  #sendEnvelope(type: HandleType, handle: SendHandle, message: unknown, options: SendOptions, addCallback: AddCallback): boolean {
    // Encode first, then take the socket from its owner: if the encoding throws, the owner keeps the socket.
    const prepared = prepare(type, handle, message, options.keepOpen === true);
    const frame = this.#codec.encode(prepared.envelope, this.dialect === 'pipelined' ? 'envelope' : 'plain');
    return this.#sendPrepared(prepared, frame, message, () => completionOf(addCallback, options));
  }

  #sendPrepared({ envelope, countedBy, take }: Prepared, frame: string | Buffer, message: unknown, getCompletion: () => Completion): boolean {
    const outgoing = take();
    // Since `prepare`, code of the app (a `toJSON`) may have closed the socket: then the message goes without it.
    if (outgoing === null) return this.#outbox.write(this.#codec.encode(message, 'plain'), getCompletion());
    const { native, release } = outgoing;
    const completion = getCompletion();
    if (this.dialect === 'pipelined') this.#writeHandle(frame, native, { ...completion, release });
    else this.#writeHandle(frame, native, { ...completion, failed: this.#queue.sent(outgoing, frame) });
    if (countedBy !== undefined) this.#sink.socketSent(countedBy, envelope.key as string);
    return this.#outbox.hasRoom;
  }

  /**
   * Prepares a message that is sent many times, each time with another `seq` and a native handle. The returned function
   * sends it; the handle is borrowed until the completion. Dialect pipelined only.
   */
  prepare(body: object): (seq: number, native: NativeHandle, completion: Completion) => void {
    const frame = this.#codec.numbered(body, 'seq', 'handle');
    return (seq, native, completion) => void this.#writeHandle(frame(seq), native, completion);
  }

  /**
   * Sends a message of the runtime, and writes it now. Returns true if the kernel has taken it; then `callback` is not
   * called. Otherwise `callback` is called later: when the kernel has taken it, or with the error.
   */
  sendAtOnce(message: object, callback: SendCallback): boolean {
    return this.#outbox.writeAtOnce(this.#codec.encode(message, 'plain'), callback);
  }

  /** Prepares such a message that is sent many times, each time with another number as its last field. */
  prepareAtOnce(body: object, field: string): (value: number, callback: SendCallback) => boolean {
    const frame = this.#codec.numbered(body, field, 'plain');
    return (value, callback) => this.#outbox.writeAtOnce(frame(value), callback);
  }

  /** The other end has sent a message that cannot be true: ends the channel, as for bytes that are no message. */
  cutOff(error: Error): void {
    if (this.#state !== 'closed') this.#sink.malformed(causedByPeer(error));
  }

  #writeHandle(frame: string | Buffer, native: NativeHandle, completion: Completion): boolean {
    traceHandle('released', this.#name, native);
    return this.#outbox.writeNow(frame, native, completion);
  }

  // ── receiving ──────────────────────────────────────────────────────────────────────────────────

  readonly #onBytes = (chunk: Uint8Array, handle: NativeHandle | null): void => {
    this.#outbox.newTurn();
    try {
      this.#incoming.take(chunk, handle);
      this.#closeIfDrained();
    } catch (error) {
      this.#sink.malformed(causedByPeer(error as Error));
    }
  };

  #reply(cmd: 'NODE_HANDLE_ACK' | 'NODE_HANDLE_NACK'): void {
    if (this.#state === 'closed' || !this.#hasInternalRoom()) return;
    this.#outbox.write(this.#codec.encode({ cmd }, 'plain'), silent);
  }

  // ── ending ─────────────────────────────────────────────────────────────────────────────────────

  /**
   * Ends the channel. Frames that the kernel has not taken by now are dropped, but messages that wait behind an un-acked
   * handle are still sent. If a part of a message has arrived, the rest of it is still received.
   */
  disconnect(): void {
    if (this.#state !== 'open') {
      this.#sink.error(alreadyDisconnected());
      return;
    }
    this.#endedHere = true;
    this.#outbox.flush();
    if (this.#queue.busy || this.#incoming.partial) this.#transition('draining');
    else this.#close();
  }

  /** Ends the channel at once, even if a message is half sent or half received: the other end broke the protocol. */
  abort(): void {
    if (this.#state === 'closed') return;
    this.#endedHere = true;
    this.#close();
  }

  #closeIfDrained(): void {
    if (this.#state === 'draining' && !this.#queue.busy && !this.#incoming.partial) this.#close();
  }

  readonly #onEnd = (_errno: number): void => {
    if (this.#state !== 'closed') this.#close();
  };

  /** Stops reading and writing now; the sink is informed in a later tick. */
  #close(): void {
    this.#outbox.close();
    this.#transition('closed');
    this.#queue.close();
    stopReading(this.#pipe);
    timers.nextTick(this.#closed);
  }

  readonly #closed = (): void => {
    this.#pipe.close();
    this.#incoming.close();
    this.#sink.closed();
  };

  #transition(to: ChannelState): void {
    traceState(`channel ${this.#name}`, this.#state, to);
    this.#state = to;
    if (to !== 'open') this.#sink.ending(to);
  }
}

/**
 * Bytes that the runtime's own messages may use beyond `limits.unreadBytes`: 1 MiB. Most of them are replies to the other
 * end; if it does not read even these, the channel ends.
 */
const INTERNAL_ROOM = 1 << 20;

/** For a send without a callback: a failed write is an 'error'. */
const errorEvent: Completion = NativeObject.freeze({});
/** For a send whose failure is reported to nobody. */
const silent: Completion = NativeObject.freeze({ swallowErrors: true });

function completionOf(addCallback: AddCallback, { swallowErrors }: SendOptions): Completion {
  if (addCallback === undefined) return swallowErrors ? silent : errorEvent;
  return { appCallback: addCallback(), swallowErrors };
}
