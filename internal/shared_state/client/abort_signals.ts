/**
 * AbortSignals of the application, listened to without running code of the application: what it may
 * have put on a signal of its own (an `aborted`, an `addEventListener` that throws) is passed by.
 *
 * Owns     one listener on each signal, however many calls have it: Node warns of more than ten
 * Used by  pending_calls.ts, watch.ts, api.ts, election.ts
 */
const abortedOf = getterOf('aborted');
const reasonOf = getterOf('reason');
const { addEventListener, removeEventListener } = EventTarget.prototype;

function getterOf(name: 'aborted' | 'reason'): (signal: AbortSignal) => unknown {
  const getter = Object.getOwnPropertyDescriptor(AbortSignal.prototype, name)?.get;
  return getter === undefined ? (signal) => signal[name] : (signal) => Reflect.apply(getter, signal, []);
}

/** Is it a signal? An object that only inherits from one is none. */
export function isSignal(value: unknown): value is AbortSignal {
  if (!(value instanceof AbortSignal)) return false;
  try {
    return typeof abortedOf(value) === 'boolean';
  } catch {
    return false; // Without the inside of a signal, as a Proxy is.
  }
}

/** Was it aborted, whatever an app has put on it? */
export const isAborted = (signal: AbortSignal): boolean => abortedOf(signal) === true;

/** What it was aborted with. */
export const abortReason = (signal: AbortSignal): unknown => reasonOf(signal);

/** Who wants to hear of a signal, and the listener that calls them. */
interface Listening { readonly callbacks: Set<() => void>; readonly listener: () => void }

const listening = new WeakMap<AbortSignal, Listening>();

/** Calls back when it is aborted, once; returns what takes that back. A signal that is aborted already never calls. */
export function onAbort(signal: AbortSignal, callback: () => void): () => void {
  const { callbacks, listener } = listening.get(signal) ?? listen(signal);
  const own = (): void => callback(); // The same function may be given twice.
  callbacks.add(own);
  return () => {
    if (!callbacks.delete(own) || callbacks.size > 0 || listening.get(signal)?.callbacks !== callbacks) return;
    listening.delete(signal);
    Reflect.apply(removeEventListener, signal, ['abort', listener]);
  };
}

function listen(signal: AbortSignal): Listening {
  const callbacks = new Set<() => void>();
  const listener = (): void => {
    listening.delete(signal);
    const all = [...callbacks];
    callbacks.clear();
    for (const each of all) each();
  };
  Reflect.apply(addEventListener, signal, ['abort', listener, { once: true }]);
  const made = { callbacks, listener };
  listening.set(signal, made);
  return made;
}
