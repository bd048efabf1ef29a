/**
 * One end of the pipe between a parent and a child: messages and fds in order, both ways.
 * It knows nothing of ChildProcess, of `process` or of clusters; those are told through `ChannelSink`.
 *
 * Owns     the native pipe (closed by `#close`, once)
 * Used by  attach_channel.ts, which equips a ChildProcess or `process` with it
 * Uses     framing.ts (bytes ⇄ messages), outbox.ts (writing), incoming.ts (what is read), handles.ts (objects → fds), handle_queue.ts
 *          (what waits for a handle's acknowledgement in dialect node), native/pipes.ts
 * Never    delivers a message inside the read that brought it: each has a tick of its own, and with it a
 *          scope of its own. Neither an exception of a listener nor its async context
 *          (`AsyncLocalStorage.enterWith`) reaches the next message; what it puts off with
 *          `process.nextTick` comes after the messages that were read with it, as in Node
 * States   open ── disconnect() ──► draining (a handle un-acked, half a message in) ──► closed
 *            └── disconnect() with nothing pending, end of stream ─────────────────────────▲
 * Keeps    1. messages leave in the order of `send`, also around handles
 *          2. in dialect node one handle is in flight, everything behind it waits
 *          3. an fd is written before any later message, and taken by the first tagged frame: fds
 *             and the frames that announce them are two queues in the same order
 *          4. of fds without their frame there is one at most, while that frame is coming: who sends
 *             another is cut off
 *          5. `sink.closed` is called once, after everything that was received
 * Wire     node:      NODE_HANDLE + fd →, ← NODE_HANDLE_ACK (or _NACK: sent again, 4 times in all)
 *          pipelined: frames tagged in framing.ts, no acknowledgement of the channel's own
 * Node     the setupChannel part of lib/internal/child_process.js. Differences: D4 (the end of the
 *          channel is always told), D9 (callbacks tell the truth)
 */
import { NativeObject } from '../builtins';
import { alreadyDisconnected, causedByPeer, notRead } from '../errors';
import { NO_LIMITS, type ChannelLimits } from '../limits';
import type { NativeHandle, NativePipe } from '../native/bindings';
import { readPipe, stopReading } from '../native/pipes';
import { traceHandle, traceState } from '../trace';
import type { ChannelOptions, ChannelSink, Dialect } from './channel_types';
import type { Codec } from './codec';
import { codecFor } from './framing';
import { prepare, typeOf, type HandleType, type Prepared, type SendHandle } from './handles';
import { Incoming, isInternal } from './incoming';
import { OneInFlight } from './handle_queue';
import { Outbox, type SendOptions, type Told } from './outbox';
import type { SendCallback, Sent } from './send_callbacks';

