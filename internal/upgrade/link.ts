/**
 * The channel between a primary and the one that replaces it: our own channel, on an object that is not `process`, so that
 * the program of the successor sees no `process.send` that it would not have as a primary of its own.
 *
 * Owns     the pipe, from the constructor to `close` or the end of the other process
 * Used by  start.ts, predecessor.ts, successor.ts
 * Uses     messages.ts, channel/attach_channel.ts, limits.ts
 * Keeps    `ended` is called once. Nothing is sent afterwards
 */
import { EventEmitter } from 'node:events';
import { attachChannel, channelOf } from '../channel/attach_channel';
import type { NativeHandle, NativePipe } from '../native/bindings';
import { DEFAULT_LIMITS, NO_LIMITS, type ChannelLimits } from '../limits';
import { UPGRADE, type PredecessorMessage, type SuccessorMessage } from './messages';

/** A message is at most as long as the channel of a worker allows by default: the longest one carries the shared state. What the other end does not read is not bounded here. */
const LIMITS: ChannelLimits = { ...NO_LIMITS, messageBytes: DEFAULT_LIMITS.messageBytes };

/** One end of the link. */
export class Link {
  readonly #emitter = new EventEmitter();
  #isOpen = true;
  #error: Error | null = null;

  /** `pipe` is transferred. `name`: of this end, in the trace. The link keeps the process alive while it is open. */
  constructor(pipe: NativePipe, name: string) {
    this.#emitter.on('error', (error: Error) => {
      this.#error = error; // The other end is of another version, or no process of ours.
      this.close();
    });
    attachChannel(this.#emitter, pipe, { serialization: 'json', dialect: 'pipelined', name, limits: LIMITS }, 'parent');
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** `received` gets each message with the handle that came with it (transferred); `ended` is called when the link has ended, with the error that was the reason, if there was one. */
  listen(received: (message: unknown, handle: NativeHandle | undefined) => void, ended: (error: Error | null) => void): void {
    this.#emitter.on('internalMessage', received);
    this.#emitter.once('disconnect', () => {
      this.#isOpen = false;
      process.nextTick(() => ended(this.#error)); // What was malformed is told in the tick after 'disconnect'.
    });
  }

  /** Sends a message. `handle` is borrowed until `written` is called; it is not called if the link has ended. */
  send(message: SuccessorMessage | PredecessorMessage, handle?: NativeHandle, written: (error: Error | null) => void = () => undefined): void {
    if (!this.#isOpen) return;
    channelOf(this.#emitter)?.send({ cmd: UPGRADE, ...message }, handle, {}, written);
  }

  /** Sends what waits to be sent, and ends the link. */
  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    channelOf(this.#emitter)?.disconnect();
  }
}
