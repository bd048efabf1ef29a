/**
 * Opens, reads and writes the pipe of a channel: a Unix socket over which bytes and fds pass.
 *
 * Used by  channel/channel.ts, channel/outbox.ts, channel/spawn.ts, startup/preload.ts,
 *          upgrade/start.ts, upgrade/successor.ts
 * Never    imports any other file of this project than builtins.ts and files of this directory (see bindings.ts)
 */
import { Array, Buffer, push, subarray } from '../builtins';
import { type NativeHandle, type NativePipe, Pipe, UV_EOF, WriteWrap, kLastWriteWasAsync, kReadBytesOrError, pipeConstants, streamBaseState } from './bindings';

/** A new pipe that can carry fds. It is not connected yet. */
export function newPipe(): NativePipe {
  return new Pipe(pipeConstants.IPC);
}

/** Opens a pipe on an inherited fd (transferred). Throws if the fd is not a pipe. */
export function openPipe(fd: number): NativePipe {
  const pipe = new Pipe(pipeConstants.IPC);
  const errno = pipe.open(fd);
  if (errno) {
    pipe.close();
    throw new Error(`The inherited fd ${fd} is not a pipe, so no channel can be opened on it (errno ${errno})`);
  }
  return pipe;
}

/** The read buffer of all pipes, 64 KiB, as long as libuv's own: a reader uses or copies the bytes inside its callback. */
const room = Buffer.allocUnsafeSlow(65536);

/**
 * Starts reading. `onBytes` gets each chunk (borrowed until it returns) and the handle whose fd came
 * with it (transferred). `onEnd` is called once, with UV_EOF or a negative errno. Returns a negative errno if
 * reading cannot start.
 *
 * The bytes are always at the start of `room`. The value that `onread` returns decides only how many bytes of `room`
 * the next read may fill. Node loses that value when a tick inside the callback throws; then the next read has another
 * length than intended, and nothing else changes.
 *
 * Why the next read is limited to the length of a chunk that came with an fd: the kernel ends a read at each message
 * that carries an fd, and libuv reads again in the same turn of the event loop only when a read has filled its buffer
 * (up to 32 times). When many messages of one length wait, all of them are read in one turn.
 */
export function readPipe(
  pipe: NativePipe, onBytes: (chunk: Uint8Array, handle: NativeHandle | null) => void, onEnd: (errno: number) => void,
): number {
  const native = pipe as any;
  let carried = false;
  let fitting: Uint8Array = room;
  native.pendingHandle = null;
  native.onread = (): Uint8Array | undefined => {
    const count = streamBaseState[kReadBytesOrError];
    // The kernel ends a read at a message that carries an fd, so there is at most one here.
    const handle = native.pendingHandle;
    if (handle !== null) native.pendingHandle = null;
    if (count > 0) {
      carried = handle !== null;
      if (carried && fitting.length !== count) fitting = subarray(room, 0, count);
      onBytes(carried ? fitting : subarray(room, 0, count), handle);
      return carried ? fitting : room;
    }
    if (count === UV_EOF && carried && native.readStart() === 0) {
      // libuv takes a short read from a pipe whose other end is closed for the last one. A read that an
      // fd has ended is short with more behind it: only an end that follows no fd is the end.
      carried = false;
    } else if (count < 0) {
      native.onread = () => {};
      onEnd(count);
    }
    return undefined;
  };
  native.useUserBuffer(room);
  return native.readStart();
}

/** Stops reading; nothing is read until the pipe is closed. */
export function stopReading(pipe: NativePipe): void {
  (pipe as any).readStop();
}

/** The status of a write: the kernel has taken it. */
export const WRITTEN = 0;
/** The status of a write: it is under way, and `onDone` will be called. */
export const PENDING = 1;

/** What one write sends: a text, some bytes, a list of texts, or a list of bytes. A list is sent in its order. */
export type PipeData = string | Uint8Array | readonly string[] | readonly Uint8Array[];

/**
 * Writes text or bytes, and with them the fd of `handle` (borrowed until the write is done).
 * Returns WRITTEN if the kernel took everything, PENDING if `onDone(status, about)` will be called, or
 * a negative errno. A write that carries a handle is always PENDING. All writes can share one function `onDone`, which
 * costs less than a closure for each: `about` says which write has ended.
 */
export function writePipe<About>(
  pipe: NativePipe, data: PipeData, handle: NativeHandle | null, onDone: (status: number, about: About) => void, about: About,
): number {
  const request = new WriteWrap();
  request.onDone = onDone;
  request.about = about;
  request.oncomplete = writeDone;
  if (typeof data !== 'string') request.buffer = data; // Keeps the bytes from garbage collection until the write is done.
  const errno = writeWith(pipe, request, data, handle ?? undefined);
  if (errno !== 0) return errno;
  return streamBaseState[kLastWriteWasAsync] ? PENDING : WRITTEN;
}

function writeWith(native: any, request: object, data: PipeData, handle: NativeHandle | undefined): number {
  if (typeof data === 'string') return native.writeUtf8String(request, data, handle);
  if (!Array.isArray(data)) return native.writeBuffer(request, data, handle);
  // With several pieces there is never a handle.
  return typeof data[0] === 'string' ? native.writev(request, withEncodings(data), false) : native.writev(request, data, true);
}

/** Each text, and its encoding behind it. */
function withEncodings(texts: readonly string[]): string[] {
  const list: string[] = [];
  for (let index = 0; index < texts.length; index++) {
    push(list, texts[index] as string);
    push(list, 'utf8');
  }
  return list;
}

function writeDone(this: any, status: number): void {
  this.onDone(status, this.about);
}
