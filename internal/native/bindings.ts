/**
 * The native stream classes of Node, libuv's error numbers, and the version of Node.
 *
 * Only the files of this directory use what Node does not document: classes behind `process.binding`, the `_handle` of
 * sockets and servers, the native spawn, properties with an underscore or behind a private symbol. A new version of
 * Node may move any of these; then only this directory has to change. The rest of the project calls its functions.
 *
 *   bindings.ts       the native classes, error numbers, the version of Node
 *   pipes.ts          open, read and write a pipe that carries fds
 *   spawning.ts       start a child process that has one more pipe
 *   handles.ts        the kind of a handle; take the handle out of a socket
 *   bound_sockets.ts  `net.BoundSocket`
 *   servers.ts        the connections that a server counts; hold back its 'close'
 *   listening.ts      bind, listen, pause accepting
 *   process_end.ts    the members of `process` that end it
 *   emitters.ts       the listeners of an EventEmitter
 *   http.ts           the response that an HTTP connection is writing
 *   idle_connections.ts  the HTTP connections between two requests; take a handle out of one, put it back
 *   node_channels.ts  observe a channel of Node's own
 *   debugging.ts      start the inspector of another process
 *
 * Owns     nothing. A handle that is passed in stays the caller's, and a returned one becomes the caller's, unless the
 *          function says *transferred*.
 * Never    imports any other file of this project than builtins.ts. Never copies Node's code: the directory uses facts
 *          about Node's interface, and test/unit/native.test.ts checks each of them
 * Node     20, 22, 24 and 26. Where they differ, the comment of the function says how.
 */
import { NativeObject, Number } from '../builtins';

/** A native libuv handle: long-lived, owns one fd until `close`. */
export interface NativeHandle {
  readonly fd?: number;
  close(closed?: () => void): void;
  ref(): void;
  unref(): void;
  hasRef?(): boolean;
}

/** A listening or bound native handle; what `net.Server` holds. */
export interface ListeningHandle extends NativeHandle {
  onconnection: ((errno: number, connection: NativeHandle) => void) | null;
  listen?(backlog: number): number;
  getsockname?(out: object): number;
}

/** A native pipe. The functions of pipes.ts read from it and write to it. */
export interface NativePipe extends NativeHandle {
  readonly writeQueueSize: number;
}

// With --pending-deprecation `process.binding` prints a warning, about our call, which the app's author cannot change.
// So deprecation warnings are off during the call. Under --no-deprecation they are off already, and the property
// `noDeprecation` cannot be written.
function binding(name: string): any {
  const quiet = process as { noDeprecation?: boolean };
  if (quiet.noDeprecation === true) return (process as any).binding(name);
  const before = NativeObject.getOwnPropertyDescriptor(process, 'noDeprecation');
  quiet.noDeprecation = true;
  try {
    return (process as any).binding(name);
  } finally {
    if (before === undefined) delete quiet.noDeprecation;
    else NativeObject.defineProperty(process, 'noDeprecation', before);
  }
}

/**
 * The native stream classes; null where Node's permission model denies `process.binding`. Without them no channel of
 * ours can be opened. Everything else in this directory works without them, too.
 */
const natives: any = nativeStreams();
/** May this process open a channel of ours? */
export const canOpenChannels: boolean = natives !== null;
/** The native classes, and the constants of a native stream; each is undefined where the permission model denies them. */
export const {
  Pipe, TCP, UDP, pipeConstants, WriteWrap, streamBaseState, kReadBytesOrError, kArrayBufferOffset, kLastWriteWasAsync,
} = natives ?? {};

function nativeStreams(): any {
  try {
    const { Pipe, constants } = binding('pipe_wrap');
    return { Pipe, pipeConstants: constants, TCP: binding('tcp_wrap').TCP, UDP: binding('udp_wrap').UDP, ...binding('stream_wrap') };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_ACCESS_DENIED') throw error;
    return null;
  }
}

/** Does the permission model deny this process to listen? Since Node 25 it can (`--allow-net`); before, it always allows it. */
export const isNetDenied = (): boolean =>
  !canOpenChannels && process.allowedNodeEnvironmentFlags.has('--allow-net') && (process as any).permission?.has('net') === false;

// libuv's error numbers on Linux.

/** The other end has closed the stream. */
export const UV_EOF = -4095;
/** An argument is not valid, for example an address. */
export const UV_EINVAL = -22;
/** The address is in use. */
export const UV_EADDRINUSE = -98;
/** The process has no right to do that. */
export const UV_EACCES = -13;
/** The process, or a worker's share of it, has no fd left. */
export const UV_EMFILE = -24;

/** A bit of the `flags` of a query: bind to IPv6 only. */
export const UV_TCP_IPV6ONLY = 1;

/** The major version of the Node that this runs on. */
export const nodeMajor = Number.parseInt(process.versions.node, 10);
