/**
 * Observes a channel of Node's own, at one end: all bytes that are written and read, and the handles that go with them.
 * The channel works as before; the observer only looks.
 *
 * Used by  recording/node_frames.ts
 * Never    changes what is written, read or returned; keeps a handle. An exception of the observer is swallowed by the
 *          observer itself, never here: it must not throw
 * Node     a target (a ChildProcess, or `process`) has the native pipe behind a private symbol. Node calls the methods
 *          `writeUtf8String` (serialization json) or `writeBuffer` (advanced) of that pipe for each message, and the
 *          pipe calls its `onread` for each chunk
 */
import { NativeObject, Reflect } from '../builtins';
import { type NativeHandle, kArrayBufferOffset, kReadBytesOrError, streamBaseState } from './bindings';

/** Is called with everything that one end of a channel writes and reads. */
export interface ChannelObserver {
  /** A whole message is being written. */
  wrote(frame: string | Uint8Array, handle: NativeHandle | null): void;
  /** Bytes (borrowed) have arrived, and perhaps a handle (borrowed) with them. */
  read(chunk: Uint8Array, handle: NativeHandle | null): void;
}

/** Begins to observe. False if the target has no channel of Node's, or its pipe cannot be observed. */
export function observeNodesChannel(target: object, observer: ChannelObserver): boolean {
  const symbol = NativeObject.getOwnPropertySymbols(target).find((own) => own.description === 'kChannelHandle');
  const pipe: any = symbol === undefined ? undefined : (target as any)[symbol];
  if (pipe === undefined || pipe === null || typeof pipe.onread !== 'function' || streamBaseState === undefined) return false;
  for (const name of ['writeUtf8String', 'writeBuffer']) {
    const write = pipe[name];
    pipe[name] = function (request: unknown, frame: string | Uint8Array, handle: NativeHandle | undefined, ...rest: unknown[]): unknown {
      observer.wrote(frame, handle ?? null);
      return Reflect.apply(write, this, [request, frame, handle, ...rest]);
    };
  }
  const { onread } = pipe;
  pipe.onread = function (buffer: ArrayBuffer | undefined): unknown {
    const count = streamBaseState[kReadBytesOrError];
    if (buffer !== undefined && count > 0) observer.read(new Uint8Array(buffer, streamBaseState[kArrayBufferOffset], count), pipe.pendingHandle ?? null);
    return Reflect.apply(onread, this, [buffer]);
  };
  return true;
}
