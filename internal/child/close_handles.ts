/**
 * Closes everything at which a worker listens, before it leaves.
 *
 * Used by  index.ts
 * Keeps    an app may have overridden the `close` of its servers: if one throws, the others are closed all the same, and
 *          the exception becomes an uncaught one in a tick of its own
 */
import { separately } from '../errors';
import type { ListeningHandle } from '../native/bindings';
import { ownerOf } from '../native/handles';

/** Closes the servers of what is held, or the handles that have none. Calls `done` once, when all of them are closed. */
export function closeHandles(held: readonly { readonly handle: ListeningHandle }[], done: () => void): void {
  let open = 1;
  const closed = (): void => {
    if (--open === 0) done();
  };
  for (const { handle } of held) {
    open++;
    closeOne(handle, closed);
  }
  closed();
}

function closeOne(handle: ListeningHandle, closed: () => void): void {
  // A server waits for its connections before it is closed. A handle without an owner never got a server.
  const owner = ownerOf(handle);
  let isClosed = false;
  const once = (): void => {
    if (!isClosed) closed();
    isClosed = true;
  };
  separately(() => {
    try {
      if (typeof owner?.close === 'function') owner.close(once);
      else handle.close(once);
    } catch (error) {
      once(); // The app's own `close` has thrown: the other servers are closed, and the worker leaves.
      throw error;
    }
  });
}
