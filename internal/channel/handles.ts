/**
 * fd ⇄ object: which objects an app may send with a message, how the sender takes the native handle out of such an
 * object, and how the receiver builds an object of the same kind around the fd that arrived.
 *
 * Owns     a socket that was sent without `keepOpen`, and a bound socket, from `take` on: the app's object is empty, and
 *          the native handle is ours until `release` closes it. All other handles are borrowed: the pipe copies the fd,
 *          and the sender keeps using its object
 * Used by  attach_channel.ts, channel.ts, channel_types.ts, handle_queue.ts, incoming.ts
 * Never    reads from a socket. Never closes a borrowed handle
 * Wire     { cmd: 'NODE_HANDLE', type, msg, key?, dgramType? } and one fd
 * Node     the conversion table of lib/internal/child_process.js. Some objects only look like a native handle (the faux
 *          handle of a round-robin server, a TLS socket). To send one ends a stock process with a segmentation fault
 *          (W-24); here it throws ERR_INVALID_HANDLE_TYPE (D8).
 */
import type { Socket as DatagramSocket } from 'node:dgram';
import type { Server, Socket } from 'node:net';
import { invalidHandleType } from '../errors';
import type { NativeHandle } from '../native/bindings';
import { boundSocketOn, detachBoundSocket, hasBoundSockets, isSendableBoundSocket, type BoundSocket } from '../native/bound_sockets';
import { datagramHandleOf, datagramSocketOn, datagramType, detachSocket, handleOf, isPipe, isTcp, isUdp, socketOn } from '../native/handles';
import { serverOf } from '../native/servers';

/** The names of the kinds of handles in an envelope. */
export type HandleType = 'net.Socket' | 'net.Server' | 'net.BoundSocket' | 'net.Native' | 'dgram.Socket' | 'dgram.Native';

/** The objects that `send` takes beside a message. */
export type SendHandle = Socket | Server | BoundSocket | DatagramSocket | NativeHandle;

/** The message that announces a handle. It contains the message of the app. */
export interface Envelope {
  cmd: 'NODE_HANDLE';
  type: HandleType;
  msg: unknown;
  key?: string;
  dgramType?: 'udp4' | 'udp6';
}

/** A received message that is marked as an envelope. `isKnownEnvelope` checks it. */
export interface UncheckedEnvelope {
  readonly type?: unknown;
  readonly msg?: unknown;
}

/** A native handle that is ready to be written. */
export interface Outgoing {
  /** Was it taken from the app's object? Then this process may send it again, and must close it. */
  readonly owned: boolean;
  readonly native: NativeHandle;
  /** Called when the receiver has the fd, or will never have it. */
  release(): void;
}

/** Facts about a handle, which are read before the handle is taken from its owner. */
export interface Prepared {
  readonly envelope: Envelope;
  /** The server that accepted this socket; it still counts the socket after it was sent. */
  readonly countedBy: Server | undefined;
  /** Takes the handle. Call it after the envelope was encoded. Null if the object has no handle any more; as in Node, the message is then sent without it. */
  take(): Outgoing | null;
}

const nothing = (): void => {};

/** The kind of a handle. Throws ERR_INVALID_HANDLE_TYPE for an object that cannot be sent. */
export function typeOf(handle: unknown): HandleType {
  if (isTcp(handle) || isPipe(handle)) return 'net.Native';
  if (isUdp(handle)) return 'dgram.Native';
  const net = require('node:net') as typeof import('node:net');
  if (handle instanceof net.Socket || handle instanceof net.Server) {
    const native = handleOf(handle);
    if (native !== null && !isTcp(native) && !isPipe(native)) throw invalidHandleType();
    return handle instanceof net.Socket ? 'net.Socket' : 'net.Server';
  }
  const dgram = require('node:dgram') as typeof import('node:dgram');
  if (handle instanceof dgram.Socket) return 'dgram.Socket';
  if (isSendableBoundSocket(handle)) return 'net.BoundSocket';
  throw invalidHandleType();
}

