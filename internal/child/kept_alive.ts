/**
 * Connections that came from another worker, where they waited for their next request. Here each is a new connection,
 * and Node gives a new connection no `keepAliveTimeout` before its first response. So this file sets it, until the next
 * request begins.
 *
 * Owns     the subscription to 'http.server.request.start', while such a connection waits
 * Used by  deliveries.ts
 * Uses     native/idle_connections.ts, own_listeners.ts
 * Keeps    an entry exactly until the next request of its connection, or until the connection has ended
 * Costs    for connections that have not moved: nothing. A subscriber costs each request of this process an object
 */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { Map } from '../builtins';
import type { NativeHandle } from '../native/bindings';
import { isPlainHttp, socketOf, waitAsKeptAlive } from '../native/idle_connections';
import { own } from '../own_listeners';

const REQUEST = 'http.server.request.start';
/** The connections that wait, each with the function that ends its time limit. */
const waiting = new Map<unknown, () => void>();

const requestBegan = (message: unknown): void => {
  const { socket } = message as { socket: unknown };
  const end = waiting.get(socket);
  if (end === undefined) return;
  forget(socket);
  end();
};

function forget(socket: unknown): void {
  if (waiting.delete(socket) && waiting.size === 0) unsubscribe(REQUEST, requestBegan);
}

/** `server` has just got this connection, which had moved. */
export function keepAlive(server: object, handle: NativeHandle): void {
  const socket = socketOf(handle);
  if (socket === null || socket.destroyed || !isPlainHttp(server)) return;
  const end = waitAsKeptAlive(server, socket);
  if (end === null) return;
  if (waiting.size === 0) subscribe(REQUEST, requestBegan);
  waiting.set(socket, end);
  socket.once('close', own(() => forget(socket)));
}
