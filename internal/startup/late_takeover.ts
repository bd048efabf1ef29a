/**
 * Moves a primary from its own cluster object into `node:cluster`. It is needed when a program first loads
 * `cluster-internals`, whose primary has an object of its own, and later `cluster-internals/register`. The properties
 * and the listeners move to Node's object. The old object, which the program may hold, becomes a view: each of its
 * properties reads and writes the property of Node's object. So the process has one primary, seen through two objects.
 *
 * Used by  role.ts
 * Never    calls a listener or wraps one: each moves as it is, also one that was added with `once`
 * Keeps    the properties that an app has put on Node's object, and the listeners that it has there
 * Misses   inside a listener, `this` is Node's object; a property that is added later to one object is not on the other
 */
import type { EventEmitter } from 'node:events';
import { Reflect } from '../builtins';
import { emitterProperties, moveListeners } from '../native/emitters';

/** Moves everything from `before` to `after`, and makes `before` a view of `after`. */
export function moveCluster(before: EventEmitter, after: EventEmitter): void {
  moveListeners(before, after);
  for (const name of Reflect.ownKeys(before)) {
    const descriptor = Reflect.getOwnPropertyDescriptor(before, name);
    // Symbols are Node's own marks of an emitter.
    if (typeof name === 'symbol' || descriptor === undefined) continue;
    if (!emitterProperties.includes(name)) Reflect.defineProperty(after, name, descriptor);
    Reflect.defineProperty(before, name, {
      get: () => Reflect.get(after, name), set: (value: unknown) => void Reflect.set(after, name, value),
      enumerable: descriptor.enumerable ?? false, configurable: true,
    });
  }
}
