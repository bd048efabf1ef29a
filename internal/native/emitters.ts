/**
 * What an EventEmitter keeps in three properties: its listeners, their number, and their highest number.
 *
 * Used by  startup/late_takeover.ts
 * Never    calls a listener, or emits 'newListener'
 */
import { EventEmitter } from 'node:events';
import { Array, Reflect } from '../builtins';

type Listeners = Record<string | symbol, unknown>;

/** What an EventEmitter keeps; Node has had these three for as long as it has been. */
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
  // Node makes the lists: from 26 on a list knows whether it is being walked. Nobody listens to 'newListener' there.
  const joined = new EventEmitter().setMaxListeners(0);
  const lists = (joined as unknown as Kept)._events;
  for (const name of Reflect.ownKeys(from._events)) {
    for (const listener of [...listOf(to._events[name]), ...listOf(from._events[name])]) joined.on(name, listener as () => void);
    to._events[name] = lists[name];
  }
  to._eventsCount = Reflect.ownKeys(to._events).length;
  to._maxListeners = from._maxListeners ?? to._maxListeners;
}

/** None, one that stands there by itself, or a list. */
function listOf(listeners: unknown): readonly unknown[] {
  if (listeners === undefined) return [];
  return Array.isArray(listeners) ? listeners as unknown[] : [listeners];
}
