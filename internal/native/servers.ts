/**
 * What a `net.Server` counts, and when it may emit 'close'.
 *
 * Used by  channel/socket_lists.ts, child/deliveries.ts, child/open_counts.ts
 * Never    imports anything of this project but builtins.ts and this directory; bindings.ts says more
 */
import type { Server, Socket } from 'node:net';
import { NativeObject } from '../builtins';

/** The server that accepted this socket, and the name under which it counts sent sockets. */
export function serverOf(socket: Socket): { server: Server; key: string } | null {
  const { server } = socket as any;
  return server ? { server, key: server._connectionKey } : null;
}

/** The part of a count that another process holds: what `net.Server` asks in getConnections and close. */
export interface RemoteCount {
  getConnections(counted: (error: Error | null, count: number) => void): void;
  close(closed: (error: Error | null) => void): void;
  /** 'exit', with the count itself, when that process is gone. */
  once(event: 'exit', gone: (count: RemoteCount) => void): this;
}

/**
 * Lets a server count and await sockets that another process holds. Node leaves a server in this
 * mode for good, in which neither method answers once all such processes are gone (I-53, D21).
 */
export function countElsewhere(server: Server, count: RemoteCount): void {
  const owner = server as any;
  owner._setupWorker(count);
  count.once('exit', () => {
    if (owner._workers.length === 0) owner._usingWorkers = false;
  });
}

/**
 * Keeps a server from emitting 'close', though it may be closed and have no connections. The function that is
 * returned lets it, and makes up for what it has held back. Node asks by this method whenever one of both changes.
 */
export function holdClose(server: object): () => void {
  const held = server as any;
  const own = NativeObject.getOwnPropertyDescriptor(held, '_emitCloseIfDrained');
  let asked = false;
  const value = (): void => { asked = true; };
  NativeObject.defineProperty(held, '_emitCloseIfDrained', { value, configurable: true, writable: true, enumerable: false });
  return () => {
    if (own === undefined) delete held._emitCloseIfDrained;
    else NativeObject.defineProperty(held, '_emitCloseIfDrained', own);
    if (asked) held._emitCloseIfDrained?.();
  };
}

/** How many connections this process has of a server. Node's `getConnections` asks other processes as well, and answers later. */
export function openConnections(server: object): number {
  return (server as any)._connections ?? 0;
}
