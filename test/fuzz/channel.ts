/**
 * Feeds bytes and fds to the parent's end of a real channel, through a fake pipe: frames with tags, envelopes with and
 * without fds, acknowledgements that nobody waits for, half frames, garbage, the end of the stream. The channel must not
 * throw, and must deliver or close each fd exactly once.
 */
import { EventEmitter } from 'node:events';
import type { Dialect } from '../../internal/channel/channel_types';
import type { Serialization, Tag } from '../../internal/channel/codec';
import { dist } from '../support/program';
import type { Target } from './fuzz';
import { Dice, clusterMessage, envelope, value, type Value } from './values';

const { timers } = require(dist('internal/builtins.js')) as typeof import('../../internal/builtins');
const { codecFor } = require(dist('internal/channel/framing.js')) as typeof import('../../internal/channel/framing');
const { attachChannel } = require(dist('internal/channel/attach_channel.js')) as typeof import('../../internal/channel/attach_channel');

interface Bytes { readonly message: Value; readonly tag: Tag; readonly fd: boolean; readonly part?: number }
type Operation = { form: Serialization; dialect: Dialect } | Bytes | { garbage: string } | { sends: Value } | { ends: 'there' | 'here' };

/** A native handle without an fd. */
class Fake {
  closes = 0;
  delivered = 0;
  onread: unknown = null;
  close(closed?: () => void): void {
    this.closes++;
    if (closed !== undefined) process.nextTick(closed);
  }
  readStart(): number { return 0; }
  readStop(): number { return 0; }
  getAsyncId(): number { return 1; }
  ref(): void {}
  unref(): void {}
}

/** Takes the place of Node's pipe. It has the fields and methods that native/pipes.ts uses. */
class FakePipe extends Fake {
  writeQueueSize = 0;
  pendingHandle: Fake | null = null;
  override onread: () => Uint8Array | undefined = () => undefined;
  #into: Uint8Array = Buffer.alloc(0);
  useUserBuffer(into: Uint8Array): void { this.#into = into; }
  writeUtf8String(): number { return written(); }
  writeBuffer(): number { return written(); }
  writev(): number { return written(); }

  comes(bytes: Buffer, handle: Fake | null): void {
    for (let at = 0; at < bytes.length;) {
      const length = Math.min(this.#into.length, bytes.length - at);
      this.#into.set(bytes.subarray(at, at + length));
      at += length;
      this.pendingHandle = handle;
      handle = null;
      state[kReadBytesOrError] = length;
      this.#into = this.onread() ?? this.#into;
    }
  }

  /** Reports the end twice: if the last bytes came with an fd, native/pipes.ts reads again after the first end. */
  ends(): void {
    for (let times = 0; times < 2; times++) {
      state[kReadBytesOrError] = UV_EOF;
      this.onread();
    }
  }
}

interface StreamBinding { streamBaseState: Int32Array; kReadBytesOrError: number; kLastWriteWasAsync: number }
const { streamBaseState: state, kReadBytesOrError, kLastWriteWasAsync } = (process as unknown as { binding(name: string): StreamBinding }).binding('stream_wrap');
const UV_EOF = -4095;

function written(): number {
  state[kLastWriteWasAsync] = 0;
  return 0;
}

export const channel: Target<Operation> = {
  name: 'frames and handles into a channel',
  share: 20,
  generate(seed) {
    const dice = new Dice(seed);
    const operations: Operation[] = [{ form: dice.pick(['json', 'advanced'] as const), dialect: dice.pick(['node', 'pipelined'] as const) }];
    for (let count = 1 + dice.below(15); count > 0; count--) {
      const message = dice.pick([envelope, envelope, clusterMessage, value])(dice);
      const tag = dice.pick(['plain', 'plain', 'handle', 'envelope'] as const);
      if (dice.chance(0.8)) operations.push({ message, tag, fd: dice.chance(0.5), ...(dice.chance(0.1) ? { part: dice.below(40) } : {}) });
      else if (dice.chance(0.5)) operations.push({ sends: message === null ? 0 : message });
      else operations.push(dice.chance(0.5) ? { garbage: dice.pick(['garbage\n', '\n', 'H\n', 'Enull\n', '{"a":\n', '\xff\xff\xff\xff', '\0\0\0\0', '\0\0\0\x01H']) } : { ends: dice.pick(['there', 'here'] as const) });
    }
    return operations;
  },
  play(operations) {
    const { form, dialect } = operations.map((one) => ('form' in one ? one : undefined)).find((one) => one !== undefined) ?? { form: 'json', dialect: 'node' };
    const before = timers.nextTick;
    const ticks: (() => void)[] = [];
    timers.nextTick = ((call: (...args: unknown[]) => void, ...args: unknown[]) => void ticks.push(() => call(...args))) as never;
    try {
      run(operations, form, dialect, () => {
        for (let tick = ticks.shift(); tick !== undefined; tick = ticks.shift()) tick();
      });
    } finally {
      timers.nextTick = before;
    }
  },
};

function run(operations: readonly Operation[], form: Serialization, dialect: Dialect, runTicks: () => void): void {
  const codec = codecFor(form);
  const pipe = new FakePipe();
  const target = new EventEmitter();
  const came: Fake[] = [];
  const deliver = (_message: unknown, handle: unknown): void => {
    const native = (handle instanceof Fake ? handle : (handle as { _handle?: Fake } | undefined)?._handle) ?? null;
    if (native !== null) native.delivered++;
  };
  let ends = 0;
  target.on('error', () => {}).on('message', deliver).on('internalMessage', deliver).on('disconnect', () => ends++);
  attachChannel(target, pipe as never, { serialization: form, dialect, name: 'fuzz' }, 'parent');
  const spoken = target as unknown as { connected: boolean; send(message: Value, handle?: unknown): boolean; disconnect(): void };
  let over = false;
  for (const operation of operations) {
    if (over) break;
    if ('message' in operation) {
      const handle = operation.fd ? new Fake() : null;
      if (handle !== null) came.push(handle);
      const frame = Buffer.from(codec.whole(codec.encode(operation.message, operation.tag)) as string);
      pipe.comes(operation.part === undefined ? frame : frame.subarray(0, Math.max(1, operation.part)), handle);
    } else if ('garbage' in operation) {
      pipe.comes(Buffer.from(operation.garbage, 'latin1'), null);
    } else if ('sends' in operation) {
      try {
        spoken.send(operation.sends);
      } catch (error) {
        if (!/circular|INVALID|MISSING/.test(String(error))) throw error;
      }
    } else if ('ends' in operation) {
      if (operation.ends === 'here') spoken.disconnect();
      else pipe.ends();
      over = operation.ends === 'there';
    }
    runTicks();
    over ||= pipe.closes > 0;
  }
  if (!over) pipe.ends();
  runTicks();
  if (ends !== 1) throw new Error(`'disconnect' was told ${ends} times`);
  if (pipe.closes !== 1) throw new Error(`the pipe was closed ${pipe.closes} times`);
  for (const [at, { closes, delivered }] of came.entries()) {
    if (closes + delivered !== 1) throw new Error(`fd ${at + 1} of ${came.length} was delivered ${delivered} times and closed ${closes} times`);
  }
}
