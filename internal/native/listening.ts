/**
 * Binds addresses, listens, stops and starts accepting.
 *
 * Used by  master/, child/
 * Never    imports anything of this project but builtins.ts and this directory; bindings.ts says more
 */
import { fstatSync, readFileSync } from 'node:fs';
import type { Server } from 'node:net';
import { NativeObject, Number } from '../builtins';
import { type ListeningHandle, type NativeHandle, UDP, UV_EINVAL } from './bindings';
import { datagramHandleOf } from './handles';

/**
 * Makes the handle that `server` is going to listen on one that can be told to stop accepting. Call it
 * before `listen`. libuv lets only a readable stream start and stop reading, and takes one that was
 * opened on an fd for readable; a bound handle opened on its own fd is that, and the same as before.
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

/** Accepts from now on, or leaves what comes in the kernel's backlog. For a handle that `makePausable` has seen. */
export function setAccepting(handle: ListeningHandle, accepting: boolean): void {
  const native = handle as any;
  // The first stop needs a start: libuv does not know yet that it reads.
  native.readStart();
  if (!accepting) native.readStop();
}

/** Takes the listening handle out of a server: the server is an empty shell afterwards, the handle the caller's. */
export function takeListeningHandle(server: Server): ListeningHandle {
  const shell = server as any;
  const handle = shell._handle as ListeningHandle;
  shell._handle = null;
  handle.onconnection = null;
  return handle;
}

/** A TCP or pipe handle, bound and not listening, or a negative errno. */
export function bindStream(
  address: string | null, port: number, addressType: number | null, fd: number | undefined, flags: number | undefined,
): ListeningHandle | number {
  if (port > HIGHEST_PORT || !Number.isInteger(port) || address === '') return UV_EINVAL;
  const net = require('node:net') as any;
  let handle: ListeningHandle | number;
  try {
    handle = net._createServerHandle(address, port, addressType, fd, flags);
  } catch {
    return UV_EINVAL; // A combination that no `listen` asks for, like an fd with an address.
  }
  if (typeof handle === 'number') return handle;
  // That a port is taken libuv says only when the handle is asked for its name, or listened on.
  const name = socketName(handle);
  if (typeof name !== 'number') return handle;
  handle.close();
  return name;
}

const HIGHEST_PORT = 65535;

/** A bound UDP handle, or a negative errno. With `fd` an inherited socket, which it owns from then on. */
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

/** The class of native UDP handles, where the binding that has it is denied. */
function datagramClass(): any {
  const socket = (require('node:dgram') as typeof import('node:dgram')).createSocket('udp4');
  const { constructor } = datagramHandleOf(socket) as object;
  socket.close();
  return constructor;
}

/**
 * Is this fd a UDP socket? libuv opens whatever it is given, and closes it afterwards, so the kernel is
 * asked first. It lists bound sockets only; one that is not bound receives nothing anyway.
 */
function isUdpFd(fd: number): boolean {
  try {
    const socket = fstatSync(fd);
    const listed = new RegExp(` ${socket.ino} \\d+ [0-9a-f]+ \\d+\\s*$`, 'm');
    return socket.isSocket() && ['udp', 'udp6'].some((table) => listed.test(readFileSync(`/proc/self/net/${table}`, 'utf8')));
  } catch {
    return false; // No such fd, or no right to ask.
  }
}

/** The local name of a handle, or a negative errno; null for a handle that has none (a pipe). */
export function socketName(handle: ListeningHandle): { address: string; family: string; port: number } | number | null {
  if (typeof handle.getsockname !== 'function') return null;
  const name = {} as { address: string; family: string; port: number };
  const errno = handle.getsockname(name);
  return errno ? errno : name;
}

/** The remote address of a connection; nothing where it has none (a unix socket, a client that has gone). */
export function peerName(connection: NativeHandle): { remoteAddress?: string; remotePort?: number } {
  const native = connection as any;
  const name = {} as { address?: string; port?: number };
  if (typeof native.getpeername !== 'function' || native.getpeername(name) !== 0) return {};
  return { remoteAddress: name.address as string, remotePort: name.port as number };
}
