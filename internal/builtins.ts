/**
 * The functions of the language and of Node as they were when this project was loaded, under the names that they have.
 * Test frameworks, fake timers and polyfills replace or delete globals and methods. A channel, a worker and a primary
 * must not depend on what they put there; Node's own channel keeps such copies, too.
 *
 *     import { JSON, Map, push } from '../builtins';
 *     JSON.parse(text); new Map(); push(list, item);     // none of the three can be replaced by an app
 *
 * Used by  channel/, child/, master/ and what they share, for all code that runs after the app was loaded
 * Never    calls a method of a prototype that an app can reach: `push(list, item)` stands for `list.push(item)`. This
 *          matters on the path of a message and of a connection; elsewhere a method call is fine.
 * Node     test/faults/replaced_globals.test.ts replaces each function in turn while a message or a connection
 *          passes. What stock Node does not survive (`process.nextTick`, `EventEmitter.prototype.emit`) is left out.
 */
import { Buffer as NodeBuffer } from 'node:buffer';
import nodeTimers from 'node:timers';

const { ownKeys } = globalThis.Reflect;
const { defineProperty, getOwnPropertyDescriptor, freeze } = globalThis.Object;

/** Gives `target` own copies of the functions and constants of `holder`. */
function copyMembers<Target extends object>(target: Target, holder: object): Target {
  for (const name of ownKeys(holder)) {
    if (name === 'constructor' || name === 'prototype' || name === 'length' || name === 'name') continue;
    defineProperty(target, name, getOwnPropertyDescriptor(holder, name) as PropertyDescriptor);
  }
  return target;
}

/** A namespace, or the functions of a class: none of them uses `this`, except to make arrays of another kind. */
const copyOf = <Holder extends object>(holder: Holder): Holder => freeze(copyMembers({}, holder)) as Holder;

/** A function that converts its argument, with its functions and constants. */
const converterOf = <Converter extends (value?: never) => unknown>(converter: Converter): Converter =>
  freeze(copyMembers((value: never) => converter(value), converter)) as unknown as Converter;

// ── the language ─────────────────────────────────────────────────────────────────────────────────

/** `JSON`. */
export const JSON = copyOf(globalThis.JSON);
/** `Math`. */
export const Math = copyOf(globalThis.Math);
/** `Reflect`. */
export const Reflect = copyOf(globalThis.Reflect);
/** `Object`, a name that the compiler keeps to itself. */
export const NativeObject = copyOf(globalThis.Object);
/** The functions of `Array`: it makes none. */
export const Array = copyOf(globalThis.Array);
/** `Number`. */
export const Number = converterOf(globalThis.Number);
/** `String`. */
export const String = converterOf(globalThis.String);
/** `Boolean`. */
export const Boolean = globalThis.Boolean;

/** A Map whose methods are the language's own. */
export class Map<Key, Value> extends globalThis.Map<Key, Value> {}
copyMembers(Map.prototype, globalThis.Map.prototype);

/** A Set whose methods are the language's own. */
export class Set<Item> extends globalThis.Set<Item> {}
copyMembers(Set.prototype, globalThis.Set.prototype);

type Method = (this: never, ...args: never[]) => unknown;

/** Makes a method a function whose first argument is the object that the method works on. */
const uncurryThis = globalThis.Function.prototype.bind.bind(globalThis.Function.prototype.call) as unknown as <M extends Method>(
  method: M,
) => (self: ThisParameterType<M>, ...args: Parameters<M>) => ReturnType<M>;

const { prototype: array } = globalThis.Array;
/** `list.push(item)`, which V8 makes part of its caller, as it does not with a method that was made a function. */
export function push<Item>(list: Item[], item: Item): void {
  list[list.length] = item;
}
/** `list.shift()` */
export const shift = uncurryThis(array.shift) as <Item>(list: Item[]) => Item | undefined;
/** `list.join(separator)` */
export const join = uncurryThis(array.join) as (list: readonly unknown[], separator: string) => string;

const { prototype: string } = globalThis.String;
/** `text.charCodeAt(index)` */
export const charCodeAt = uncurryThis(string.charCodeAt) as (text: string, index: number) => number;
/** `text.indexOf(part, from)` */
export const indexOf = uncurryThis(string.indexOf) as (text: string, part: string, from?: number) => number;
/** `text.slice(start, end)` */
export const slice = uncurryThis(string.slice) as (text: string, start: number, end?: number) => string;
/** `text.startsWith(start)` */
export const startsWith = uncurryThis(string.startsWith) as (text: string, start: string) => boolean;

// ── Node ─────────────────────────────────────────────────────────────────────────────────────────

const { setImmediate, setInterval, clearInterval, setTimeout, clearTimeout, clearImmediate } = nodeTimers;
/** The real timers, also where an app has fake ones. A test of ours that wants others puts them here. */
export const timers = { setImmediate, setInterval, clearInterval, setTimeout, clearTimeout, clearImmediate };

/** The real one, likewise. */
export const queueMicrotask = globalThis.queueMicrotask;

const { nodeTiming } = globalThis.performance as unknown as { nodeTiming: object };
const { get: uvMetrics } = NativeObject.getOwnPropertyDescriptor(nodeTiming, 'uvMetricsInfo') as { get(): { readonly loopCount: number } };

/** The real monotonic clock, likewise. A test of ours that wants another one puts its functions here. */
export const performance = {
  /** Milliseconds. */
  now: globalThis.performance.now.bind(globalThis.performance),
  /** How many turns the event loop has begun: the number of the present one. */
  turn: (): number => Reflect.apply(uvMetrics, nodeTiming, []).loopCount,
};

/** The functions of `Buffer`. */
export const Buffer = copyOf(NodeBuffer);
const { prototype: typed } = globalThis.Uint8Array;
/** `bytes.indexOf(byte)` */
export const indexOfByte = uncurryThis(typed.indexOf as Method) as unknown as (bytes: Uint8Array, byte: number) => number;
/** `bytes.lastIndexOf(byte)` */
export const lastIndexOfByte = uncurryThis(typed.lastIndexOf as Method) as unknown as (bytes: Uint8Array, byte: number) => number;
const { prototype: buffer } = NodeBuffer as unknown as { prototype: Record<'utf8Slice', Method> };
type Decode = (bytes: Uint8Array, start: number, end: number) => string;
/** The text of some bytes in UTF-8. */
export const utf8Slice = uncurryThis(buffer.utf8Slice) as unknown as Decode;
/** Part of some bytes, in place. */
export const subarray = uncurryThis(NodeBuffer.prototype.subarray as Method) as unknown as <Bytes extends Uint8Array>(bytes: Bytes, start: number, end?: number) => Bytes;
