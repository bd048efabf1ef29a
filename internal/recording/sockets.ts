/**
 * Follows the connections that a server of this process has got: when its net.Socket exists, and who closed it.
 *
 * Owns     an entry for each open socket
 * Used by  recorder.ts
 * Hooks    the diagnostics channel `net.server.socket` of Node, and two listeners on each accepted socket: 'end', which
 *          comes when the client has ended its side, and 'close'
 * Never    reads from a socket or keeps it alive; throws
 * Falls short  a program that counts the listeners of a socket sees two more
 */
import diagnostics from 'node:diagnostics_channel';
import type { Socket } from 'node:net';
import { Map } from '../builtins';
import { handleOf } from '../native/handles';
import { own } from '../own_listeners';

/** What is known of a socket when it has closed. */
export interface ClosedSocket {
  readonly by: 'client' | 'worker' | 'error';
  readonly bytesRead: number;
  readonly bytesWritten: number;
}

/** Gets what happens to each socket. `index` counts the connections of this process. */
export interface SocketSink {
  opened(index: number, fd: number, client: string | null): void;
  closed(index: number, socket: ClosedSocket): void;
  /** Are there so many events that only those that must be are recorded? */
  isFlooded(): boolean;
}

/** What the recorder calls. */
export interface Sockets {
  /** The next socket gets a connection that the primary has handed to this process. Returns its index. */
  delivered(): number;
}

interface Followed {
  readonly index: number;
  endedByClient: boolean;
}

/** Begins to follow. */
export function followSockets(sink: SocketSink): Sockets {
  const followed = new Map<Socket, Followed>();
  let count = 0;
  /** The index of a connection that was delivered and has no socket yet. */
  let delivered: number | null = null;

  const ended = own(function (this: Socket): void {
    const one = followed.get(this);
    if (one !== undefined && !this.writableEnded) one.endedByClient = true;
  });

  const closed = own(function (this: Socket, hadError: boolean): void {
    const one = followed.get(this);
    if (one === undefined) return;
    followed.delete(this);
    const by = hadError ? 'error' : one.endedByClient ? 'client' : 'worker';
    sink.closed(one.index, { by, bytesRead: this.bytesRead, bytesWritten: this.bytesWritten });
  });

  diagnostics.subscribe('net.server.socket', (event) => {
    const { socket } = event as { socket: Socket };
    const index = delivered ?? count++;
    // In a flood the event `delivered` stands for this one: to ask the kernel for the client's address takes a while.
    if (delivered === null || !sink.isFlooded()) sink.opened(index, handleOf(socket)?.fd ?? -1, clientOf(socket));
    delivered = null;
    followed.set(socket, { index, endedByClient: false });
    // Even if the app has destroyed it by now, 'close' comes in a later tick.
    socket.on('end', ended);
    socket.on('close', closed);
  });
  return { delivered: () => (delivered = count++) };
}

function clientOf({ remoteAddress, remotePort }: Socket): string | null {
  if (remoteAddress === undefined) return null;
  return `${remoteAddress.includes(':') ? `[${remoteAddress}]` : remoteAddress}:${remotePort}`;
}
