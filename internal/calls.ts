/**
 * Numbers the messages of this process to ONE other process (its peer), and keeps the calls: those
 * messages that wait for a reply. A call ends exactly once: with the reply that names its number, or with
 * the loss of the peer.
 *
 * Owns     the counter `seq` and the table of pending calls of this one peer
 * Used by  master/peer.ts (which only numbers and replies), child/index.ts
 * Never    shares a table between peers: a reply of worker B can never resolve a call to worker A (D7)
 * Keeps    1. a reply with a number that is not pending is ignored
 *          2. after `lose()` nothing is pending, and nothing more is sent
 * Wire     A → B {…, seq: 5}      B → A {ack: 5, …, seq: …}
 * Node     lib/internal/cluster/utils.js: one counter and one table for the whole process; the entries of
 *          a lost peer stay in it
 */
import { Map, NativeObject, timers } from './builtins';
import { channelOf } from './channel/attach_channel';
import { channelClosed, separately } from './errors';
import type { NativeHandle } from './native/bindings';
import { CLUSTER } from './messages';
import { messagesAreTraced, traceMessage } from './trace';

/** A ChildProcess, or `process` in a child. */
export interface ProcessLike {
  readonly connected?: boolean;
  send?(message: unknown, handle?: unknown, options?: unknown, callback?: (error: Error | null) => void): boolean;
}

/** Gets the reply of a call, and the handle that came with it; null if the peer was lost. */
export type Resolve<Answer> = (reply: Answer | null, handle: NativeHandle | undefined) => void;

/** The messages to one peer. `Answer` is the type of its replies. */
export class Calls<Answer> {
  readonly #target: ProcessLike;
  readonly #self: string;
  readonly #peer: string;
  readonly #pending = new Map<number, Resolve<Answer>>();
  #seq: number;

  /** `self` and `peer` are the names in the trace. `firstSeq`: the first number; not 0 if Node's own code has sent messages before. */
  constructor(target: ProcessLike, self: string, peer: string, firstSeq = 0) {
    this.#target = target;
    this.#self = self;
    this.#peer = peer;
    this.#seq = firstSeq;
  }

  /**
   * Sends a message that expects no reply. `handle` is borrowed until the message is written; then `written`
   * is called, with the error if the write failed. Returns the number of the message, or -1 if the channel
   * has ended: then `written` is not called.
   */
  notify(body: object, handle?: NativeHandle | null, written?: (error: Error | null) => void): number {
    const { send } = this.#target;
    if (!this.#target.connected || send === undefined) return -1;
    const seq = this.#seq++;
    const message = { cmd: CLUSTER, ...body, seq };
    traceMessage('sent', this.#self, this.#peer, message, handle);
    send.call(this.#target, message, handle ?? undefined, handOffOptions, written ?? unlessOurs(this.#target));
    return seq;
  }

  /**
   * For a message that is sent often, each time with another number and another handle: over a channel of
   * ours its common part is encoded once. The returned function does what `notify` does.
   */
  prepare(body: object): (handle: NativeHandle, completion: { callback: (error: Error | null) => void }) => number {
    const channel = channelOf(this.#target);
    if (channel?.dialect !== 'pipelined') return (handle, { callback }) => this.notify(body, handle, callback);
    const send = channel.prepare({ cmd: CLUSTER, ...body });
    return (handle, completion) => {
      if (!this.#target.connected) return -1;
      const seq = this.#seq++;
      if (messagesAreTraced()) traceMessage('sent', this.#self, this.#peer, { cmd: CLUSTER, ...body, seq }, handle);
      send(seq, handle, completion);
      return seq;
    };
  }

  /**
   * Sends a message over a channel of ours, ahead of all joining. True: the kernel has it now. False: `written` is
   * called later, when the kernel has it, or with the error.
   */
  notifyAtOnce(body: object, written: (error: Error | null) => void): boolean {
    const channel = channelOf(this.#target);
    if (channel === undefined || !this.#target.connected) return unwritable(written);
    const message = { cmd: CLUSTER, ...body, seq: this.#seq++ };
    traceMessage('sent', this.#self, this.#peer, message);
    return channel.sendAtOnce(message, written);
  }

  /** The same for a message that is sent often, each time with another number as its last field. It has no `seq`, since it gets no reply. */
  prepareAtOnce(body: object, field: string): (value: number, written: (error: Error | null) => void) => boolean {
    const common = { cmd: CLUSTER, ...body };
    const send = channelOf(this.#target)?.prepareAtOnce(common, field);
    return (value, written) => {
      if (send === undefined || !this.#target.connected) return unwritable(written);
      if (messagesAreTraced()) traceMessage('sent', this.#self, this.#peer, { ...common, [field]: value });
      return send(value, written);
    };
  }

  /**
   * Sends a message whose reply goes to `resolve`. `handle` is borrowed until the reply; if the message could not be
   * written, `unwritten` is called instead of `resolve`. False if the channel has ended: then neither is called.
   */
  call(body: object, resolve: Resolve<Answer>, handle?: NativeHandle, unwritten?: (error: Error) => void): boolean {
    // The entry is made before the message is sent, so that no reply can come before it.
    const expected = this.#seq;
    this.#pending.set(expected, resolve);
    let seq = -1;
    try {
      seq = this.notify(body, handle, unwritten && ((error) => {
        if (error !== null && this.#pending.delete(expected)) unwritten(error);
      }));
    } finally {
      // Also if `notify` has thrown: the body may hold an object of the app that cannot be serialized.
      if (seq === -1) this.#pending.delete(expected);
    }
    return seq !== -1;
  }

  /** Ends the call that `ack` answers. False if no call of that number is pending. */
  resolve(ack: number, reply: Answer, handle: NativeHandle | undefined): boolean {
    const resolve = this.#pending.get(ack);
    if (resolve === undefined) return false;
    this.#pending.delete(ack);
    resolve(reply, handle);
    return true;
  }

  /** The peer is lost: every pending call ends, in the order of the calls. */
  lose(): void {
    const lost = [...this.#pending.values()];
    this.#pending.clear();
    for (const resolve of lost) separately(() => resolve(null, undefined));
  }
}

function unwritable(written: (error: Error) => void): false {
  timers.nextTick(written, channelClosed());
  return false;
}

/** Over Node's channel a failed write would be emitted as an 'error', for which nobody listens; with a callback it is not (D18). */
const unlessOurs = (target: object): (() => void) | undefined => (channelOf(target) === undefined ? () => undefined : undefined);

/** One object for all sends, since nobody changes it. */
const handOffOptions = NativeObject.freeze({ swallowErrors: false });
