/**
 * fd ⇄ object. What an app may send beside a message, what of it crosses the pipe, and how the
 * receiver builds the same kind of object around the fd that arrived.
 *
 * Owns     a socket that was sent without `keepOpen`, or a bound one, from `prepare` on: its object is
 *          empty, the native handle is ours until `release`, which closes it. All other handles are
 *          borrowed: the pipe copies their fd and the sender keeps using them.
 * Used by  channel.ts
 * Never    reads from a socket; never closes what is borrowed
 * Wire     { cmd: 'NODE_HANDLE', type, msg, key?, dgramType? } and one fd
 * Node     the conversion table of lib/internal/child_process.js. A handle that only looks native
 *          (the faux handle of a round-robin server, a TLS socket) ends the process with a
 *          segmentation fault there (W-24); here it is ERR_INVALID_HANDLE_TYPE (D8).
 */
import type { Socket as DatagramSocket } from 'node:dgram';
import type { Server, Socket } from 'node:net';
import { invalidHandleType } from '../errors';
import type { NativeHandle } from '../native/bindings';
import { boundSocketOn, detachBoundSocket, hasBoundSockets, isSendableBoundSocket, type BoundSocket } from '../native/bound_sockets';
import { datagramHandleOf, datagramType, detachSocket, handleOf, isPipe, isTcp, isUdp } from '../native/handles';
import { serverOf } from '../native/servers';

/** How an envelope names what it carries. */
export type HandleType = 'net.Socket' | 'net.Server' | 'net.BoundSocket' | 'net.Native' | 'dgram.Socket' | 'dgram.Native';

/** What `send` takes beside a message. */
export type SendHandle = Socket | Server | BoundSocket | DatagramSocket | NativeHandle;

/** The message that carries a handle: the app's own one is inside. */
export interface Envelope {
  cmd: 'NODE_HANDLE';
  type: HandleType;
  msg: unknown;
  key?: string;
  dgramType?: 'udp4' | 'udp6';
}

/** A handle ready to be written: its fd, and how to let go of it. */
export interface Outgoing {
  /** Was it taken from its owner? Then it is ours to send again, and ours to close. */
  readonly owned: boolean;
  readonly native: NativeHandle;
  /** Called when the receiver has the fd, or will never have it. */
  release(): void;
}

/** The facts about a handle, read before the handle is taken from its owner. */
export interface Prepared {
  readonly envelope: Envelope;
  /** The server that goes on counting a socket that was sent. */
  readonly countedBy: Server | undefined;
  /** Takes it, once the envelope could be encoded; null where there is nothing to send any more: the message then goes alone, as in Node. */
  take(): Outgoing | null;
}

const nothing = (): void => {};

/** What kind of handle this is. Throws ERR_INVALID_HANDLE_TYPE for everything that cannot be sent. */
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

/** Makes `handle` ready to be sent with `message`; nothing is taken yet. With `keepOpen` a socket stays in its owner's hands. */
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
      // One that is not sent is of no use: `keepOpen` changes nothing.
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

/** Is this the envelope of a handle that we know how to build? */
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
 * Builds the object that the sender meant around `native` (transferred) and gives it to `deliver`,
 * at once or, for a server, when it listens. An fd of another kind than the envelope says is closed
 * and reported to `fail`, and so is one around which nothing can be built: the app may have replaced
 * `net.Socket` or `listen`. What `deliver` throws goes through.
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

/** A server is delivered by itself. */
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
    case 'net.BoundSocket':
      return boundSocketOn(native);
    case 'dgram.Socket': {
      const { createSocket } = require('node:dgram') as typeof import('node:dgram');
      const socket = createSocket(dgramType as 'udp4' | 'udp6');
      socket.bind(native as never, () => undefined);
      return socket;
    }
    case 'net.Socket': {
      const { Socket } = require('node:net') as typeof import('node:net');
      // `handle` is the documented constructor's unlisted option that every native connection takes.
      const options = { handle: native, readable: true, writable: true };
      return new Socket(options);
    }
    default:
      return native;
  }
}
