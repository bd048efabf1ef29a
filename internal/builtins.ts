/**
 * Copies of the functions of the language and of Node, made when this file is loaded, under their usual names.
 *
 * Test frameworks, fake timers and polyfills replace globals and methods, or delete them, while a program runs. A
 * channel, a worker and a primary must go on as before, so they call these copies. Node's own channel does the same.
 *
 *     import { JSON, Map, push } from '../builtins';
 *     JSON.parse(text); new Map(); push(list, item);     // a program can replace none of the three
 *
 * Used by  every file whose code can run after the app was loaded
 * Never    calls a method that a program can replace: `push(list, item)` stands for `list.push(item)`. Code that
 *          handles messages and connections does the same; elsewhere a method call is fine.
 * Node     test/faults/replaced_globals.test.ts replaces each function in turn while a message or a connection
 *          passes, except those without which stock Node fails too (`process.nextTick`, `EventEmitter.prototype.emit`).
 */
import { Buffer as NodeBuffer } from 'node:buffer';
import nodeTimers from 'node:timers';

const { get: valueOf, ownKeys } = globalThis.Reflect;
const { defineProperty, getOwnPropertyDescriptor, freeze } = globalThis.Object;

/** Copies the functions and constants of `holder` to `target`, and returns it. */
function copyMembers<Holder extends object>(target: object, holder: Holder): Holder {
  for (const name of ownKeys(holder)) {
    if (name === 'constructor' || name === 'prototype' || name === 'length' || name === 'name') continue;
    defineProperty(target, name, getOwnPropertyDescriptor(holder, name) as PropertyDescriptor);
  }
  return target as Holder;
}

/** Copies a namespace such as `JSON`, or the static functions of a class. They work without their `this`; only those of Array would use it. */
const copyOf = <Holder extends object>(holder: Holder): Holder => freeze(copyMembers({}, holder));

/** Copies a function that converts its argument, such as `Number`, with its functions and constants. */
const converterOf = <Converter extends (value?: never) => unknown>(converter: Converter): Converter =>
  freeze(copyMembers((value: never) => converter(value), converter));

// ── the language ─────────────────────────────────────────────────────────────────────────────────

/** `JSON`. */
export const JSON = copyOf(globalThis.JSON);
/** `Math`. */
export const Math = copyOf(globalThis.Math);
/** `Reflect`. */
export const Reflect = copyOf(globalThis.Reflect);
/** `Object`. The compiler does not allow an export of that name. */
export const NativeObject = copyOf(globalThis.Object);
/** The functions of `Array`. It is no constructor: write `[]`. */
export const Array = copyOf(globalThis.Array);
/** `Number`. */
export const Number = converterOf(globalThis.Number);
/** `String`. */
export const String = converterOf(globalThis.String);
/** `Boolean`. */
export const Boolean = globalThis.Boolean;

/** A Map whose methods a program cannot replace. */
export class Map<Key, Value> extends globalThis.Map<Key, Value> {}
copyMembers(Map.prototype, globalThis.Map.prototype);

/** A Set whose methods a program cannot replace. */
export class Set<Item> extends globalThis.Set<Item> {}
copyMembers(Set.prototype, globalThis.Set.prototype);

type Method = (this: never, ...args: never[]) => unknown;

const { bind, call } = globalThis.Function.prototype;

/** Makes a method a function that takes the method's `this` as its first argument. The caller gives the type. */
const uncurryThis = <Uncurried>(method: Method): Uncurried => bind.call(call, method);

const { prototype: array } = globalThis.Array;
/** `list.push(item)`. Written out, because V8 inlines it then; it does not inline what `uncurryThis` makes. */
export function push<Item>(list: Item[], item: Item): void {
  list[list.length] = item;
}
/** `list.shift()` */
export const shift = uncurryThis<<Item>(list: Item[]) => Item | undefined>(array.shift);
/** `list.join(separator)` */
export const join = uncurryThis<(list: readonly unknown[], separator: string) => string>(array.join);

/**
 * The class of an object, such as `[object Date]`. It calls no code of the app if the object has no `Symbol.toStringTag`,
 * not even an inherited one.
 */
export const classOf = uncurryThis<(object: object) => string>(globalThis.Object.prototype.toString);

