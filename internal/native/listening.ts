/**
 * Binds addresses, listens, stops and starts accepting.
 *
 * Used by  child/accept_pause.ts, master/acceptor.ts, master/begin_listening.ts, master/handover.ts,
 *          master/inherited_sockets.ts, master/round_robin_handle.ts, master/scheduling.ts, master/shared_handle.ts
 * Never    imports any other file of this project than builtins.ts and files of this directory (see bindings.ts)
 */
import { fstatSync, lstatSync, readFileSync, unlinkSync } from 'node:fs';
import path from 'node:path';
import type { Server } from 'node:net';
import { NativeObject, Number, Reflect } from '../builtins';
import { type ListeningHandle, type NativeHandle, UDP, UV_EINVAL } from './bindings';
import { datagramHandleOf, isPipe, isTcp, ownerOf } from './handles';

/**
 * Prepares `server` so that `setAccepting` can stop and start its handle. Call it before `listen`. libuv stops and starts
 * only a stream that it knows as readable, and it takes each stream that was opened from an fd for readable. So the
 * bound handle is opened once more, from its own fd; nothing else about it changes.
 */
export function makePausable(server: Server): void {
  let handle: any = null;
  NativeObject.defineProperty(server, '_handle', {
    configurable: true,
    enumerable: true,
    get: () => handle,
    set(bound: any) {
      handle = bound;
      if (bound !== null && bound.fd >= 0) bound.open(bound.fd);
    },
  });
}

/**
 * Starts or stops accepting. While it is stopped, connections wait in the kernel's backlog, and the handle does not keep the
 * process alive. Needs `makePausable` before, unless the handle came from another process: then it was opened from an fd.
 */
export function setAccepting(handle: ListeningHandle, accepting: boolean): void {
  const native = handle as any;
  // Start first, even to stop: libuv ignores a stop before the first start.
  native.readStart();
  if (!accepting) native.readStop();
}

/**
 * Gives a connection (transferred) to a server, as its listening socket does: calls what `net` has set as `onconnection`. In
 * that a getter of the app's server can throw (`maxConnections`) before a socket has the connection. Then it is closed here:
 * nobody else would close it, and its client would hang, as it does under Node.
 */
export function passToServer(listening: ListeningHandle, onconnection: ListeningHandle['onconnection'], errno: number, connection: NativeHandle): void {
  let isPassed = false;
  try {
    onconnection?.call(listening, errno, connection);
    isPassed = true;
  } finally {
    if (!isPassed && errno === 0 && ownerOf(connection) === null) connection.close();
  }
}

/** The backlog where a query names none: Node's own. */
const BACKLOG = 511;

/**
 * Begins to listen on a bound handle that came from another process (borrowed), and accepts nothing until
 * `setAccepting`. Returns it, or a negative errno.
 */
export function listenOn(handle: NativeHandle, backlog: number | false | null | undefined): ListeningHandle | number {
  const listening = handle as any;
  if (typeof listening.listen !== 'function') return UV_EINVAL;
  const errno: number = listening.listen(backlog || BACKLOG);
  if (errno) return errno;
  listening.onconnection = null;
  setAccepting(listening, false);
  return listening as ListeningHandle;
}

/**
 * Removes the file of a listening unix socket when its handle is closed, as libuv does for a socket that it has bound itself.
 * A file that has replaced it meanwhile stays. An abstract socket has no file.
 */
export function removeWhenClosed(handle: NativeHandle, address: string): void {
  if (address === '' || address.startsWith('\0')) return;
  const file = path.resolve(address);
  const inode = inodeOf(file);
  const native = handle as any;
  const { close } = native;
  native.close = (...given: any[]): void => {
    Reflect.apply(close, native, given);
    if (inode === null || inodeOf(file) !== inode) return;
    try {
      unlinkSync(file);
    } catch {
      // This user may not remove it: libuv says nothing then, either.
    }
  };
}

/** The inode of this file; null if it is not there, or if this user may not look. */
function inodeOf(file: string): number | null {
  try {
    return lstatSync(file).ino;
  } catch {
    return null;
  }
}

/** From now on `close` of this handle closes nothing: it stops accepting, and calls `closed`. The fd stays open until the process ends. */
export function keepOpen(handle: NativeHandle, closed: () => void): void {
  const native = handle as any;
  native.close = (done?: () => void): void => {
    if (typeof native.onconnection === 'function') setAccepting(native, false);
    native.onconnection = null;
    native.unref();
    closed();
    if (done !== undefined) process.nextTick(done);
  };
}

