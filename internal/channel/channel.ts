/**
 * One end of the pipe between a parent and a child: messages and fds in order, both ways.
 * It knows nothing of ChildProcess, of `process` or of clusters; those are told through `ChannelSink`.
 *
 * Owns     the native pipe (closed by `#close`, once), the fds that arrived and whose message has not
 *          (closed with the channel), the sent sockets whose arrival is not acknowledged (dialect node)
 * Used by  process_face.ts, which equips a ChildProcess or `process` with it
 * Uses     framing.ts (bytes ⇄ messages), outbox.ts (writing), handles.ts (fds ⇄ objects), native.ts (the pipe)
 * Never    delivers a message inside the read that brought it: all of a read have one tick, and an
 *          exception in one listener does not touch the next message
 * States   open ── disconnect() ──► draining (a handle un-acked, half a message in) ──► closed
 *            └── disconnect() with nothing pending, end of stream ─────────────────────────▲
 * Keeps    1. messages leave in the order of `send`, also around handles
 *          2. in dialect node one handle is in flight, everything behind it waits
 *          3. an fd is written before any later message, and taken by the first tagged frame: fds
 *             and the frames that announce them are two queues in the same order
 *          4. `sink.closed` is called once, after everything that was received
 * Wire     node:      NODE_HANDLE + fd →, ← NODE_HANDLE_ACK (or _NACK: sent again, 4 times in all)
 *          pipelined: frames tagged in framing.ts, no acknowledgement of the channel's own
 * Node     the setupChannel part of lib/internal/child_process.js. Differences: D4 (the end of the
 *          channel is always told), D9 (callbacks tell the truth), D10 (one retransmission is one
 *          more write of the same envelope), D11 (an acknowledgement that nobody waits for is ignored)
 */
import type { Server, Socket } from 'node:net';
import { alreadyDisconnected, causedByPeer, channelClosed } from '../errors';
import { readPipe, stopReading, type NativeHandle, type NativePipe } from '../native';
import { traceHandle, traceState } from '../trace';
import { codecFor, type Codec, type Decoder, type Serialization, type Tag } from './framing';
import { adopt, isKnownEnvelope, prepare, typeOf, type Envelope, type HandleType, type Outgoing, type SendHandle } from './handles';
import { Outbox, type OutboxSink, type SendCallback, type Told } from './outbox';

/** What the other end runs: stock Node, or this project. */
export type Dialect = 'node' | 'pipelined';

/** What both ends of a channel have agreed on at spawn. */
export interface ChannelOptions {
  readonly serialization: Serialization;
  readonly dialect: Dialect;
  /** How the end of this process is named in the trace. */
  readonly name: string;
}

/** What the owner of a channel is told. Messages, errors and the end come in ticks of their own. */
export interface ChannelSink extends Pick<OutboxSink, 'pending' | 'drained'> {
  message(message: unknown, handle: SendHandle | undefined): void;
  /** The same for a message whose `cmd` begins with NODE_. */
  internalMessage(message: object, handle: SendHandle | undefined): void;
  error(error: Error): void;
  /** Bytes that are no message. Called in the read itself; what it throws is an uncaught exception. */
  malformed(error: Error): void;
  /** The channel has left the state `open`: nothing is accepted for sending any more. */
  ending(state: 'draining' | 'closed'): void;
  /** Everything that was received has been told, and the pipe is closed. */
  closed(): void;
  /** A socket that `server` accepted goes to the other end, which counts it from now on. */
  socketSent(server: Server, key: string): void;
  /** A socket came that the other end's server wants counted here. */
  socketReceived(socket: Socket, key: string): void;
}

/** How often a socket is sent in all when the receiver says that its fd did not come. */
const ATTEMPTS = 4;

type ChannelState = 'open' | 'draining' | 'closed';

/** A message that waits behind an un-acknowledged handle (dialect node). */
interface Waiting {
  readonly message: unknown;
  readonly handle: SendHandle | undefined;
  readonly options: SendOptions;
  readonly callback: SendCallback | undefined;
}

