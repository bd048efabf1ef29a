/**
 * Makes a ChildProcess, or `process` in a child, speak over a channel: the members and events that
 * Node's documentation gives to both (`send`, `disconnect`, `connected`, `channel`, 'message',
 * 'disconnect'), and 'internalMessage', which is how Node's own parts talk past the app.
 *
 * Owns     the messages that came before anybody listened; the count of what keeps the channel ref'ed
 * Used by  spawn.ts (parent side), startup/preload.ts (child side)
 * Never    looks into a message, but for the counts of sent sockets (socket_lists.ts)
 * Keeps    1. a 'message' without a listener waits until there is one, and comes in a tick of its own
 *          2. in a child the channel keeps the process alive while somebody listens to 'message' or
 *             'disconnect' or a write is under way; `channel.ref()` and `unref()` overrule that for good
 *          3. in a parent it keeps the process alive until it is unref'ed (D19)
 * Node     https://nodejs.org/api/process.html#processsendmessage-sendhandle-options-callback
 *          https://nodejs.org/api/child_process.html#subprocesssendmessage-sendhandle-options-callback
 */
import { EventEmitter } from 'node:events';
import { deprecate } from 'node:util';
import { Array, NativeObject } from '../builtins';
import { channelClosed, invalidArgType, nodeError } from '../errors';
import { Fifo } from '../fifo';
import { nodeMajor, type NativePipe } from '../native/bindings';
import { Channel } from './channel';
import type { ChannelOptions, ChannelSink } from './channel_types';
import type { SendHandle } from './handles';
import type { SendOptions } from './outbox';
import type { SendCallback } from './send_callbacks';
import { SocketLists } from './socket_lists';

/** What an equipped process has besides its own members. */
export interface Spoken extends EventEmitter {
  channel: Control | null;
  connected: boolean;
  send(message: unknown, handle?: unknown, options?: unknown, callback?: SendCallback): boolean;
  disconnect(): void;
}

/**
 * `process.channel` and `subprocess.channel`: holds the event loop, or lets go of it.
 * https://nodejs.org/api/process.html#processchannel
 */
export class Control extends EventEmitter {
  readonly #channel: Channel;
  #reasons = 0;
  /** A parent's channel holds the process without a reason, until somebody has counted one up and down. */
  #held: boolean;
  #automatic = true;

  constructor(channel: Channel, side: Side) {
    super();
    this.#channel = channel;
    this.#held = side === 'parent';
  }

