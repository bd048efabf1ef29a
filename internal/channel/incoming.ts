/**
 * The reading side of a channel: bytes → messages, each with its fd as the object that the sender meant,
 * each in a tick of its own.
 *
 * Owns     the fds that arrived and whose message has not (closed with the channel); a handle is the
 *          app's once its message is delivered
 * Used by  channel.ts, which reads the pipe
 * Never    emits inside `take`, which is called in the read
 * Keeps    fds and the frames that announce them are two queues in the same order; of fds without
 *          their frame there is one at most, while that frame is coming
 * Wire     node:      NODE_HANDLE + fd, answered by NODE_HANDLE_ACK or _NACK
 *          pipelined: frames tagged in framing.ts, not answered
 */
import type { Socket } from 'node:net';
import { push, shift, startsWith, String } from '../builtins';
import { causedByPeer, strayHandle } from '../errors';
import type { NativeHandle } from '../native/bindings';
import { isUdp } from '../native/handles';
import { traceHandle } from '../trace';
import type { ChannelOptions, ChannelSink } from './channel_types';
import type { Decoder, Tag } from './codec';
import { adopt, isKnownEnvelope, type Envelope, type SendHandle } from './handles';
import type { OneInFlight } from './handle_queue';

type Answer = 'NODE_HANDLE_ACK' | 'NODE_HANDLE_NACK';

/** The receiving end of one channel. */
export class Incoming {
  readonly #decoder: Decoder;
  readonly #dialect: ChannelOptions['dialect'];
  readonly #name: string;
  readonly #sink: ChannelSink;
  /** Busy in dialect node only. */
  readonly #turns: OneInFlight;
  readonly #reply: (answer: Answer) => void;
  /** fds that came, in order, whose tagged frame is not complete yet. */
  readonly #arrived: NativeHandle[] = [];

  constructor(decoder: Decoder, { dialect, name }: ChannelOptions, sink: ChannelSink, turns: OneInFlight, reply: (answer: Answer) => void) {
    this.#decoder = decoder;
    this.#dialect = dialect;
    this.#name = name;
    this.#sink = sink;
    this.#turns = turns;
    this.#reply = reply;
  }

  /** Has a message come in part? */
  get partial(): boolean {
    return this.#decoder.partial;
  }

  /** Takes what a read brought: bytes (borrowed) and a handle (transferred). Throws what makes it malformed. */
  take(chunk: Uint8Array, handle: NativeHandle | null): void {
    if (handle !== null) {
      traceHandle('adopted', this.#name, handle);
      push(this.#arrived, handle);
    }
    this.#decoder.push(chunk, this.#onFrame);
    // An fd comes with the first byte of the frame that announces it, so no other can be kept.
    if (this.#arrived.length > (this.#decoder.partial ? 1 : 0)) throw strayHandle();
  }

  /** The channel has ended. */
  close(): void {
    for (let handle = shift(this.#arrived); handle !== undefined; handle = shift(this.#arrived)) handle.close();
  }

  readonly #onFrame = (message: unknown, tag: Tag): void => {
    if (tag !== 'plain' && this.#dialect === 'node') throw new SyntaxError('A tagged frame in the dialect node');
    if (tag === 'handle') return process.nextTick(this.#emit, message, shift(this.#arrived));
    if (tag === 'envelope') return this.#open(message as Envelope);
    if (this.#dialect === 'node' && isInternal(message)) {
      switch (message['cmd']) {
        case 'NODE_HANDLE': return this.#receiveHandle(message as unknown as Envelope);
        case 'NODE_HANDLE_ACK': return this.#turns.acknowledged();
        case 'NODE_HANDLE_NACK': return this.#turns.refused();
      }
    }
    process.nextTick(this.#emit, message, undefined);
  };

  #receiveHandle(envelope: Envelope): void {
    if (this.#arrived.length === 0) {
      this.#reply('NODE_HANDLE_NACK');
      return;
    }
    this.#reply('NODE_HANDLE_ACK');
    // Whoever listens to internal messages sees the envelope and what is in it, as under Node.
    process.nextTick(this.#emit, envelope, undefined);
    this.#open(envelope);
  }

  /** Takes the fd that arrived out of its envelope. */
  #open(envelope: Envelope): void {
    const native = shift(this.#arrived);
    if (native === undefined) return process.nextTick(this.#emit, envelope.msg, undefined);
    if (!isKnownEnvelope(envelope)) {
      native.close();
      process.nextTick(this.#blame, new TypeError(`Unknown handle type: ${String((envelope as Envelope).type)}`));
      return;
    }
    // A server is delivered in the tick in which it emits 'listening', which is asked for here: a tick later,
    // what came behind it would be delivered first.
    const stream: boolean = !isUdp(native);
    if (envelope.type === 'net.Server' && stream) this.#adopt(envelope, native);
    else process.nextTick(this.#adopt, envelope, native);
  }

  readonly #adopt = (envelope: Envelope, native: NativeHandle): void => {
    adopt(envelope, native, (handle) => {
      if (envelope.type === 'net.Socket' && envelope.key !== undefined) this.#sink.socketReceived(handle as Socket, envelope.key);
      this.#emit(envelope.msg, handle);
    }, (error) => process.nextTick(this.#blame, error));
  };

  /** The other end sent something that cannot be used here. */
  readonly #blame = (error: Error): void => this.#sink.error(causedByPeer(error));

  readonly #emit = (message: unknown, handle: SendHandle | undefined): void => {
    if (isInternal(message)) this.#sink.internalMessage(message, handle);
    else this.#sink.message(message, handle);
  };
}

/** NODE_ and at least one letter more: the runtime's own, kept from the app's 'message' listeners. */
export function isInternal(message: unknown): message is Record<string, unknown> {
  if (typeof message !== 'object' || message === null) return false;
  const { cmd } = message as { cmd?: unknown };
  return typeof cmd === 'string' && cmd.length > PREFIX.length && startsWith(cmd, PREFIX);
}

const PREFIX = 'NODE_';
