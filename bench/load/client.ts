/**
 * A client connection, as cheap as Node can make it: it uses the native TCP handle directly, without net.Socket
 * and its streams. A load generator that costs as much as the servers would measure itself.
 *
 * Owns     the handle of each connection, closed when the server has ended it, or at an error
 * Used by  bench/load/modes.ts, bench/load/tolerant.ts
 * Never    closes a connection first, unless the caller gives up: the server does, so that no port stays in TIME_WAIT
 */

/** The part of Node's private interface that this file uses. */
interface NativeSocket {
  bind(address: string, port: number): number;
  connect(request: object, address: string, port: number): number;
  writeLatin1String(request: object, text: string): number;
  readStart(): number;
  close(): void;
  onread: (bytes: ArrayBuffer | undefined) => void;
}
interface Binding {
  TCP: new (type: number) => NativeSocket;
  TCPConnectWrap: new () => { oncomplete: (status: number) => void };
  WriteWrap: new () => { oncomplete: (status: number) => void };
  streamBaseState: Int32Array;
  kReadBytesOrError: number;
}

process.noDeprecation = true;
const binding = (name: string): Binding => (process as unknown as { binding(name: string): Binding }).binding(name);
const { TCP, TCPConnectWrap } = binding('tcp_wrap');
const { WriteWrap, streamBaseState, kReadBytesOrError } = binding('stream_wrap');
const SOCKET = 0;
const UV_EOF = -4095;

/** Where to connect, and what to send. */
export interface Target {
  readonly port: number;
  /** Sent once connected; nothing if absent. */
  readonly request?: string | undefined;
  /** How many client addresses take turns, from 127.0.1.1 on; without it the kernel chooses the address. */
  readonly sources?: number | undefined;
  /** Is the text of the answer wanted? */
  readonly text?: boolean | undefined;
}

let opened = 0;

/**
 * Opens a connection and reads it to its end. Then calls `done`: with null, or after a failure with a negative errno or a
 * text; and with what it has read, if that is wanted. Returns a function that gives up: `done` is not called after it.
 */
export function exchange(target: Target, done: (failure: number | string | null, read: string) => void): () => void {
  const handle = new TCP(SOCKET);
  let bytes = 0;
  let read = '';
  let over = false;
  const close = (): void => {
    if (!over) handle.close();
    over = true;
  };
  const end = (failure: number | string | null): void => {
    if (over) return;
    close();
    done(failure, read);
  };
  if (target.sources !== undefined) {
    const errno = handle.bind(`127.0.1.${1 + (opened++ % target.sources)}`, 0);
    if (errno) {
      end(errno);
      return close;
    }
  }
  handle.onread = (chunk) => {
    const count = streamBaseState[kReadBytesOrError] as number;
    if (chunk !== undefined && count > 0) {
      bytes += count;
      if (target.text) read += Buffer.from(chunk, 0, count).toString('latin1');
    } else if (count === UV_EOF) end(bytes > 0 ? null : 'the server ended a connection without an answer');
    else if (count < 0) end(count);
  };
  const connecting = new TCPConnectWrap();
  connecting.oncomplete = (status) => {
    if (over) return;
    if (status) return end(status);
    if (target.request !== undefined) {
      const writing = new WriteWrap();
      writing.oncomplete = () => {};
      const errno = handle.writeLatin1String(writing, target.request);
      if (errno) return end(errno);
    }
    handle.readStart();
  };
  const errno = handle.connect(connecting, '127.0.0.1', target.port);
  if (errno) end(errno);
  return close;
}