/** The handle in flight (dialect node). */
interface InFlight {
  readonly outgoing: Outgoing;
  readonly frame: string | Buffer;
  attempts: number;
}

/** What came: a message and its handle, or a step. */
interface Received {
  readonly item: unknown;
  readonly handle: SendHandle | undefined;
}

/** `keepOpen`: a sent socket stays usable here. `swallowErrors`: nobody is told that the write failed. */
export interface SendOptions {
  readonly keepOpen?: boolean | undefined;
  readonly swallowErrors?: boolean | undefined;
}

/** One end of a channel. `start` begins to read; `disconnect` or the other end's end closes it. */
export class Channel {
  readonly dialect: Dialect;
  readonly #pipe: NativePipe;
  readonly #codec: Codec;
  readonly #decoder: Decoder;
  readonly #outbox: Outbox;
  readonly #sink: ChannelSink;
  readonly #name: string;
  #state: ChannelState = 'open';
  #endedHere = false;

  /** fds that came, in order, whose tagged frame is not complete yet. */
  readonly #arrived: NativeHandle[] = [];
  /** What came and was not told yet. */
  readonly #inbox: Received[] = [];
  #inFlight: InFlight | null = null;
  #waiting: Waiting[] = [];

  constructor(pipe: NativePipe, options: ChannelOptions, sink: ChannelSink) {
    this.#pipe = pipe;
    this.#sink = sink;
    this.#name = options.name;
    this.dialect = options.dialect;
    this.#codec = codecFor(options.serialization);
    this.#decoder = this.#codec.decoder();
    this.#outbox = new Outbox(pipe, this.#codec, {
      failed: (error) => sink.error(error), pending: (change) => sink.pending(change), drained: () => sink.drained(),
    });
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
   * handle when another message waits already. Throws ERR_INVALID_HANDLE_TYPE, and what the codec
   * throws on the message.
   */
  send(message: unknown, handle: SendHandle | undefined, options: SendOptions, callback: SendCallback | undefined): boolean {
    const type = handle === undefined ? undefined : typeOf(handle);
    if (this.#inFlight !== null) return this.#waiting.push({ message, handle, options, callback }) === 1;
    const told: Told = callback === undefined && !options.swallowErrors ? noted : { callback, swallowErrors: options.swallowErrors };
    if (type === undefined) return this.#outbox.write(this.#codec.encode(message, 'plain'), told);
    if (type === 'net.Native' && this.dialect === 'pipelined') {
      return this.#writeHandle(this.#codec.encode(message, 'handle'), handle as NativeHandle, told);
    }
    return this.#sendEnvelope(type, handle as SendHandle, message, options, told);
  }

  #sendEnvelope(type: HandleType, handle: SendHandle, message: unknown, options: SendOptions, told: Told): boolean {
    // Encode before a socket is taken from its owner: a message that cannot be sent leaves it alone.
    if (type === 'net.Socket') this.#codec.encode(message, 'plain');
    const outgoing = prepare(type, handle, message, options.keepOpen === true);
    const { native, envelope, countedBy, release } = outgoing;
    if (native === null) return this.#outbox.write(this.#codec.encode(message, 'plain'), told);
    if (countedBy !== undefined) this.#sink.socketSent(countedBy, envelope.key as string);
    if (this.dialect === 'pipelined') return this.#writeHandle(this.#codec.encode(envelope, 'envelope'), native, { ...told, release });
    const frame = this.#codec.encode(envelope, 'plain');
    const flight: InFlight = { outgoing, frame, attempts: 1 };
    this.#inFlight = flight;
    // What could not be written is never acknowledged: the others need not wait for it.
    const failed = (): void => {
      if (this.#inFlight === flight) this.#acknowledged();
    };
    return this.#writeHandle(frame, native, { ...told, failed });
  }

  /**
   * A message that is sent many times, each with another number and a native handle (borrowed until
   * `written` is called). Dialect pipelined only.
   */
  prepare(body: object): (seq: number, native: NativeHandle, told: Told) => void {
    const frame = this.#codec.numbered(body, 'handle');
    return (seq, native, told) => void this.#writeHandle(frame(seq), native, told);
  }

  #writeHandle(frame: string | Buffer, native: NativeHandle, told: Told): boolean {
    traceHandle('released', this.#name, native);
    return this.#outbox.writeNow(frame, native, told);
  }

  // ── receiving ──────────────────────────────────────────────────────────────────────────────────

  readonly #onBytes = (chunk: Uint8Array, handle: NativeHandle | null): Uint8Array | null => {
    if (handle !== null) {
      traceHandle('adopted', this.#name, handle);
      this.#arrived.push(handle);
    }
    this.#outbox.newTurn();
    try {
      this.#decoder.push(chunk, this.#onFrame);
    } catch (error) {
      this.#sink.malformed(causedByPeer(error as Error));
    }
    this.#closeIfDrained();
    return this.#decoder.room;
  };

  readonly #onFrame = (message: unknown, tag: Tag): void => {
    if (tag !== 'plain' && this.dialect === 'node') throw new SyntaxError('A tagged frame in the dialect node');
    if (tag === 'handle') return this.#deliver(message, this.#arrived.shift());
    if (tag === 'envelope') return this.#open(message as Envelope);
    if (this.dialect === 'node' && isInternal(message)) {
      switch (message['cmd']) {
        case 'NODE_HANDLE': return this.#receiveHandle(message as unknown as Envelope);
        case 'NODE_HANDLE_ACK': return this.#acknowledged();
        case 'NODE_HANDLE_NACK': return this.#refused();
      }
    }
    this.#deliver(message, undefined);
  };

  #receiveHandle(envelope: Envelope): void {
    if (this.#arrived.length === 0) {
      this.#reply('NODE_HANDLE_NACK');
      return;
    }
    this.#reply('NODE_HANDLE_ACK');
    // Whoever listens to internal messages sees the envelope and what is in it, as under Node.
    this.#deliver(envelope, undefined);
    this.#open(envelope);
  }

  #reply(cmd: 'NODE_HANDLE_ACK' | 'NODE_HANDLE_NACK'): void {
    if (this.#state === 'closed') return;
    this.#outbox.writeNow(this.#codec.encode({ cmd }, 'plain'), null, { swallowErrors: true });
  }

  /** Takes the fd that arrived out of its envelope. */
  #open(envelope: Envelope): void {
    const native = this.#arrived.shift();
    if (native === undefined) return this.#deliver(envelope.msg, undefined);
    if (!isKnownEnvelope(envelope)) {
      native.close();
      const error = new TypeError(`Unknown handle type: ${String((envelope as Envelope).type)}`);
      this.#enqueue(() => this.#blame(error));
      return;
    }
    this.#enqueue(() => {
      adopt(envelope, native, (handle) => {
        if (envelope.type === 'net.Socket' && envelope.key !== undefined) this.#sink.socketReceived(handle as Socket, envelope.key);
        this.#emit(envelope.msg, handle);
      }, (error) => this.#blame(error));
    });
  }

  /** What the other end sent cannot be taken. */
  #blame(error: Error): void {
    this.#sink.error(causedByPeer(error));
  }

  #deliver(message: unknown, handle: SendHandle | undefined): void {
    this.#enqueue(message, handle);
  }

  #emit(message: unknown, handle: SendHandle | undefined): void {
    if (isInternal(message)) this.#sink.internalMessage(message, handle);
    else this.#sink.message(message, handle);
  }

  /** A message, or a step to take in its turn (no message is a function). */
  #enqueue(item: unknown, handle?: SendHandle): void {
    this.#inbox.push({ item, handle });
    if (this.#inbox.length === 1) process.nextTick(this.#drainInbox);
  }

  /** All that has come by now, in one tick. Behind a listener that throws the rest has a tick of its own. */
  readonly #drainInbox = (): void => {
    const inbox = this.#inbox;
    let at = 0;
    try {
      while (at < inbox.length) {
        const { item, handle } = inbox[at++] as Received;
        if (typeof item === 'function') (item as () => void)();
        else this.#emit(item, handle);
      }
    } finally {
      if (at === inbox.length) {
        inbox.length = 0;
      } else {
        inbox.splice(0, at);
        process.nextTick(this.#drainInbox);
      }
    }
  };

  // ── dialect node: one handle in flight ─────────────────────────────────────────────────────────

  #acknowledged(): void {
    if (this.#inFlight === null) return; // Forged, or a second one (D11).
    this.#inFlight.outgoing.release();
    this.#sendWaiting();
  }

  #refused(): void {
    const flight = this.#inFlight;
    if (flight === null) return;
    const { outgoing, frame } = flight;
    // Only what we own can be sent again: the others' owners may have closed them.
    if (outgoing.owned && flight.attempts < ATTEMPTS) {
      flight.attempts++;
      this.#writeHandle(frame, outgoing.native as NativeHandle, { swallowErrors: true });
      return;
    }
    outgoing.release();
    if (outgoing.owned) {
      process.emitWarning('Handle did not reach the receiving process correctly', 'SentHandleNotReceivedWarning');
    }
    this.#sendWaiting();
  }

  /** The handle has arrived: sends what waited for it, up to the next handle. */
  #sendWaiting(): void {
    this.#inFlight = null;
    let waiting: Waiting | undefined;
    while (this.#inFlight === null && (waiting = this.#waiting.shift()) !== undefined) {
      const { message, handle, options, callback } = waiting;
      try {
        this.send(message, handle, options, callback);
      } catch (error) {
        this.#outbox.fail(error as Error, { callback, swallowErrors: options.swallowErrors });
      }
    }
    this.#closeIfDrained();
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
    if (this.#inFlight !== null || this.#decoder.partial) this.#transition('draining');
    else this.#close();
  }

  /** Ends the channel at once, whatever is half sent or half received: the other end cannot be talked to. */
  abort(): void {
    if (this.#state === 'closed') return;
    this.#endedHere = true;
    this.#close();
  }

  #closeIfDrained(): void {
    if (this.#state === 'draining' && this.#inFlight === null && !this.#decoder.partial) this.#close();
  }

  readonly #onEnd = (_errno: number): void => {
    if (this.#state !== 'closed') this.#close();
  };

  /** Ends the channel at once: nothing more is read or written. The end is told in a later tick. */
  #close(): void {
    const { outgoing } = this.#inFlight ?? {};
    const waiting = this.#waiting;
    this.#outbox.close();
    this.#transition('closed');
    this.#inFlight = null;
    this.#waiting = [];
    outgoing?.release();
    stopReading(this.#pipe);
    for (const { callback } of waiting) {
      if (callback !== undefined) this.#outbox.fail(channelClosed(), { callback });
    }
    process.nextTick(this.#ended);
  }

  readonly #ended = (): void => {
    // The rest of what came is told in a tick behind this one: a listener threw, or the acknowledgement
    // that ended this channel was not the last of its read.
    if (this.#inbox.length > 0) return process.nextTick(this.#ended);
    this.#pipe.close();
    for (const handle of this.#arrived.splice(0)) handle.close();
    this.#sink.closed();
  };

  #transition(to: ChannelState): void {
    traceState(`channel ${this.#name}`, this.#state, to);
    this.#state = to;
    if (to !== 'open') this.#sink.ending(to);
  }
}

/** For a message whose sender asked for nothing: a failed write is an 'error'. */
const noted: Told = Object.freeze({});

/** NODE_ and at least one letter more: the runtime's own, kept from the app's 'message' listeners. */
function isInternal(message: unknown): message is Record<string, unknown> {
  if (typeof message !== 'object' || message === null) return false;
  const { cmd } = message as { cmd?: unknown };
  return typeof cmd === 'string' && cmd.length > PREFIX.length && cmd.startsWith(PREFIX);
}

const PREFIX = 'NODE_';
