/**
 * Calls from a loop of ours into the app's code: a listener, a hook, a method that the app may have
 * replaced. If such a call throws, our loop goes on, and the exception becomes an uncaught one, as if
 * Node had made the call.
 *
 * Attaching a listener of ours to an object of the app's (a server, `process`, a stream) is such a call
 * too: Node first runs the app's listeners of 'newListener', and attaches nothing if one of them throws.
 *
 * Used by  stderr_lines.ts, stop_signals.ts, most of worker/, lib/graceful.ts
 * Keeps    our listener is there after `attach`, and gone after `detach`, whatever the app's listeners do
 * Node     `process` has a listener of 'newListener' of its own, which is how it comes to watch a signal
 */
import type { EventEmitter } from 'node:events';

/** Makes the call. An exception is thrown again in a tick of its own. */
export function apart(call: () => void): void {
  try {
    call();
  } catch (error) {
    process.nextTick(() => { throw error; });
  }
}

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