/** Prepares `handle` to be sent with `message`, without taking it from its owner. With `keepOpen` a socket is borrowed. */
export function prepare(type: HandleType, handle: SendHandle, message: unknown, keepOpen: boolean): Prepared {
  const envelope: Envelope = { cmd: 'NODE_HANDLE', type, msg: message };
  const prepared = (take: () => Outgoing | null, countedBy?: Server): Prepared => ({ envelope, countedBy, take });
  switch (type) {
    case 'net.Native':
    case 'dgram.Native':
      return prepared(() => borrowed(handle as NativeHandle));
    case 'net.Server':
      return prepared(() => borrowed(handleOf(handle as Server)));
    case 'net.BoundSocket':
      // As in Node, `keepOpen` has no effect on a bound socket.
      return prepared(() => owned(detachBoundSocket(handle as BoundSocket)));
    case 'dgram.Socket':
      envelope.dgramType = datagramType(handle as DatagramSocket);
      return prepared(() => borrowed(datagramHandleOf(handle as DatagramSocket)));
    case 'net.Socket': {
      const socket = handle as Socket;
      const accepted = serverOf(socket);
      if (accepted !== null) envelope.key = accepted.key;
      return prepared(() => (keepOpen ? borrowed(handleOf(socket)) : owned(detachSocket(socket))), accepted?.server);
    }
  }
}

const borrowed = (native: NativeHandle | null): Outgoing | null => (native === null ? null : { owned: false, native, release: nothing });
const owned = (native: NativeHandle | null): Outgoing | null => (native === null ? null : { owned: true, native, release: () => native.close() });

/** Is this the envelope of a handle that this version of Node can build? */
export function isKnownEnvelope(value: unknown): value is Envelope {
  if (typeof value !== 'object' || value === null) return false;
  const { type, dgramType } = value as Partial<Envelope>;
  switch (type) {
    case 'net.Socket': case 'net.Server': case 'net.Native': case 'dgram.Native': return true;
    case 'net.BoundSocket': return hasBoundSockets();
    case 'dgram.Socket': return dgramType === 'udp4' || dgramType === 'udp6';
    default: return false;
  }
}

/**
 * Builds the object that the envelope describes around `native` (transferred), and passes it to `deliver`: at once, or,
 * for a server, when it listens. The handle is closed and `fail` is called if the fd is of another kind than the
 * envelope says, or if the object cannot be built (the app may have replaced `net.Socket` or `listen`). An exception of
 * `deliver` is not caught.
 */
export function adopt(
  envelope: Envelope, native: NativeHandle, deliver: (handle: SendHandle) => void, fail: (error: Error) => void,
): void {
  const failed = (error: Error): void => {
    native.close();
    fail(error);
  };
  const datagram = isUdp(native);
  if (datagram !== envelope.type.startsWith('dgram.') || (envelope.type === 'net.BoundSocket' && !isTcp(native))) return failed(invalidHandleType());
  let built: SendHandle | null;
  try {
    built = envelope.type === 'net.Server' ? listenOn(native, deliver, failed) : objectOn(envelope, native);
  } catch (error) {
    return failed(error as Error);
  }
  if (built !== null) deliver(built);
}

/** Makes a server that listens on `native`, and delivers it later, when it listens. */
function listenOn(native: NativeHandle, deliver: (server: Server) => void, failed: (error: Error) => void): null {
  const { Server } = require('node:net') as typeof import('node:net');
  const server = new Server();
  server.once('error', failed);
  server.listen(native, () => {
    server.off('error', failed);
    deliver(server);
  });
  return null;
}

function objectOn({ type, dgramType }: Envelope, native: NativeHandle): SendHandle {
  switch (type) {
    case 'net.BoundSocket': return boundSocketOn(native);
    case 'dgram.Socket': return datagramSocketOn(native, dgramType as 'udp4' | 'udp6');
    case 'net.Socket': return socketOn(native);
    default: return native;
  }
}
