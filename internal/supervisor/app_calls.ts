/**
 * Calls from our code into the app's code: a listener, a hook, a method that the app may have replaced. If such a call
 * throws, our code goes on, and the exception becomes an uncaught one, as if Node had made the call.
 *
 * To add a listener of ours to an object of the app (a server, `process`, a stream) is such a call too: Node first calls
 * the app's listeners of 'newListener', and does not add ours if one of them throws.
 *
 * Used by  stderr_lines.ts, signal_handlers.ts, give_up_reports.ts, lib/graceful.ts, most files of worker/
 * Keeps    our listener is there after `attach`, and gone after `detach`, whatever the app's listeners do
 * Node     `process` has a listener of 'newListener' of its own, which makes it watch a signal. It must run even if a
 *          listener of the app throws before it
 */
import type { EventEmitter } from 'node:events';

/** Calls `call`. If it throws, the exception is thrown again in a tick of its own. */
export function callApp(call: () => void): void {
  try {
    call();
  } catch (error) {
    process.nextTick(() => { throw error; });
  }
}

/** The longest text of an error that is kept, in characters: room for a long stack. */
export const KEPT_ERROR = 4_096;

/** The stack of an error, or the text of whatever else was thrown. Both can be getters or methods of the app that throw. */
export function errorText(error: unknown): string {
  try {
    const stack = typeof error === 'object' && error !== null ? (error as { stack?: unknown }).stack : undefined;
    return String(stack ?? error).slice(0, KEPT_ERROR);
  } catch {
    return 'an error that has no text';
  }
}

type Listener = (...args: never[]) => void;

/** Adds `listener`, before or after the listeners that are there. */
export function attach(emitter: EventEmitter, event: string, listener: Listener, where: 'first' | 'last' = 'last'): void {
  const add = (): void => {
    if (where === 'first') emitter.prependListener(event, listener as () => void);
    else emitter.on(event, listener as () => void);
  };
  if (emitter.listenerCount('newListener') === 0) return add();
  const own = Object.getOwnPropertyDescriptor(emitter, 'emit');
  const { emit } = emitter;
  // For this one synchronous call `emit` is replaced by a function that calls each listener of 'newListener' by itself.
  Object.defineProperty(emitter, 'emit', {
    configurable: true, writable: true,
    value(this: EventEmitter, name: string | symbol, ...args: unknown[]): boolean {
      if (name !== 'newListener') return emit.call(this, name, ...args);
      for (const other of emitter.rawListeners(name)) callApp(() => void other.apply(emitter, args));
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

/** Removes `listener`. Node removes it before it calls the listeners of 'removeListener', so these may throw. */
export function detach(emitter: EventEmitter, event: string, listener: Listener): void {
  callApp(() => void emitter.removeListener(event, listener as () => void));
}
