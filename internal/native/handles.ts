/**
 * Which kind a native handle is, whose it is, and how a socket gives its handle away.
 *
 * Used by  channel/, master/, child/
 * Never    imports anything of this project but builtins.ts and this directory; bindings.ts says more
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

/** The native handle of a socket or server (borrowed), or null where it has none. */
export function handleOf(object: Socket | Server): NativeHandle | null {
  return (object as any)._handle ?? null;
}

/** The server or socket that has taken this handle as its own; null for one that nobody took. */
export function ownerOf(handle: NativeHandle): { close?(closed: () => void): void } | null {
  const symbol = NativeObject.getOwnPropertySymbols(handle).find((own) => own.description === 'owner_symbol');
  return symbol ? (handle as any)[symbol] ?? null : null;
}

/** The native handle of a dgram socket (borrowed); Node keeps it behind a symbol, on 26 only there. */
export function datagramHandleOf(socket: DatagramSocket): NativeHandle | null {
  const symbol = NativeObject.getOwnPropertySymbols(socket).find((own) => own.description === 'state symbol');
  return symbol ? (socket as any)[symbol]?.handle ?? null : null;
}

/** 'udp4' or 'udp6'. */
export function datagramType(socket: DatagramSocket): 'udp4' | 'udp6' {
  return (socket as any).type;
}

/**
 * Takes a socket out of the hands of whoever reads it here, so that another process can: no timer,
 * no HTTP parser, no handle, no longer counted by its server. The handle is transferred to the caller.
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

/** An HTTP parser reads straight from the native handle; without it the socket is a plain one again. */
function releaseParser(socket: any): void {
  const { parser } = socket;
  if (typeof parser.unconsume === 'function') parser.unconsume();
  parser.remove?.();
  socket.parser = null;
}

/** The fds of the handles that this program holds, by Node's list: of those that keep it running. */
export function ownFds(): Set<number> {
  const objects: any[] = (process as any)._getActiveHandles?.() ?? [];
  return new Set(objects.flatMap((object) => {
    const handle = object._handle ?? object;
    return typeof handle.fd === 'number' && handle.fd >= 0 ? [handle.fd as number] : [];
  }));
}
