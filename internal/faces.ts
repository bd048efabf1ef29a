/**
 * A primary that a program loaded without the seat, and that is to sit in the seat afterwards: `cluster-internals`
 * first, `cluster-internals/register` second. It moves, with its properties and its listeners, and the object that
 * the program holds shows from then on what stands in the seat: one primary with two faces.
 *
 * Used by  role.ts
 * Never    calls a listener, or adds one: they move as they are, each 'once' among them
 * Keeps    what was in the seat beside Node's cluster: what an app has put there, and who listens there
 * Falls short: a listener's `this` is the seat's object; a property that is new on one face is not seen on the other
 */
import { EventEmitter } from 'node:events';
import { Array, Reflect } from './builtins';

type Listeners = Record<string | symbol, unknown>;

/** What an EventEmitter keeps; Node has had these three for as long as it has been. */
interface Kept {
  _events: Listeners;
  _eventsCount: number;
  _maxListeners: number | undefined;
}

/** Moves what stands on `before` to `seat`, and lets `before` show it there. */
export function moveFace(before: EventEmitter, seat: EventEmitter): void {
  moveListeners(before as unknown as Kept, seat as unknown as Kept);
  const emitters: readonly (string | symbol)[] = ['_events', '_eventsCount', '_maxListeners'];
  for (const name of Reflect.ownKeys(before)) {
    const descriptor = Reflect.getOwnPropertyDescriptor(before, name) as PropertyDescriptor;
    // Other symbols are Node's own marks of an emitter.
    if (typeof name === 'symbol') continue;
    if (!emitters.includes(name)) Reflect.defineProperty(seat, name, descriptor);
    Reflect.defineProperty(before, name, {
      get: () => Reflect.get(seat, name), set: (value: unknown) => void Reflect.set(seat, name, value),
      enumerable: descriptor.enumerable ?? false, configurable: true,
    });
  }
}

function moveListeners(from: Kept, to: Kept): void {
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
