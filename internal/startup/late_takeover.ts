/**
 * Takes over `node:cluster` late: a program first loaded `cluster-internals`, whose primary is an object
 * of its own, and then `cluster-internals/register`. The primary moves into Node's object, with its
 * properties and its listeners, and the object that the program holds shows from then on what is in
 * Node's object: one primary, which two objects show.
 *
 * Used by  role.ts
 * Never    calls a listener, or adds one: they move as they are, also those that were added with `once`
 * Keeps    what an app has put on Node's object, and its listeners there
 * Falls short: a listener's `this` is Node's object; a property that is new on one object is not seen on the other
 */
import type { EventEmitter } from 'node:events';
import { Reflect } from '../builtins';
import { emitterProperties, moveListeners } from '../native/emitters';

/** Moves what is on `before` to `after`, and lets `before` show what is there. */
export function moveCluster(before: EventEmitter, after: EventEmitter): void {
  moveListeners(before, after);
  for (const name of Reflect.ownKeys(before)) {
    const descriptor = Reflect.getOwnPropertyDescriptor(before, name) as PropertyDescriptor;
    // Other symbols are Node's own marks of an emitter.
    if (typeof name === 'symbol') continue;
    if (!emitterProperties.includes(name)) Reflect.defineProperty(after, name, descriptor);
    Reflect.defineProperty(before, name, {
      get: () => Reflect.get(after, name), set: (value: unknown) => void Reflect.set(after, name, value),
      enumerable: descriptor.enumerable ?? false, configurable: true,
    });
  }
}
