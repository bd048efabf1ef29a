/**
 * The numbered messages of one process to ONE peer, and the calls among them that wait for a reply.
 * A call ends exactly once: by the reply that names its number, or by the peer's loss.
 *
 * Owns     the counter `seq` and the table of pending calls of this one peer
 * Used by  master/peer.ts (which only numbers and replies), child/index.ts
 * Never    shares a number with another peer: an acknowledgement of worker B can never settle what
 *          worker A was asked (D7)
 * Keeps    1. a reply whose number is not pending settles nothing
 *          2. after `lose()` nothing is pending, and whatever comes later is not sent
 * Wire     A → B {…, seq: 5}      B → A {ack: 5, …, seq: …}
 * Node     lib/internal/cluster/utils.js, where counter and table are one per process and the loss
 *          of a peer leaves its entries behind
 */
import { Map, NativeObject } from './builtins';
import { channelOf } from './channel/attach_channel';
import { channelClosed, separately } from './errors';
import type { NativeHandle } from './native/bindings';
import { CLUSTER } from './messages';
import { messagesAreTraced, traceMessage } from './trace';

/** Anything that speaks like a ChildProcess or like `process` in a child. */
export interface ProcessLike {
  readonly connected?: boolean;
  send?(message: unknown, handle?: unknown, options?: unknown, callback?: (error: Error | null) => void): boolean;
}

/** The reply that ended a call, and the handle that came with it; null if the peer was lost. */
export type Settle<Answer> = (reply: Answer | null, handle: NativeHandle | undefined) => void;

/** The numbered messages to one peer. `Answer` is what its replies look like. */
export class Calls<Answer> {
  readonly #target: ProcessLike;
  readonly #self: string;
  readonly #peer: string;
  readonly #pending = new Map<number, Settle<Answer>>();
  #seq: number;

  /** `self` and `peer` are the names in the trace. `firstSeq`: the next number, where another counted before us. */
  constructor(target: ProcessLike, self: string, peer: string, firstSeq = 0) {
    this.#target = target;
    this.#self = self;
    this.#peer = peer;
    this.#seq = firstSeq;
  }

  /**
   * Sends a message that expects no reply. `handle` is borrowed until the channel has written it;
   * `written` is told when it has, or that it could not. Returns the number that the message got, or
   * -1 if there is no channel to send it on; `written` is not called then.
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
   * A message that is sent often, each time with another number and a handle: over a channel of ours
   * what it has in common is encoded once. The function that is returned is a `notify` of it.
   */
  prepare(body: object): (handle: NativeHandle, told: { callback: (error: Error | null) => void }) => number {
    const channel = channelOf(this.#target);
    if (channel?.dialect !== 'pipelined') return (handle, { callback }) => this.notify(body, handle, callback);
    const send = channel.prepare({ cmd: CLUSTER, ...body });
    return (handle, told) => {
      if (!this.#target.connected) return -1;
      const seq = this.#seq++;
      if (messagesAreTraced()) traceMessage('sent', this.#self, this.#peer, { cmd: CLUSTER, ...body, seq }, handle);
      send(seq, handle, told);
      return seq;
    };
  }

  /**
   * Sends a message now, over a channel of ours. True: the kernel has it. Otherwise `written` is called, later, when it
   * has, or why it never will.
   */
  notifyFirmly(body: object, written: (error: Error | null) => void): boolean {
    const channel = channelOf(this.#target);
    if (channel === undefined || !this.#target.connected) return unwritable(written);
    const message = { cmd: CLUSTER, ...body, seq: this.#seq++ };
    traceMessage('sent', this.#self, this.#peer, message);
    return channel.sendFirmly(message, written);
  }

  /** The same for a message that is sent often, each time with another number as its last field. It has no seq: nothing answers it. */
  prepareFirm(body: object, field: string): (value: number, written: (error: Error | null) => void) => boolean {
    const common = { cmd: CLUSTER, ...body };
    const send = channelOf(this.#target)?.prepareFirm(common, field);
    return (value, written) => {
      if (send === undefined || !this.#target.connected) return unwritable(written);
      if (messagesAreTraced()) traceMessage('sent', this.#self, this.#peer, { ...common, [field]: value });
      return send(value, written);
    };
  }

  /** Sends a message whose reply goes to `settle`. False, and no call, if there is no channel. */
  call(body: object, settle: Settle<Answer>): boolean {
    // The number is known beforehand, so that a reply can never overtake its entry.
    const expected = this.#seq;
    this.#pending.set(expected, settle);
    let seq = -1;
    try {
      seq = this.notify(body);
    } finally {
      // Also where it threw: what the app put into the body may not be sendable.
      if (seq === -1) this.#pending.delete(expected);
    }
    return seq !== -1;
  }

  /** Ends the call that `ack` answers. False if none is pending under that number. */
  settle(ack: number, reply: Answer, handle: NativeHandle | undefined): boolean {
    const settle = this.#pending.get(ack);
    if (settle === undefined) return false;
    this.#pending.delete(ack);
    settle(reply, handle);
    return true;
  }

  /** The peer is gone: every pending call ends, in the order in which they were made. */
  lose(): void {
    const lost = [...this.#pending.values()];
    this.#pending.clear();
    for (const settle of lost) separately(() => settle(null, undefined));
  }
}

function unwritable(written: (error: Error) => void): false {
  process.nextTick(written, channelClosed());
  return false;
}

/** Over Node's channel a write toward a process that has gone would be an 'error' of ours that nobody listens for (D18). */
const unlessOurs = (target: object): (() => void) | undefined => (channelOf(target) === undefined ? () => undefined : undefined);

/** One object for all sends: the options are only read. */
const handOffOptions = NativeObject.freeze({ swallowErrors: false });