/** Takes the listening handle (transferred) out of a server. The server has no handle afterwards. */
export function takeListeningHandle(server: Server): ListeningHandle {
  const shell = server as any;
  const handle = shell._handle as ListeningHandle;
  shell._handle = null;
  handle.onconnection = null;
  return handle;
}

/** Binds a TCP or pipe handle, without listening. Returns it (transferred), or a negative errno. */
export function bindStream(
  address: string | null, port: number, addressType: number | null, fd: number | undefined, flags: number | undefined,
): ListeningHandle | number {
  if (port > HIGHEST_PORT || !Number.isInteger(port) || address === '') return UV_EINVAL;
  const net = require('node:net') as any;
  let handle: ListeningHandle | number;
  try {
    handle = net._createServerHandle(address, port, addressType, fd, flags);
  } catch {
    return UV_EINVAL; // Node throws for combinations that no `listen` makes, for example an fd with an address.
  }
  if (typeof handle === 'number') return handle;
  // libuv reports a port in use not at the bind, but when the handle is asked for its name, or listens.
  const name = socketName(handle);
  if (typeof name !== 'number') return handle;
  handle.close();
  return name;
}

/** The highest port number of TCP and UDP. */
const HIGHEST_PORT = 65535;

/** Binds a UDP handle. Returns it (transferred), or a negative errno. With `fd` it opens an inherited socket and owns it. */
export function bindDatagram(
  address: string | null, port: number | null, type: 'udp4' | 'udp6', fd: number | undefined, flags: number | null | undefined,
): NativeHandle | number {
  if (fd !== undefined && fd > 0 && !isUdpFd(fd)) return UV_EINVAL;
  const handle = new (UDP ?? datagramClass())();
  let errno: number;
  if (fd !== undefined && fd > 0) errno = handle.open(fd);
  else if (type === 'udp6') errno = handle.bind6(address || '::', port || 0, flags || 0);
  else errno = handle.bind(address || '0.0.0.0', port || 0, flags || 0);
  if (errno) {
    handle.close();
    return errno;
  }
  return handle;
}

/** The class of native UDP handles where the permission model denies the binding: taken from a dgram socket. */
function datagramClass(): any {
  const socket = (require('node:dgram') as typeof import('node:dgram')).createSocket('udp4');
  const { constructor } = datagramHandleOf(socket) as object;
  socket.close();
  return constructor;
}

/**
 * Is this fd a bound UDP socket? libuv would open any fd and close it later, so this function asks the kernel first,
 * which lists bound UDP sockets in /proc.
 */
function isUdpFd(fd: number): boolean {
  try {
    const socket = fstatSync(fd);
    const listed = new RegExp(` ${socket.ino} \\d+ [0-9a-f]+ \\d+\\s*$`, 'm');
    return socket.isSocket() && ['udp', 'udp6'].some((table) => listed.test(readFileSync(`/proc/self/net/${table}`, 'utf8')));
  } catch {
    return false; // There is no such fd, or this process may not read /proc.
  }
}

/** The local address of a handle, or a negative errno; null for a pipe, which has no such address. */
export function socketName(handle: NativeHandle & Pick<Partial<ListeningHandle>, 'getsockname'>): { address: string; family: string; port: number } | number | null {
  if (typeof handle.getsockname !== 'function') return null;
  const name = {} as { address: string; family: string; port: number };
  const errno = handle.getsockname(name);
  return errno ? errno : name;
}

/** The remote address of a connection; an empty object if there is none (a unix socket, a client that has gone). */
export function peerName(connection: NativeHandle): { remoteAddress?: string; remotePort?: number } {
  const native = connection as any;
  const name = {} as { address?: string; port?: number };
  if (typeof native.getpeername !== 'function' || native.getpeername(name) !== 0) return {};
  return { remoteAddress: name.address as string, remotePort: name.port as number };
}

/**
 * Is this a connection that came in at a listening socket of this address? `at`: as `socketName` returned it for that
 * socket; null: a unix socket. False if the client has gone, and for a listening socket.
 */
export function isConnectionTo(handle: NativeHandle, at: { readonly port: number } | null): boolean {
  if (at === null) return isPipe(handle);
  if (!isTcp(handle)) return false;
  const name = socketName(handle as ListeningHandle);
  return typeof name === 'object' && name?.port === at.port && peerName(handle).remotePort !== undefined;
}