  /** One reason more to keep the process alive. */
  refCounted(): void {
    if (++this.#reasons === 1 && this.#automatic) this.#channel.ref();
  }

  /** One reason less. Up to Node 22 the last one is told by the event 'unref'. */
  unrefCounted(): void {
    if (--this.#reasons !== 0 || !this.#automatic) return;
    this.#held = false;
    this.#channel.unref();
    if (nodeMajor < 24) this.emit('unref');
  }

  /** A write has begun (1) or ended (-1): a reason as well, but none that ends what held the process before (D19). */
  writing(change: 1 | -1): void {
    if (change === 1) this.refCounted();
    else if (this.#held) this.#reasons--;
    else this.unrefCounted();
  }

  /** Keeps the process alive whatever happens, until `unref`. */
  ref(): void {
    this.#automatic = false;
    this.#channel.ref();
  }

  /** Lets the process end whatever happens, until `ref`. */
  unref(): void {
    this.#automatic = false;
    this.#channel.unref();
  }

  get fd(): number {
    return this.#channel.fd;
  }
}

/** Whose end of the channel this is: only a child counts what keeps it alive. */
export type Side = 'parent' | 'child';

/**
 * Equips `target` with a channel over `pipe` (transferred) and begins to read. `onClosed` is called
 * after 'disconnect' was emitted.
 */
export function equip(
  target: EventEmitter, pipe: NativePipe, options: ChannelOptions, side: Side, onClosed?: () => void,
): Channel {
  const spoken = target as Spoken;
  const backlog = new Fifo<[message: unknown, handle: SendHandle | undefined]>();

  const sink: ChannelSink = {
    message(message, handle) {
      const heard = target.listenerCount('message') > 0;
      if (heard && backlog.length === 0) return void target.emit('message', message, handle);
      backlog.push([message, handle]);
      if (heard) deliverBacklog();
    },
    internalMessage(message, handle) {
      sockets.receive(message);
      target.emit('internalMessage', message, handle);
    },
    error: (error) => void target.emit('error', error),
    malformed(error) {
      if (side === 'child') throw error;
      channel.abort();
      process.nextTick(() => target.emit('error', error));
    },
    ending(state) {
      spoken.connected = false;
      if (state === 'closed') spoken.channel = null;
    },
    closed() {
      sockets.ended();
      // In a tick of its own, behind this one: a listener that throws must not stop it.
      if (onClosed !== undefined) process.nextTick(onClosed);
      target.emit('disconnect');
    },
    drained: () => void control.emit('drain'),
    pending: (change) => control.writing(change),
    socketSent: (server, key) => sockets.sent(server, key),
    socketReceived: (socket, key) => sockets.received(socket, key),
  };
  const sockets = new SocketLists(target as Spoken);
  const channel: Channel = new Channel(pipe, options, sink);
  const control = new Control(channel, side);
  if (side === 'child') {
    channel.unref();
    // A preload of the app's may have been here before us.
    const listeners = target.listenerCount('message') + target.listenerCount('disconnect');
    for (let count = 0; count < listeners; count++) control.refCounted();
  }

  /** Ticks to come, each for one message of the backlog. All are begun before the first listener runs, which may throw. */
  let ticks = 0;
  const deliverBacklog = (): void => {
    for (; ticks < backlog.length; ticks++) process.nextTick(deliverNext);
  };
  const deliverNext = (): void => {
    ticks--;
    // The listener may have been a `once`: then the others wait for the next one.
    if (backlog.length === 0 || target.listenerCount('message') === 0) return;
    const [message, handle] = backlog.shift() as [unknown, SendHandle | undefined];
    target.emit('message', message, handle);
  };
  const holdsChild = (event: string | symbol): boolean => side === 'child' && (event === 'message' || event === 'disconnect');

  target.on('newListener', (event: string | symbol) => {
    if (backlog.length > 0) deliverBacklog();
    if (holdsChild(event)) control.refCounted();
  });
  if (side === 'child') {
    target.on('removeListener', (event: string | symbol) => {
      if (holdsChild(event)) control.unrefCounted();
    });
  }

  const send: Spoken['send'] = (message, handle, given, callback) => {
    if (typeof handle === 'function') {
      callback = handle as SendCallback;
      handle = undefined;
      given = undefined;
    } else if (typeof given === 'function') {
      callback = given as SendCallback;
      given = undefined;
    }
    checkOptions(given);
    if (!spoken.connected) {
      const error = channelClosed();
      if (typeof callback === 'function') process.nextTick(callback, error);
      else process.nextTick(() => target.emit('error', error));
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
  if (nodeMajor < 26) nameAsBefore(spoken);
  channels.set(target, channel);
  channel.start();
  return channel;
}

/** The channel of ours that a process speaks over; undefined for one that Node equipped. */
export const channelOf = (target: object): Channel | undefined => channels.get(target);
const channels = new WeakMap<object, Channel>();

/** `_channel`, the name that `channel` had, as long as Node has it. */
function nameAsBefore(target: Spoken): void {
  const text = '_channel is deprecated. Use ChildProcess.channel instead.';
  NativeObject.defineProperty(target, '_channel', {
    get: deprecate(() => target.channel, text, 'DEP0129'),
    set: deprecate((channel: Control | null) => void (target.channel = channel), text, 'DEP0129'),
    configurable: true,
    enumerable: false,
  });
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
