/**
 * Listens to AbortSignals of the app without calling code of the app. An app may have put an `aborted` or an
 * `addEventListener` of its own on a signal, and that could throw or do anything else; so the methods and getters of
 * the class AbortSignal itself are called.
 *
 * Owns     one listener on each signal, however many calls share the signal: Node warns from eleven listeners on
 * Used by  pending_calls.ts, client.ts, watch.ts, call_options.ts, election.ts
 */
const abortedOf = getterOf('aborted');
const reasonOf = getterOf('reason');
const { addEventListener, removeEventListener } = EventTarget.prototype;

/** The getter of a property of AbortSignal. */
function getterOf(name: 'aborted' | 'reason'): (signal: AbortSignal) => unknown {
  const getter = Object.getOwnPropertyDescriptor(AbortSignal.prototype, name)?.get;
  return getter === undefined ? (signal) => signal[name] : (signal) => Reflect.apply(getter, signal, []);
}

/** Is it an AbortSignal? An object that only inherits from one, or a Proxy of one, is not. */
export function isSignal(value: unknown): value is AbortSignal {
  if (!(value instanceof AbortSignal)) return false;
  try {
    return typeof abortedOf(value) === 'boolean';
  } catch {
    return false; // The getter throws for any other object.
  }
}

/** Was the signal aborted? */
export const isAborted = (signal: AbortSignal): boolean => abortedOf(signal) === true;

/** The reason that was given to `abort`. */
export const abortReason = (signal: AbortSignal): unknown => reasonOf(signal);

/** The callbacks for one signal, and the listener on the signal that calls them. */
interface Listening { readonly callbacks: Set<() => void>; readonly listener: () => void }

const listening = new WeakMap<AbortSignal, Listening>();

/** Calls back once, when the signal is aborted; never if it was aborted before. Returns a function that cancels this. */
export function onAbort(signal: AbortSignal, callback: () => void): () => void {
  const { callbacks, listener } = listening.get(signal) ?? listen(signal);
  const own = (): void => callback(); // A function of its own, because a Set keeps the same callback only once.
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
