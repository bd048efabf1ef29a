/**
 * Follows the connections that a server of this process has got: when its net.Socket exists, and who closed it.
 *
 * Used by  recorder.ts
 * Hooks    the diagnostics channel `net.server.socket` of Node, and two listeners on each accepted socket: 'end', which
 *          comes when the client has ended its side, and 'close'
 * Never    reads from a socket or keeps it alive; throws
 * Falls short  a program that counts the listeners of a socket sees two more
 */
import diagnostics from 'node:diagnostics_channel';
import type { Socket } from 'node:net';
import { handleOf } from '../native/handles';
import { own } from '../own_listeners';

/** What is known of a socket when it has closed. */
export interface ClosedSocket {
  readonly by: 'client' | 'worker' | 'error';
  readonly bytesRead: number;
  readonly bytesWritten: number;
}

/** Gets what happens to each socket. `index` counts the sockets of this process. */
export interface SocketSink {
  opened(index: number, fd: number, client: string | null): void;
  closed(index: number, socket: ClosedSocket): void;
}

interface Followed {
  readonly index: number;
  endedByClient: boolean;
}

/** Begins to follow. */
export function followSockets(sink: SocketSink): void {
  const followed = new WeakMap<Socket, Followed>();
  let count = 0;

  function ended(this: Socket): void {
    const one = followed.get(this);
    if (one !== undefined && !this.writableEnded) one.endedByClient = true;
  }

  function closed(this: Socket, hadError: boolean): void {
    const one = followed.get(this);
    if (one === undefined) return;
    const by = hadError ? 'error' : one.endedByClient ? 'client' : 'worker';
    sink.closed(one.index, { by, bytesRead: this.bytesRead, bytesWritten: this.bytesWritten });
  }

  diagnostics.subscribe('net.server.socket', (event) => {
    const { socket } = event as { socket: Socket };
    const index = count++;
    followed.set(socket, { index, endedByClient: false });
    const { remoteAddress, remotePort } = socket;
    sink.opened(index, handleOf(socket)?.fd ?? -1, remoteAddress === undefined ? null : `${remoteAddress.includes(':') ? `[${remoteAddress}]` : remoteAddress}:${remotePort}`);
    if (socket.destroyed && socket.closed) return closed.call(socket, false);
    socket.on('end', own(ended));
    socket.on('close', own(closed));
  });
}
