/**
 * The answer that an HTTP/1 connection is writing: `socket._httpMessage`, as old as node:http.
 *
 * Used by  supervisor/worker/drain_http1.ts
 */
import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** The answer that is being written on this connection; null if there is none. */
export function answerOn(socket: Socket): ServerResponse | null {
  return (socket as any)._httpMessage ?? null;
}
