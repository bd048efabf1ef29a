/**
 * The functions of the language and of Node as they were when this project was loaded. Test frameworks, fake timers
 * and polyfills replace or delete globals and methods. A channel, a worker and a primary must not depend on what they
 * put there; Node's own channel keeps such copies, too.
 *
 * Used by  channel/, child/, master/ and what they share, for all code that runs after the app was loaded
 * Never    reads a global or a prototype after it was loaded. Code on the path of a message or of a connection
 *          writes `push(list, item)` for `list.push(item)`, `new SafeMap()` for `new Map()`, and a `for` with an
 *          index for `for … of`, since all of these look up something that an app can replace.
 * Node     test/faults/replaced_globals.test.ts replaces each function in turn while a message or a connection
 *          passes. What stock Node does not survive (`process.nextTick`, `EventEmitter.prototype.emit`) is left out.
 */
import { Buffer as NodeBuffer } from 'node:buffer';
import nodeProcess from 'node:process';
import timers from 'node:timers';

type Method = (this: never, ...args: never[]) => unknown;

/** Turns a method into a function whose first argument is the object that the method works on. */
const uncurryThis = Function.prototype.bind.bind(Function.prototype.call) as unknown as <M extends Method>(
  method: M,
) => (self: ThisParameterType<M>, ...args: Parameters<M>) => ReturnType<M>;

// ── the language ─────────────────────────────────────────────────────────────────────────────────

export const { parse: parseJson, stringify: stringifyJson } = JSON;
export const { isArray } = Array;
export const { isInteger } = Number;
export const { assign, entries, freeze, keys, values } = Object;

const array = Array.prototype;
export const push = uncurryThis(array.push) as <Item>(list: Item[], ...items: Item[]) => number;
export const shift = uncurryThis(array.shift) as <Item>(list: Item[]) => Item | undefined;
export const join = uncurryThis(array.join) as (list: readonly unknown[], separator: string) => string;

const string = String.prototype;
export const charCodeAt = uncurryThis(string.charCodeAt);
export const indexOf = uncurryThis(string.indexOf);
export const slice = uncurryThis(string.slice);
export const startsWith = uncurryThis(string.startsWith);

/** Gives `safe` own copies of the methods that it would inherit, so that replacing those has no effect on it. */
function keepMethods(safe: object, inherited: object): void {
  for (const name of Reflect.ownKeys(inherited)) {
    if (name === 'constructor') continue;
    Object.defineProperty(safe, name, Object.getOwnPropertyDescriptor(inherited, name) as PropertyDescriptor);
  }
}

/** A Map whose methods are the language's. Walk through it by `forEach`: `for … of` uses a shared iterator. */
export class SafeMap<Key, Value> extends Map<Key, Value> {}
keepMethods(SafeMap.prototype, Map.prototype);

/** A Set whose methods are the language's. Walk through it by `forEach`. */
export class SafeSet<Item> extends Set<Item> {}
keepMethods(SafeSet.prototype, Set.prototype);

// ── Node ─────────────────────────────────────────────────────────────────────────────────────────

/** The `process` of this process, also where an app has put another object in its place. */
export const process = nodeProcess;
export const { nextTick } = nodeProcess;
export const { setImmediate, setInterval, clearInterval, setTimeout, clearTimeout } = timers;

/** Node's class, also where an app has put another in its place. */
export const Buffer = NodeBuffer;
