/**
 * AbortSignals of the application, listened to without running code of the application: what it may
 * have put on a signal of its own (an `aborted`, an `addEventListener` that throws) is passed by.
 *
 * Used by  unanswered.ts, watch.ts, api.ts, election.ts
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

export const isAborted = (signal: AbortSignal): boolean => abortedOf(signal) === true;

/** What it was aborted with. */
export const abortReason = (signal: AbortSignal): unknown => reasonOf(signal);

/** Calls back when it is aborted, once; returns what takes that back. A signal that is aborted already never calls. */
export function onAbort(signal: AbortSignal, callback: () => void): () => void {
  Reflect.apply(addEventListener, signal, ['abort', callback, { once: true }]);
  return () => Reflect.apply(removeEventListener, signal, ['abort', callback]);
}
