/**
 * The response that an HTTP/1 connection is writing.
 *
 * Used by  supervisor/worker/drain_http1.ts
 */
import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** The response that the server is writing on this connection; null if there is none. */
export function answerOn(socket: Socket): ServerResponse | null {
  return (socket as any)._httpMessage ?? null;
}
