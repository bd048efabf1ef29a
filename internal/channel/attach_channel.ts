/**
 * Gives a ChildProcess, or `process` in a child, a channel, with the members and events that Node documents for both:
 * `send`, `disconnect`, `connected`, `channel`, 'message' and 'disconnect'. It also emits 'internalMessage', which Node's
 * own parts use for messages that the app does not see.
 *
 * Owns     the messages that arrived before the app listened; the number of reasons why the channel is ref'ed
 * Used by  spawn.ts (in a parent), startup/preload.ts (in a child); upgrade/link.ts (for two primaries); calls.ts, child/index.ts, master/index.ts and
 *          master/peer.ts, which ask `channelOf`
 * Never    reads the content of a message, except the counts of sent sockets (socket_lists.ts)
 * Keeps    1. a message without a 'message' listener waits until there is one; then it is emitted in a tick of its own
 *          2. in a child the channel keeps the process alive while the app listens to 'message' or 'disconnect', or a
 *             write is pending. `channel.ref()` and `channel.unref()` overrule this for good
 *          3. in a parent the channel keeps the process alive until the app unrefs it (D19)
 * Node     https://nodejs.org/api/process.html#processsendmessage-sendhandle-options-callback
 *          https://nodejs.org/api/child_process.html#subprocesssendmessage-sendhandle-options-callback
 */
import { EventEmitter } from 'node:events';
import { deprecate } from 'node:util';
import { Array, NativeObject, timers } from '../builtins';
import { causedByPeer, channelClosed, invalidArgType, nodeError } from '../errors';
import { Fifo } from '../fifo';
import { nodeMajor, type NativePipe } from '../native/bindings';
import { Channel } from './channel';
import type { ChannelOptions, ChannelSink } from './channel_types';
import type { SendHandle } from './handles';
import type { SendOptions } from './outbox';
import type { SendCallback } from './send_callbacks';
import { SocketLists } from './socket_lists';

/** The members that a ChildProcess or `process` has while it has a channel. */
export interface ProcessWithChannel extends EventEmitter {
  channel: Control | null;
  connected: boolean;
  send(message: unknown, handle?: unknown, options?: unknown, callback?: SendCallback): boolean;
  disconnect(): void;
}

/**
 * The object `process.channel` or `subprocess.channel`. It decides whether the channel keeps this process alive.
 * https://nodejs.org/api/process.html#processchannel
 */
export class Control extends EventEmitter {
  readonly #channel: Channel;
  /** How many reasons there are to keep the process alive: listeners in a child, pending writes. */
  #reasons = 0;
  /** True in a parent at first: its channel keeps the process alive without a reason, until a counted reason has ended. */
  #held: boolean;
  /** False once the app has called `ref` or `unref`: then reasons are counted, and have no effect. */
  #automatic = true;

  constructor(channel: Channel, side: Side) {
    super();
    this.#channel = channel;
    this.#held = side === 'parent';
  }

