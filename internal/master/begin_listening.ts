/**
 * Opens a listening socket in the primary, as a worker's query says. A `net.Server` of Node's binds it; then its native
 * handle is taken out, and the server is forgotten.
 *
 * Owns     the temporary server, until it listens or has failed. The handle is transferred to `bound`
 * Used by  round_robin_handle.ts
 * Uses     listen_options.ts
 */
import net from 'node:net';
import type { QueryServer } from '../messages';
import { UV_EINVAL, type ListeningHandle, type NativeHandle } from '../native/bindings';
import { listenOn, makePausable, takeListeningHandle } from '../native/listening';
import { listenOptions } from './listen_options';

/** Calls `bound` with the listening handle, or `failed` with an errno, in a later turn. `failed` can be called twice. */
export function beginListening(query: QueryServer, bound: (handle: ListeningHandle) => void, failed: (errno: number) => void): void {
  const server = net.createServer();
  makePausable(server);
  server.once('listening', () => bound(takeListeningHandle(server)));
  server.once('error', (error: NodeJS.ErrnoException) => failed(error.errno ?? UV_EINVAL));
  try {
    server.listen(listenOptions(query));
  } catch {
    // `net` does not even try this address. The worker's own `net` did not check it, or was not asked.
    process.nextTick(() => failed(UV_EINVAL));
  }
}

/** Listens on a handle (transferred) that is bound already. Calls `bound` or `failed` in a later turn, as `beginListening` does. */
export function listenOnInherited(handle: NativeHandle, { backlog }: QueryServer, bound: (handle: ListeningHandle) => void, failed: (errno: number) => void): void {
  process.nextTick(() => {
    const listening = listenOn(handle, backlog);
    if (typeof listening !== 'number') return bound(listening);
    handle.close();
    failed(listening);
  });
}
