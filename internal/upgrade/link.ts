/**
 * The channel between a primary and the one that replaces it: our own channel, on an object that is not `process`, so that
 * the program of the successor sees no `process.send` that it would not have as a primary of its own.
 *
 * Owns     the pipe, from the constructor to `close` or the end of the other process
 * Used by  start.ts, predecessor.ts, successor.ts
 * Uses     messages.ts, channel/attach_channel.ts
 * Keeps    `ended` is called once. Nothing is sent afterwards
 */
import { EventEmitter } from 'node:events';
import { attachChannel, channelOf } from '../channel/attach_channel';
import type { NativeHandle, NativePipe } from '../native/bindings';
import { UPGRADE, type PredecessorMessage, type SuccessorMessage } from './messages';

/** One end of the link. */
export class Link {
  readonly #emitter = new EventEmitter();
  #isOpen = true;

  /** `pipe` is transferred. `name`: of this end, in the trace. The link keeps the process alive while it is open. */
  constructor(pipe: NativePipe, name: string) {
    this.#emitter.on('error', () => this.close()); // The other end is of another version, or no process of ours.
    attachChannel(this.#emitter, pipe, { serialization: 'json', dialect: 'pipelined', name }, 'parent');
  }

  /** `received` gets each message with the handle that came with it (transferred); `ended` is called when the link has ended. */
  listen(received: (message: unknown, handle: NativeHandle | undefined) => void, ended: () => void): void {
    this.#emitter.on('internalMessage', received);
    this.#emitter.once('disconnect', () => {
      this.#isOpen = false;
      ended();
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