const { prototype: string } = globalThis.String;
/** `text.charCodeAt(index)` */
export const charCodeAt = uncurryThis<(text: string, index: number) => number>(string.charCodeAt);
/** `text.indexOf(part, from)` */
export const indexOf = uncurryThis<(text: string, part: string, from?: number) => number>(string.indexOf);
/** `text.slice(start, end)` */
export const slice = uncurryThis<(text: string, start: number, end?: number) => string>(string.slice);
/** `text.startsWith(start)` */
export const startsWith = uncurryThis<(text: string, start: string) => boolean>(string.startsWith);

// ── Node ─────────────────────────────────────────────────────────────────────────────────────────

const { setImmediate, setInterval, clearInterval, setTimeout, clearTimeout, clearImmediate } = nodeTimers;
const { nextTick } = process;
/**
 * The real timers and `process.nextTick`, also under fake ones. A test of this project that needs fake ones puts them here.
 * Whatever has to be done in a tick is done: a tick that fake timers drop would leave a queue waiting for it for ever.
 */
export const timers = { setImmediate, setInterval, clearInterval, setTimeout, clearTimeout, clearImmediate, nextTick };

/** The real `queueMicrotask`, likewise. */
export const queueMicrotask = globalThis.queueMicrotask;

const nodeTiming: object = valueOf(globalThis.performance, 'nodeTiming');
const { get: uvMetrics } = NativeObject.getOwnPropertyDescriptor(nodeTiming, 'uvMetricsInfo') as { get(): { readonly loopCount: number } };

/** The real monotonic clock, likewise. A test of this project that needs another one puts its functions here. */
export const performance = {
  /** Milliseconds since the process started. */
  now: globalThis.performance.now.bind(globalThis.performance),
  /** When the process started, in milliseconds since 1970. */
  timeOrigin: globalThis.performance.timeOrigin,
  /** The number of turns that the event loop has begun. It does not change within a turn. */
  turn: (): number => Reflect.apply(uvMetrics, nodeTiming, []).loopCount,
};

/** The functions of `Buffer`. */
export const Buffer = copyOf(NodeBuffer);
const { prototype: typed } = globalThis.Uint8Array;
/** `bytes.set(source, start)` */
export const setBytes = uncurryThis<(bytes: Uint8Array, source: Uint8Array, start?: number) => void>(typed.set);
const typedArray: object = Reflect.getPrototypeOf(typed) as object;
const getterOf = (name: PropertyKey): Method => NativeObject.getOwnPropertyDescriptor(typedArray, name)?.get as Method;
/** The class of a typed array, such as `Uint8Array`, whatever its prototype is now; undefined for another object. */
export const typedClassOf = uncurryThis<(object: object) => string | undefined>(getterOf(Symbol.toStringTag));
/** `bytes.byteLength` */
export const byteLengthOf = uncurryThis<(bytes: Uint8Array) => number>(getterOf('byteLength'));
/** `bytes.byteOffset` */
export const byteOffsetOf = uncurryThis<(bytes: Uint8Array) => number>(getterOf('byteOffset'));
/** `bytes.buffer` */
export const memoryOf = uncurryThis<(bytes: Uint8Array) => ArrayBuffer>(getterOf('buffer'));
/** `Uint8Array`, for `new`. */
export const { Uint8Array } = globalThis;
type Search = (bytes: Uint8Array, byte: number) => number;
/** `bytes.indexOf(byte)`. That of Buffer: it looks at 64 KiB in 1 µs, and that of Uint8Array in 20 to 50. */
export const indexOfByte = uncurryThis<Search>(valueOf(NodeBuffer.prototype, 'indexOf'));
/** `bytes.lastIndexOf(byte)`. That of Buffer, likewise. */
export const lastIndexOfByte = uncurryThis<Search>(valueOf(NodeBuffer.prototype, 'lastIndexOf'));
type Decode = (bytes: Uint8Array, start: number, end: number) => string;
/** Decodes some of the bytes as UTF-8. */
export const utf8Slice = uncurryThis<Decode>(valueOf(NodeBuffer.prototype, 'utf8Slice'));
/** Decodes some of the bytes as Latin-1. */
export const latin1Slice = uncurryThis<Decode>(valueOf(NodeBuffer.prototype, 'latin1Slice'));
/** Encodes the text as UTF-8, into at most `length` bytes. Returns how many bytes it wrote. */
export const utf8Write = uncurryThis<(bytes: Uint8Array, text: string, start: number, length: number) => number>(valueOf(NodeBuffer.prototype, 'utf8Write'));
/** `bytes.subarray(start, end)`: no copy */
export const subarray = uncurryThis<<Bytes extends Uint8Array>(bytes: Bytes, start: number, end?: number) => Bytes>(NodeBuffer.prototype.subarray);
