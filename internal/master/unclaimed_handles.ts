/**
 * Handles that came with a message of a worker and that nobody in the primary uses.
 *
 * Used by  index.ts
 * Never    lets such a handle hold an fd for ever, nor end the process
 */

/** A native handle, a server or a socket. */
export interface Closable {
  close?(): void;
  destroy?(): void;
  on?(event: 'error', listener: () => void): void;
  resume?(): void;
}

/**
 * Nobody listens for the app's message that this handle came with. A server or a native handle is closed
 * (D37). A socket stays open until its client ends it, as under Node, and its data is discarded. Node stops
 * reading at 16 KiB, so it never sees the end, and an error of the socket ends the process (D38).
 */
export function leaveAlone(handle: Closable): void {
  if (handle.resume === undefined) return release(handle);
  handle.on?.('error', () => undefined);
  handle.resume();
}

/** Closes a native handle, a server or a socket that nobody uses. */
export function release(handle: Closable | undefined): void {
  if (typeof handle?.destroy === 'function') handle.destroy();
  else handle?.close?.();
}