type ChannelState = 'open' | 'draining' | 'closed';

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
  #state: ChannelState = 'open';
  #endedHere = false;

  /** Busy in dialect node only. */
  readonly #turns: OneInFlight;

  constructor(pipe: NativePipe, options: ChannelOptions, sink: ChannelSink) {
    this.#pipe = pipe;
    this.#sink = sink;
    this.#name = options.name;
    this.dialect = options.dialect;
    this.#limits = options.limits ?? NO_LIMITS;
    this.#codec = codecFor(options.serialization);
    this.#outbox = new Outbox(pipe, this.#codec, {
      failed: (error) => sink.error(error), pending: (change) => sink.pending(change), drained: () => sink.drained(),
    });
    this.#turns = new OneInFlight({
      again: (frame, native) => void this.#writeHandle(frame, native, { swallowErrors: true }),
      fail: (error, told) => this.#outbox.fail(error, told),
      idle: () => this.#closeIfDrained(),
    });
    this.#incoming = new Incoming(this.#codec.decoder(this.#limits.messageBytes), options, sink, this.#turns, (cmd) => this.#reply(cmd));
  }

  /** Begins to read. Apart from the constructor, since the owner has to be ready for what comes. */
  start(): void {
    const errno = readPipe(this.#pipe, this.#onBytes, this.#onEnd);
    // A child that could not be spawned leaves a pipe without another end.
    if (errno < 0) process.nextTick(this.#onEnd, errno);
  }

  get fd(): number {
    return this.#pipe.fd ?? -1;
  }

  /** Has this side closed it, so that what the other end said last was not read? */
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
   * Sends a message, and `handle` with it: a net.Socket without `keepOpen` is transferred, all other
   * handles are borrowed. Returns false when more than 128 KiB are unwritten, or behind an un-acked
   * handle when another message waits already. With more than `limits.unreadBytes` on their way it is
   * refused: its callback or 'error' is told, and the handle stays where it is. Throws
   * ERR_INVALID_HANDLE_TYPE, and what the codec throws on the message.
   */
  send(message: unknown, handle: SendHandle | undefined, options: SendOptions, callback: SendCallback | undefined): boolean {
    if (this.#turns.busy) return this.#wait(message, handle, options, callback);
    // Asked for once nothing can throw any more.
    return this.#send(message, handle, options, callback === undefined ? undefined : () => this.#outbox.callbackOf(callback));
  }

  #send(message: unknown, handle: SendHandle | undefined, options: SendOptions, sent: (() => Sent | undefined) | undefined): boolean {
    const type = handle === undefined ? undefined : typeOf(handle);
    if (this.#outbox.holdsMoreThan(this.#limits.unreadBytes)) return this.#refuse(message, toldOf(sent, options));
    if (type === undefined) return this.#outbox.write(this.#codec.encode(message, 'plain'), toldOf(sent, options));
    if (type === 'net.Native' && this.dialect === 'pipelined') {
      return this.#writeHandle(this.#codec.encode(message, 'handle'), handle as NativeHandle, toldOf(sent, options));
    }
    return this.#sendEnvelope(type, handle as SendHandle, message, options, sent);
  }

  /** Behind an un-acked handle. Encoded now: it counts, and it is what it was when it was sent. */
  #wait(message: unknown, handle: SendHandle | undefined, options: SendOptions, callback: SendCallback | undefined): boolean {
    const prepared = handle === undefined ? undefined : prepare(typeOf(handle), handle, message, options.keepOpen === true);
    const frame = this.#codec.encode(prepared?.envelope ?? message, 'plain');
    const sent = callback && this.#outbox.callbackOf(callback);
    const told = { sent, swallowErrors: options.swallowErrors };
    const leave = (): boolean => (
      prepared === undefined ? this.#outbox.write(frame, told) : this.#sendPrepared(prepared, frame, message, () => told)
    );
    if (!this.#turns.busy) return leave(); // Encoding ran code of the app's, which has closed the channel.
    const bytes = this.#outbox.unwritten + this.#turns.bytes;
    if (bytes > this.#limits.unreadBytes) {
      if (!isInternal(message)) this.#outbox.fail(this.#notRead(), told);
      if (!isInternal(message) || !this.#mayStillSay(bytes)) return false;
    }
    return this.#turns.wait({ leave, bytes: frame.length, told });
  }

  /** The other end does not read. What the runtime itself has to say still goes, and if even that is not read, nothing will be. */
  #refuse(message: unknown, told: Told): boolean {
    if (!isInternal(message)) this.#outbox.fail(this.#notRead(), told);
    else if (this.#mayStillSay()) return this.#outbox.write(this.#codec.encode(message, 'plain'), told);
    return false;
  }

  /** May the runtime's own messages still be written? If not, the other end is cut off. */
  #mayStillSay(bytes = this.#outbox.unwritten): boolean {
    if (bytes <= this.#limits.unreadBytes + INTERNAL_ROOM) return true;
    this.#sink.malformed(this.#notRead());
    return false;
  }

  #notRead(): Error {
    return causedByPeer(notRead(this.#limits.unreadBytes));
  }

  #sendEnvelope(type: HandleType, handle: SendHandle, message: unknown, options: SendOptions, sent: (() => Sent | undefined) | undefined): boolean {
    // Encode before a socket is taken from its owner: a message that cannot be sent leaves it alone.
    const prepared = prepare(type, handle, message, options.keepOpen === true);
    const frame = this.#codec.encode(prepared.envelope, this.dialect === 'pipelined' ? 'envelope' : 'plain');
    return this.#sendPrepared(prepared, frame, message, () => toldOf(sent, options));
  }

  #sendPrepared({ envelope, countedBy, take }: Prepared, frame: string | Buffer, message: unknown, askTold: () => Told): boolean {
    const outgoing = take();
    // Code of the app's may have closed the socket since, or this channel.
    if (outgoing === null) return this.#outbox.write(this.#codec.encode(message, 'plain'), askTold());
    const { native, release } = outgoing;
    const told = askTold();
    if (this.dialect === 'pipelined') this.#writeHandle(frame, native, { ...told, release });
    else this.#writeHandle(frame, native, { ...told, failed: this.#turns.sent(outgoing, frame) });
    if (countedBy !== undefined) this.#sink.socketSent(countedBy, envelope.key as string);
    return this.#outbox.hasRoom;
  }

  /**
   * A message that is sent many times, each with another number and a native handle (borrowed until
   * `written` is called). Dialect pipelined only.
   */
  prepare(body: object): (seq: number, native: NativeHandle, told: Told) => void {
    const frame = this.#codec.numbered(body, 'seq', 'handle');
    return (seq, native, told) => void this.#writeHandle(frame(seq), native, told);
  }

  /** Sends a message of the runtime's now. True: the kernel has it. Otherwise `callback` is called, when it has or never will. */
  sendAtOnce(message: object, callback: SendCallback): boolean {
    return this.#outbox.writeFirmly(this.#codec.encode(message, 'plain'), { callback });
  }

  /** The same for a message that is sent many times, each with another number as its last field. */
  prepareAtOnce(body: object, field: string): (value: number, callback: SendCallback) => boolean {
    const frame = this.#codec.numbered(body, field, 'plain');
    return (value, callback) => this.#outbox.writeFirmly(frame(value), { callback });
  }

  /** The other end says what cannot be true: ends as for bytes that are no message. */
  cutOff(error: Error): void {
    if (this.#state !== 'closed') this.#sink.malformed(causedByPeer(error));
  }

  #writeHandle(frame: string | Buffer, native: NativeHandle, told: Told): boolean {
    traceHandle('released', this.#name, native);
    return this.#outbox.writeNow(frame, native, told);
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
    if (this.#state === 'closed' || !this.#mayStillSay()) return;
    this.#outbox.write(this.#codec.encode({ cmd }, 'plain'), quietly);
  }

  // ── ending ─────────────────────────────────────────────────────────────────────────────────────

  /**
   * Ends the channel. What the kernel has not taken by now is given up, except what waits behind an
   * un-acknowledged handle: that is still sent. A message that has arrived in part is still received.
   */
  disconnect(): void {
    if (this.#state !== 'open') {
      this.#sink.error(alreadyDisconnected());
      return;
    }
    this.#endedHere = true;
    this.#outbox.flush();
    if (this.#turns.busy || this.#incoming.partial) this.#transition('draining');
    else this.#close();
  }

  /** Ends the channel at once, whatever is half sent or half received: the other end cannot be talked to. */
  abort(): void {
    if (this.#state === 'closed') return;
    this.#endedHere = true;
    this.#close();
  }

  #closeIfDrained(): void {
    if (this.#state === 'draining' && !this.#turns.busy && !this.#incoming.partial) this.#close();
  }

  readonly #onEnd = (_errno: number): void => {
    if (this.#state !== 'closed') this.#close();
  };

  /** Ends the channel at once: nothing more is read or written. The end is told in a later tick. */
  #close(): void {
    this.#outbox.close();
    this.#transition('closed');
    this.#turns.close();
    stopReading(this.#pipe);
    process.nextTick(this.#ended);
  }

  readonly #ended = (): void => {
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

/** So many bytes more than `unreadBytes` may wait if they are the runtime's own, mostly answers to what the other end asked. */
const INTERNAL_ROOM = 1 << 20;

/** For a message whose sender asked for nothing: a failed write is an 'error'. */
const noted: Told = NativeObject.freeze({});
/** For one whose failure nobody wants to know. */
const quietly: Told = NativeObject.freeze({ swallowErrors: true });

function toldOf(sent: (() => Sent | undefined) | undefined, { swallowErrors }: SendOptions): Told {
  if (sent === undefined) return swallowErrors ? quietly : noted;
  return { sent: sent(), swallowErrors };
}
