/**
 * Marks the listeners that we add to the app's objects. A connection to which the app has added a listener is not moved to
 * another worker; a listener of ours does not count.
 *
 * Used by  child/movable.ts, recording/sockets.ts, supervisor/worker/drain_connections.ts
 * Keeps    no listener alive
 */
const ours = new WeakSet<object>();

/** Marks a listener as ours, and returns it. */
export function own<Listener extends (...args: never[]) => void>(listener: Listener): Listener {
  ours.add(listener);
  return listener;
}

/** Is this listener ours? `listener`: as `rawListeners` returns it, so it may be the wrapper that `once` made. */
export function isOwn(listener: object): boolean {
  const { listener: wrapped } = listener as { listener?: unknown };
  return ours.has(listener) || (typeof wrapped === 'function' && ours.has(wrapped));
}
