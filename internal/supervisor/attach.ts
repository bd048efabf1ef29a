/**
 * Attaches listeners of ours to objects of the app's: a server, `process`, a stream. Each such call runs the
 * app's listeners of 'newListener' first, and if one of them throws, Node does not attach ours.
 *
 * Used by  drain.ts, signals.ts, lines.ts, lib/graceful.ts
 * Keeps    our listener is there after the call, and gone after `detach`; what listeners of 'newListener' and
 *          'removeListener' throw becomes an uncaught exception, see apart.ts
 * Node     `process` has a listener of 'newListener' of its own, which is how it comes to watch a signal
 */
import type { EventEmitter } from 'node:events';
import { apart } from './apart';

type Listener = (...given: never[]) => void;

/** Adds `listener`, `first` or last of those that are there. */
export function attach(emitter: EventEmitter, event: string, listener: Listener, where: 'first' | 'last' = 'last'): void {
  const add = (): void => {
    if (where === 'first') emitter.prependListener(event, listener as () => void);
    else emitter.on(event, listener as () => void);
  };
  if (emitter.listenerCount('newListener') === 0) return add();
  const own = Object.getOwnPropertyDescriptor(emitter, 'emit');
  const { emit } = emitter;
  // Only for this one call, which is synchronous: each listener of 'newListener' is called apart from the others.
  Object.defineProperty(emitter, 'emit', {
    configurable: true, writable: true,
    value(this: EventEmitter, name: string | symbol, ...given: unknown[]): boolean {
      if (name !== 'newListener') return emit.call(this, name, ...given);
      for (const told of emitter.rawListeners(name)) apart(() => void told.apply(emitter, given));
      return true;
    },
  });
  try {
    add();
  } finally {
    if (own === undefined) Reflect.deleteProperty(emitter, 'emit');
    else Object.defineProperty(emitter, 'emit', own);
  }
}

/** Removes `listener`, whatever listeners of 'removeListener' do: they are called when it is gone. */
export function detach(emitter: EventEmitter, event: string, listener: Listener): void {
  apart(() => void emitter.removeListener(event, listener as () => void));
}
