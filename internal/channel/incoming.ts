/**
 * The reading end of a channel. It turns bytes into messages, builds an object of the right kind around each fd that
 * came with a message, and passes each message on in a tick of its own.
 *
 * Owns     each fd that has arrived before the end of its message; they are closed with the channel. A handle belongs to
 *          the app once its message was passed on
 * Used by  channel.ts, which reads the pipe
 * Never    passes a message on inside `take`, which runs inside the read
 * Keeps    fds and the frames that announce them arrive in the same order. At most one fd is without its frame, and only
 *          while that frame is arriving
 * Wire     node:      NODE_HANDLE + fd, answered by NODE_HANDLE_ACK or NODE_HANDLE_NACK
 *          pipelined: frames with a tag (framing.ts), not answered
 */
import type { Socket } from 'node:net';
import { push, shift, startsWith, String, timers } from '../builtins';
import { causedByPeer, strayHandle } from '../errors';
import type { NativeHandle } from '../native/bindings';
import { isUdp } from '../native/handles';
import { framesAreTraced, traceFrame, traceHandle, type FrameTrace } from '../trace';
import type { ChannelOptions, ChannelSink } from './channel_types';
import type { Decoder, Tag } from './codec';
import type { HandleQueue } from './handle_queue';
import { adopt, isKnownEnvelope, type Envelope, type SendHandle, type UncheckedEnvelope } from './handles';

type Acknowledgement = 'NODE_HANDLE_ACK' | 'NODE_HANDLE_NACK';

/** The reading end of one channel. */
export class Incoming {
  readonly #decoder: Decoder;
  readonly #dialect: ChannelOptions['dialect'];
  readonly #name: string;
  readonly #sink: ChannelSink;
  /** The handles that this end has sent; used in dialect node only. */
  readonly #sentHandles: HandleQueue;
  readonly #reply: (acknowledgement: Acknowledgement) => void;
  /** The fds that have arrived, in order, and whose frame has not arrived completely. */
  readonly #arrived: NativeHandle[] = [];

  constructor(decoder: Decoder, { dialect, name }: ChannelOptions, sink: ChannelSink, sentHandles: HandleQueue, reply: (acknowledgement: Acknowledgement) => void) {
    this.#decoder = decoder;
    this.#dialect = dialect;
    this.#name = name;
    this.#sink = sink;
    this.#sentHandles = sentHandles;
    this.#reply = reply;
  }

  /** Has a part of a message arrived, and its end not? */
  get partial(): boolean {
    return this.#decoder.partial;
  }

  /** Takes the result of a read: bytes (borrowed) and a handle (transferred). Throws if the other end broke the protocol. */
  take(chunk: Uint8Array, handle: NativeHandle | null): void {
    if (handle !== null) {
      traceHandle('adopted', this.#name, handle);
      push(this.#arrived, handle);
    }
    this.#decoder.push(chunk, this.#onFrame);
    // An fd arrives with the first byte of its frame, so only the frame that is arriving now can have one.
    if (this.#arrived.length > (this.#decoder.partial ? 1 : 0)) throw strayHandle();
  }

  /** The channel has ended: closes the fds that nobody will get. */
  close(): void {
    for (let handle = shift(this.#arrived); handle !== undefined; handle = shift(this.#arrived)) handle.close();
  }

  readonly #onFrame = (message: unknown, tag: Tag): void => {
    if (framesAreTraced()) this.#trace(message, tag);
    if (tag !== 'plain' && this.#dialect === 'node') throw new SyntaxError('Received a tagged frame on a channel of the dialect node, which has no tags');
    if (tag === 'handle') return timers.nextTick(this.#emit, message, shift(this.#arrived));
    if (tag === 'envelope') return this.#open(message as UncheckedEnvelope);
    if (this.#dialect === 'node' && isInternal(message)) {
      switch (message['cmd']) {
        case 'NODE_HANDLE': return this.#receiveHandle(message);
        case 'NODE_HANDLE_ACK': return this.#sentHandles.acknowledged();
        case 'NODE_HANDLE_NACK': return this.#sentHandles.refused();
      }
    }
    timers.nextTick(this.#emit, message, undefined);
  };

  /** Publishes a frame. The fd that it announces has arrived before it. */
  #trace(message: unknown, tag: Tag): void {
    const trace: FrameTrace = { channel: this.#name, dialect: this.#dialect, way: 'received', message, tag };
    const announcesFd = tag !== 'plain' || (this.#dialect === 'node' && isInternal(message) && message['cmd'] === 'NODE_HANDLE');
    const handle = this.#arrived[0];
    if (announcesFd && handle !== undefined) trace.fd = handle.fd ?? -1;
    traceFrame(trace);
  }

  #receiveHandle(envelope: UncheckedEnvelope): void {
    if (this.#arrived.length === 0) {
      this.#reply('NODE_HANDLE_NACK');
      return;
    }
    this.#reply('NODE_HANDLE_ACK');
    // As under Node, a listener to 'internalMessage' gets the envelope as well as the message inside it.
    timers.nextTick(this.#emit, envelope, undefined);
    this.#open(envelope);
  }

  /** Joins an envelope and the fd that arrived with it. */
  #open(envelope: UncheckedEnvelope): void {
    const native = shift(this.#arrived);
    if (native === undefined) return timers.nextTick(this.#emit, envelope.msg, undefined);
    if (!isKnownEnvelope(envelope)) {
      native.close();
      timers.nextTick(this.#emitError, new TypeError(`Unknown handle type: ${String(envelope.type)}`));
      return;
    }
    // A server is passed on when it emits 'listening', one tick after `listen`. So `listen` is called now: called a tick
    // later, the server would come after the messages that arrived behind it.
    const isStream: boolean = !isUdp(native);
    if (envelope.type === 'net.Server' && isStream) this.#adopt(envelope, native);
    else timers.nextTick(this.#adopt, envelope, native);
  }

  readonly #adopt = (envelope: Envelope, native: NativeHandle): void => {
    adopt(envelope, native, (handle) => {
      if (envelope.type === 'net.Socket' && envelope.key !== undefined) this.#sink.socketReceived(handle as Socket, envelope.key);
      this.#emit(envelope.msg, handle);
    }, (error) => timers.nextTick(this.#emitError, error));
  };

  /** The other end sent a handle that cannot be used here. */
  readonly #emitError = (error: Error): void => this.#sink.error(causedByPeer(error));

  readonly #emit = (message: unknown, handle: SendHandle | undefined): void => {
    if (isInternal(message)) this.#sink.internalMessage(message, handle);
    else this.#sink.message(message, handle);
  };
}

/** Is this a message for the runtime? Its `cmd` is NODE_ and at least one more character. The app gets no 'message' for it. */
export function isInternal(message: unknown): message is Record<string, unknown> {
  if (typeof message !== 'object' || message === null) return false;
  const { cmd } = message as { cmd?: unknown };
  return typeof cmd === 'string' && cmd.length > PREFIX.length && startsWith(cmd, PREFIX);
}

const PREFIX = 'NODE_';