  /** Adds a reason to keep the process alive. */
  refCounted(): void {
    if (++this.#reasons === 1 && this.#automatic) this.#channel.ref();
  }

  /** Removes a reason. Up to Node 22 the event 'unref' is emitted when no reason is left. */
  unrefCounted(): void {
    if (--this.#reasons !== 0 || !this.#automatic) return;
    this.#held = false;
    this.#channel.unref();
    if (nodeMajor < 24) this.emit('unref');
  }

  /** A write has begun (1) or ended (-1). A pending write is a reason, too; but its end does not change `#held` (D19). */
  writing(change: 1 | -1): void {
    if (change === 1) this.refCounted();
    else if (this.#held) this.#reasons--;
    else this.unrefCounted();
  }

  /** Keeps the process alive until `unref` is called, with or without reasons. */
  ref(): void {
    this.#automatic = false;
    this.#channel.ref();
  }

  /** Does not keep the process alive until `ref` is called, with or without reasons. */
  unref(): void {
    this.#automatic = false;
    this.#channel.unref();
  }

  get fd(): number {
    return this.#channel.fd;
  }
}

/** Which end of the channel this is. In a child the app's listeners decide whether the channel keeps the process alive. */
export type Side = 'parent' | 'child';

/**
 * Gives `target` a channel over `pipe` (transferred) and begins to read. `onClosed` is called after 'disconnect' was
 * emitted.
 */
export function attachChannel(
  target: EventEmitter, pipe: NativePipe, options: ChannelOptions, side: Side, onClosed?: () => void,
): Channel {
  const owner = target as ProcessWithChannel;
  const backlog = new Fifo<[message: unknown, handle: SendHandle | undefined]>();

  const sink: ChannelSink = {
    message(message, handle) {
      const hasListener = target.listenerCount('message') > 0;
      if (hasListener && backlog.length === 0) return void target.emit('message', message, handle);
      backlog.push([message, handle]);
      if (hasListener) deliverBacklog();
    },
    internalMessage(message, handle) {
      sockets.receive(message);
      target.emit('internalMessage', message, handle);
    },
    error: (error) => void target.emit('error', error),
    malformed(error) {
      if (side === 'child') throw error;
      channel.abort();
      timers.nextTick(() => target.emit('error', error));
    },
    ending(state) {
      owner.connected = false;
      if (state === 'closed') owner.channel = null;
    },
    closed() {
      sockets.ended();
      // Scheduled first, in a tick of its own: a 'disconnect' listener that throws must not prevent it.
      if (onClosed !== undefined) timers.nextTick(onClosed);
      target.emit('disconnect');
    },
    drained: () => void control.emit('drain'),
    pending: (change) => control.writing(change),
    socketSent: (server, key) => sockets.sent(server, key),
    socketReceived: (socket, key) => sockets.received(socket, key),
  };
  const sockets = new SocketLists(owner);
  const channel: Channel = new Channel(pipe, options, sink);
  const control = new Control(channel, side);
  if (side === 'child') {
    channel.unref();
    // A preload of the app may have added listeners before our preload ran.
    const listeners = target.listenerCount('message') + target.listenerCount('disconnect');
    for (let count = 0; count < listeners; count++) control.refCounted();
  }

  /**
   * The number of scheduled ticks, each of which emits one message of the backlog. All are scheduled before the first
   * listener runs: a listener that throws must not stop the others.
   */
  let ticks = 0;
  const deliverBacklog = (): void => {
    for (; ticks < backlog.length; ticks++) timers.nextTick(deliverNext);
  };
  const deliverNext = (): void => {
    ticks--;
    // The listener may have been a `once`: then the other messages wait for the next listener.
    if (backlog.length === 0 || target.listenerCount('message') === 0) return;
    const [message, handle] = backlog.shift() as [unknown, SendHandle | undefined];
    target.emit('message', message, handle);
  };
  const keepsChildAlive = (event: string | symbol): boolean => side === 'child' && (event === 'message' || event === 'disconnect');

  target.on('newListener', (event: string | symbol) => {
    if (backlog.length > 0) deliverBacklog();
    if (keepsChildAlive(event)) control.refCounted();
  });
  if (side === 'child') {
    target.on('removeListener', (event: string | symbol) => {
      if (keepsChildAlive(event)) control.unrefCounted();
    });
  }

  const send: ProcessWithChannel['send'] = (message, handle, given, callback) => {
    if (typeof handle === 'function') {
      callback = handle as SendCallback;
      handle = undefined;
      given = undefined;
    } else if (typeof given === 'function') {
      callback = given as SendCallback;
      given = undefined;
    }
    checkOptions(given);
    if (!owner.connected) {
      // The other end has closed the channel, and its 'exit' is still to come: like EPIPE, that is no fault of the sender (D18).
      const error = channel.endedHere || hasExited(target) ? channelClosed() : causedByPeer(channelClosed());
      if (typeof callback === 'function') timers.nextTick(callback, error);
      else timers.nextTick(() => target.emit('error', error));
      return false;
    }
    checkMessage(message);
    return channel.send(message, (handle || undefined) as SendHandle | undefined, given ?? noOptions,
      typeof callback === 'function' ? callback : undefined);
  };

  NativeObject.assign(target, {
    channel: control,
    send,
    connected: true,
    disconnect: () => channel.disconnect(),
  });
  if (nodeMajor < 26) defineOldName(owner);
  channels.set(target, channel);
  channel.start();
  return channel;
}

/** The channel that `attachChannel` gave to a process; undefined if it has none, or Node's own. */
export const channelOf = (target: object): Channel | undefined => channels.get(target);
const channels = new WeakMap<object, Channel>();

/** Defines `_channel`, the old and deprecated name of `channel`, as Node does up to version 24. */
function defineOldName(target: ProcessWithChannel): void {
  const text = '_channel is deprecated. Use ChildProcess.channel instead.';
  NativeObject.defineProperty(target, '_channel', {
    get: deprecate(() => target.channel, text, 'DEP0129'),
    set: deprecate((channel: Control | null) => void (target.channel = channel), text, 'DEP0129'),
    configurable: true,
    enumerable: false,
  });
}

/** Is this a ChildProcess whose 'exit' has been emitted, or is being emitted? */
function hasExited(target: EventEmitter & { readonly exitCode?: unknown; readonly signalCode?: unknown }): boolean {
  return (target.exitCode ?? target.signalCode ?? null) !== null;
}

const noOptions: SendOptions = NativeObject.freeze({});

function checkOptions(options: unknown): asserts options is SendOptions | undefined {
  if (options === undefined) return;
  if (options === null || typeof options !== 'object' || Array.isArray(options)) {
    throw invalidArgType('options', 'of type object', options);
  }
}

function checkMessage(message: unknown): void {
  if (message === undefined) throw nodeError(TypeError, 'ERR_MISSING_ARGS', 'The "message" argument must be specified');
  switch (typeof message) {
    case 'string': case 'object': case 'number': case 'boolean': return;
    default: throw invalidArgType('message', 'one of type string, object, number, or boolean', message);
  }
}
