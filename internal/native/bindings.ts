/**
 * Node's private surface, which only this directory touches: the native stream classes behind
 * `process.binding`, the `_handle` of sockets and servers, the native spawn, and every property that
 * Node does not document. Whatever a new Node version may move is here; the rest of the project sees
 * the exported functions.
 *
 *   bindings.ts       the native classes, error numbers, and which Node this is
 *   pipes.ts          open, read and write a pipe that carries fds
 *   spawning.ts       give a child one pipe more
 *   handles.ts        which kind a handle is; handle ⇄ socket
 *   bound_sockets.ts  `net.BoundSocket`
 *   servers.ts        what a server counts, and when it may emit 'close'
 *   listening.ts      bind, listen, pause accepting
 *   process_end.ts    the members of `process` that end it
 *   emitters.ts, http.ts, debugging.ts  one fact each
 *
 * Owns     nothing. A handle that is passed in stays the caller's; one that is returned is the
 *          caller's too. Each function says whether it *borrows* or *transfers* one.
 * Never    imports anything of this project but builtins.ts; never copies Node's code: these are facts
 *          about its interface, each held by a test in test/unit/native.test.ts
 * Node     works alike on 20, 22, 24 and 26; where they differ, the function says how.
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

/** A native pipe. Opaque: the functions below read from it and write to it. */
export interface NativePipe extends NativeHandle {
  readonly writeQueueSize: number;
}

// process.binding is deprecated in documentation only; with --pending-deprecation it would print a
// warning about our call, which tells the app's author nothing. Under --no-deprecation the property
// is there already, and cannot be written.
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
 * The native streams: of Node's private surface, which the permission model denies to all but Node itself.
 * Without them there is no channel of ours; everything else in this file works.
 */
const natives: any = nativeStreams();
/** May this process open a channel of ours? */
export const canOpenChannels: boolean = natives !== null;
/** The native classes, and the numbers of a stream; undefined where they are denied. */
export const { Pipe, TCP, UDP, pipeConstants, WriteWrap, streamBaseState, kReadBytesOrError, kLastWriteWasAsync } = natives ?? {};

function nativeStreams(): any {
  try {
    const { Pipe, constants } = binding('pipe_wrap');
    return { Pipe, pipeConstants: constants, TCP: binding('tcp_wrap').TCP, UDP: binding('udp_wrap').UDP, ...binding('stream_wrap') };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_ACCESS_DENIED') throw error;
    return null;
  }
}

/** Is this process denied to listen? From 25 on the permission model asks; before, net is no right of its own. */
export const isNetDenied = (): boolean =>
  !canOpenChannels && process.allowedNodeEnvironmentFlags.has('--allow-net') && (process as any).permission?.has('net') === false;

/** libuv's numbers for what goes wrong, on Linux. */
export const UV_EOF = -4095;
/** An address that cannot be one. */
export const UV_EINVAL = -22;
/** An address that is taken. */
export const UV_EADDRINUSE = -98;
/** No right to do that. */
export const UV_EACCES = -13;
/** No more fds, of the process or of a worker's share. */
export const UV_EMFILE = -24;

/** The flag bit of a query that says IPv6 only. */
export const UV_TCP_IPV6ONLY = 1;

/** The major version of the Node that this runs on. */
export const nodeMajor = Number.parseInt(process.versions.node, 10);
