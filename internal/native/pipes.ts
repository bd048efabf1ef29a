/**
 * Opens, reads and writes the pipe of a channel: a Unix socket over which bytes and fds pass.
 *
 * Used by  channel/
 * Never    imports anything of this project but builtins.ts and this directory; bindings.ts says more
 */
import { Buffer, subarray } from '../builtins';
import { type NativeHandle, type NativePipe, Pipe, UV_EOF, WriteWrap, kLastWriteWasAsync, kReadBytesOrError, pipeConstants, streamBaseState } from './bindings';

/** A pipe over which fds can pass, not yet connected to anything. */
export function newPipe(): NativePipe {
  return new Pipe(pipeConstants.IPC);
}

/** A pipe over an fd that this process inherited; the pipe owns the fd from now on. Throws on an fd that is no pipe. */
export function openPipe(fd: number): NativePipe {
  const pipe = new Pipe(pipeConstants.IPC);
  const errno = pipe.open(fd);
  if (errno) {
    pipe.close();
    throw new Error(`fd ${fd} is not a pipe that the channel could open (${errno})`);
  }
  return pipe;
}

/** Where the bytes of all pipes arrive, always: what is read is used up or copied in the callback. In bytes: 64 KiB. */
const room = Buffer.allocUnsafeSlow(65536);

/**
 * Starts reading. `onBytes` gets each chunk (borrowed until it returns) and the handle whose fd came
 * with it (transferred). `onEnd` is called once, with UV_EOF or the error. Returns a negative errno if
 * reading cannot start.
 *
 * The bytes always lie at the start of `room`. What our callback returns is only how many bytes of it
 * libuv may fill: Node drops that value when a tick inside the callback throws, and then the next read
 * is shorter or longer than we wanted, and nothing else.
 *
 * libuv goes on to read in the same turn of the event loop as long as a read fills its buffer (up to
 * 32 times), and the kernel ends a read at a message that carries an fd. So behind one of those the
 * next read may be as long as that message: when many of one length wait, all are read in one turn.
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

/** What became of a write: done, on its way (then `onDone` comes), or a negative errno. */
export const WRITTEN = 0;
/** On its way: `onDone` will say how it ended. */
export const PENDING = 1;

/**
 * Writes text or bytes, and with them the fd of `handle` (borrowed until the write is done).
 * Returns WRITTEN if the kernel took everything, PENDING if `onDone(status, about)` will be called, or
 * a negative errno. A write that carries a handle is always PENDING. `onDone` can be one for all writes.
 */
export function writePipe<About>(
  pipe: NativePipe, data: string | Uint8Array, handle: NativeHandle | null, onDone: (status: number, about: About) => void, about: About,
): number {
  const request = new WriteWrap();
  request.onDone = onDone;
  request.about = about;
  request.oncomplete = writeDone;
  if (typeof data !== 'string') request.buffer = data; // The write reads from it until it is done: nobody else may hold it.
  const native = pipe as any;
  const errno = typeof data === 'string'
    ? native.writeUtf8String(request, data, handle ?? undefined)
    : native.writeBuffer(request, data, handle ?? undefined);
  if (errno !== 0) return errno;
  return streamBaseState[kLastWriteWasAsync] ? PENDING : WRITTEN;
}

function writeDone(this: any, status: number): void {
  this.onDone(status, this.about);
}
