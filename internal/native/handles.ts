/**
 * The kind of a native handle, the object that owns it, how to take the handle out of a socket, and how to make a socket
 * of a handle.
 *
 * Used by  listening.ts, idle_connections.ts, channel/handles.ts, channel/incoming.ts, child/listening.ts, child/close_handles.ts,
 *          master/inherited_fds.ts, master/inherited_sockets.ts, operate/metrics/health_server.ts, recording/sockets.ts
 * Never    imports any other file of this project than builtins.ts and files of this directory (see bindings.ts)
 */
import type { Socket as DatagramSocket } from 'node:dgram';
import type { Server, Socket } from 'node:net';
import { NativeObject, Set } from '../builtins';
import { type NativeHandle, Pipe, TCP, UDP } from './bindings';

/** Is this a native TCP handle, listening or connected? */
export const isTcp = (handle: unknown): handle is NativeHandle => isOf(handle, TCP, 'TCP');
/** Is this a native handle of a unix socket? */
export const isPipe = (handle: unknown): handle is NativeHandle => isOf(handle, Pipe, 'Pipe');
/** Is this a native UDP handle? */
export const isUdp = (handle: unknown): handle is NativeHandle => isOf(handle, UDP, 'UDP');

const isOf = (handle: unknown, of: any, name: string): boolean =>
  (of === undefined ? (handle as any)?.constructor?.name === name : handle instanceof of);

/** The native handle of a socket or server (borrowed); null if it has none. */
export function handleOf(object: Socket | Server): NativeHandle | null {
  return (object as any)._handle ?? null;
}

/** The server or socket that uses this handle; null if none does. */
export function ownerOf(handle: NativeHandle): { close?(closed: () => void): void } | null {
  const symbol = NativeObject.getOwnPropertySymbols(handle).find((own) => own.description === 'owner_symbol');
  return symbol ? (handle as any)[symbol] ?? null : null;
}

/** Makes a server listen on a native handle (transferred) that listens already. `listen` takes a native handle, which is not documented. */
export function listenOnHandle(server: Server, handle: NativeHandle): void {
  server.listen(handle as any);
}

/** The native handle of a dgram socket (borrowed). Node keeps it in an object behind a private symbol. */
export function datagramHandleOf(socket: DatagramSocket): NativeHandle | null {
  const symbol = NativeObject.getOwnPropertySymbols(socket).find((own) => own.description === 'state symbol');
  return symbol ? (socket as any)[symbol]?.handle ?? null : null;
}

/** 'udp4' or 'udp6'. */
export function datagramType(socket: DatagramSocket): 'udp4' | 'udp6' {
  return (socket as any).type;
}

/**
 * Takes the native handle (transferred) out of a socket, so that another process can read the connection. Afterwards the
 * socket has no handle, no timer and no HTTP parser, and its server does not count it.
 */
export function detachSocket(socket: Socket): NativeHandle | null {
  const owner = socket as any;
  const handle: NativeHandle | null = owner._handle ?? null;
  if (handle === null) return null;
  socket.setTimeout(0);
  if (owner.parser) releaseParser(owner);
  if (owner.server) owner.server._connections--;
  (handle as any).onread = () => {};
  owner._handle = null;
  return handle;
}

/** Takes the HTTP parser off a socket. The parser reads from the native handle directly, past the socket. */
function releaseParser(socket: any): void {
  const { parser } = socket;
  if (typeof parser.unconsume === 'function') parser.unconsume();
  parser.remove?.();
  socket.parser = null;
}

/** Makes a net.Socket of a connected native handle (transferred). Its constructor has an option `handle`, which is not documented. */
export function socketOn(handle: NativeHandle): Socket {
  const { Socket } = require('node:net') as any;
  return new Socket({ handle, readable: true, writable: true });
}

/** Makes a dgram socket of a bound native handle (transferred). `bind` takes a native handle, which is not documented. */
export function datagramSocketOn(handle: NativeHandle, type: 'udp4' | 'udp6'): DatagramSocket {
  const { createSocket } = require('node:dgram') as any;
  const socket = createSocket(type);
  socket.bind(handle, () => undefined);
  return socket;
}

/** The fds of the handles that keep this process running, from Node's own list. */
export function ownFds(): Set<number> {
  const objects: any[] = (process as any)._getActiveHandles?.() ?? [];
  return new Set(objects.flatMap((object) => {
    const handle = object._handle ?? object;
    return typeof handle.fd === 'number' && handle.fd >= 0 ? [handle.fd as number] : [];
  }));
}
