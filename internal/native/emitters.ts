/**
 * Moves listeners between EventEmitters. An EventEmitter keeps them in three properties that Node does not document: the
 * listeners by event, the number of these events, and the limit above which it warns.
 *
 * Used by  startup/late_takeover.ts, node_cluster.ts
 * Never    calls a listener, or emits 'newListener'
 */
import { EventEmitter } from 'node:events';
import { Array, Reflect } from '../builtins';

type Listeners = Record<string | symbol, unknown>;

/** The three properties. They are the same in all supported versions of Node. */
interface Kept {
  _events: Listeners;
  _eventsCount: number;
  _maxListeners: number | undefined;
}

/** The names of these properties. */
export const emitterProperties: readonly string[] = ['_events', '_eventsCount', '_maxListeners'];

/** Adds the listeners of `before` to those of `after`, each as it is, those of `after` first. */
export function moveListeners(before: EventEmitter, after: EventEmitter): void {
  const from = before as unknown as Kept;
  const to = after as unknown as Kept;
  // A new emitter makes the lists, since their form depends on Node: from 26 on a list knows whether `emit` is walking it.
  // The new emitter has no 'newListener' listener, so none is called.
  const joined = new EventEmitter().setMaxListeners(0);
  const lists = (joined as unknown as Kept)._events;
  for (const name of Reflect.ownKeys(from._events)) {
    for (const listener of [...listOf(to._events[name]), ...listOf(from._events[name])]) joined.on(name, listener as () => void);
    to._events[name] = lists[name];
  }
  to._eventsCount = Reflect.ownKeys(to._events).length;
  to._maxListeners = from._maxListeners ?? to._maxListeners;
}

/** The listeners of one event as a list. Node stores nothing, one function, or a list. */
function listOf(listeners: unknown): readonly unknown[] {
  if (listeners === undefined) return [];
  return Array.isArray(listeners) ? listeners as unknown[] : [listeners];
}

/**
 * Lets a later `events.captureRejections = true` hold for an emitter that exists already. Node copies the default into
 * each emitter when it makes it; without its copy the emitter reads the default itself.
 */
export function followCaptureRejections(emitter: EventEmitter): void {
  const copy = Reflect.ownKeys(emitter).find((key) => typeof key === 'symbol' && key.description === 'kCapture');
  if (copy !== undefined) Reflect.deleteProperty(emitter, copy);
}
