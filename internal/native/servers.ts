/**
 * The connections that a `net.Server` counts, here and in other processes, and how to hold back its event 'close'.
 *
 * Used by  channel/handles.ts, channel/socket_lists.ts, child/accept_pause.ts, child/deliveries.ts, child/open_counts.ts,
 *          child/returns.ts
 * Never    imports any other file of this project than builtins.ts and files of this directory (see bindings.ts)
 */
import type { Server, Socket } from 'node:net';
import { NativeObject } from '../builtins';

/** The server that accepted this socket, and the key under which that server counts sockets in other processes. */
export function serverOf(socket: Socket): { server: Server; key: string } | null {
  const { server } = socket as any;
  return server ? { server, key: server._connectionKey } : null;
}

/** The sockets of one server that another process has. `net.Server` calls these methods in getConnections and close. */
export interface RemoteCount {
  getConnections(counted: (error: Error | null, count: number) => void): void;
  close(closed: (error: Error | null) => void): void;
  /** 'exit' is emitted, with this object, when that process has ended. */
  once(event: 'exit', gone: (count: RemoteCount) => void): this;
}

/**
 * Makes a server include, in getConnections and close, the sockets that another process has. Node leaves such a server
 * in this mode for good; when all of these processes have ended, neither method calls back any more (I-53). Ours
 * leaves the mode then (D21).
 */
export function countElsewhere(server: Server, count: RemoteCount): void {
  const owner = server as any;
  owner._setupWorker(count);
  count.once('exit', () => {
    if (owner._workers.length === 0) owner._usingWorkers = false;
  });
}

/**
 * Holds back the 'close' event of a server. Node calls `_emitCloseIfDrained` whenever the server was closed or one of
 * its connections has ended; until the returned function is called, such a call is only noted. The returned function
 * makes the noted call.
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

/** The number of connections of a server in this process. Node's `getConnections` is asynchronous and asks other processes, too. */
export function openConnections(server: object): number {
  return (server as any)._connections ?? 0;
}
