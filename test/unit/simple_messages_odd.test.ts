/**
 * Simple messages (simple_format.ts) in a process that does odd things: objects whose prototype was replaced, hidden
 * items, changed prototypes of the language, bytes of a peer that lies. V8 is the judge of each.
 */
import { isDeepStrictEqual } from 'node:util';
import { deserialize, serialize } from 'node:v8';
import { describe, expect, test } from 'vitest';
import type * as framing from '../../internal/channel/framing';
import { NOT_SIMPLE, readSimple } from '../../internal/channel/simple_reader';
import { writeSimple } from '../../internal/channel/simple_writer';
import { compiled, thrownBy } from '../support/children';

const { codecFor } = compiled<typeof framing>('internal/channel/framing.js');

/** Gives `object` the prototype of a plain object, and a member. */
const disguised = (object: object): object => Object.assign(Object.setPrototypeOf(object, Object.prototype) as object, { own: 1 });
const encoded = (message: unknown): string => (codecFor('advanced').encode(message, 'plain') as Buffer).toString('latin1', 4);
const read = (bytes: Buffer): unknown => readSimple(bytes, 0, bytes.length, true);

describe('an object of a class of V8, with the prototype of a plain object and a member', () => {
  test.each<[string, object]>([
    ['Date', new Date(5)], ['RegExp', /x/g], ['Error', new Error('no')], ['Number', new Number(4)], ['String', new String('')], ['Boolean', new Boolean(true)],
  ])('%s: the bytes are those of V8', (_name, object) => {
    disguised(object);
    expect(encoded(object)).toBe(serialize(object).toString('latin1'));
    expect(encoded([object])).toBe(serialize([object]).toString('latin1'));
  });

  test.each<[string, object]>([['Uint8Array', new Uint8Array(0)], ['DataView', new DataView(new ArrayBuffer(2))], ['arguments', (function () { return arguments; })()]])('%s is refused, as V8 refuses it', (_name, object) => {
    disguised(object);
    expect(thrownBy(() => encoded(object)).message).toBe(thrownBy(() => serialize(object)).message);
  });

  test('of other classes, such as Map, only the members are sent (D65)', () => {
    expect(encoded(disguised(new Map([[1, 2]])))).toBe(serialize({ own: 1 }).toString('latin1'));
  });

  test('a getter of Symbol.toStringTag is not called', () => {
    let calls = 0;
    const message = Object.defineProperty({ a: 1 }, Symbol.toStringTag, { get: () => `${++calls}` });
    expect(encoded(message)).toBe(serialize({ a: 1 }).toString('latin1'));
    expect(calls).toBe(0);
  });
});

test('a hidden item and a member in its place: the list is left to V8', () => {
  const list = Object.assign(Object.defineProperty([1, 2], 0, { enumerable: false }), { more: 5 });
  expect(encoded(list)).toBe(serialize(list).toString('latin1'));
});

/** Runs `run` while `holder` has these properties. Nothing else may run then, `expect` neither: arrays could not be filled. */
function during<Result>(holder: object, names: readonly string[], property: PropertyDescriptor, run: () => Result): Result {
  const configurable = { ...property, configurable: true };
  for (const name of names) Object.defineProperty(holder, name, configurable);
  try {
    return run();
  } finally {
    for (const name of names) Reflect.deleteProperty(holder, name);
  }
}

describe('with changed prototypes of the language', () => {
  const bytes = serialize({ list: ['one', ['two']] });

  test.each<[string, object]>([['Array.prototype', Array.prototype], ['Object.prototype', Object.prototype]])('a setter of an item in %s is not called: V8 reads the list', (_name, holder) => {
    let calls = 0;
    expect(during(holder, ['0', '1'], { get: () => ++calls, set: () => { calls++; } }, () => read(bytes))).toBe(NOT_SIMPLE);
    expect(calls).toBe(0);
  });

  test('an item in Array.prototype that cannot be written is no error: V8 reads the list', () => {
    expect(during(Array.prototype, ['0'], { value: 'inherited', writable: false }, () => read(bytes))).toBe(NOT_SIMPLE);
  });

  test('a Proxy behind Array.prototype is not asked', () => {
    const asked: string[] = [];
    const trap = (name: string) => (): never => { asked.push(name); throw new Error(name); };
    Object.setPrototypeOf(Array.prototype, new Proxy(Object.prototype, { has: trap('has'), set: trap('set'), getOwnPropertyDescriptor: trap('getOwnPropertyDescriptor'), ownKeys: trap('ownKeys') }));
    let got: unknown;
    let frame: unknown;
    try {
      got = read(bytes);
      frame = writeSimple([1, ['two']], 0);
    } finally {
      Object.setPrototypeOf(Array.prototype, Object.prototype);
    }
    expect({ got, frame, asked }).toEqual({ got: NOT_SIMPLE, frame: serialize([1, ['two']]), asked: [] });
  });

  test.each(['get', 'set', 'value', 'enumerable'])('a member `%s` of Object.prototype changes no message, and is not called', (name) => {
    const message = { a: [1], b: { c: 'text' } };
    const computed = { get x() { return 1; } };
    let calls = 0;
    const property = { get: () => { calls++; return undefined; } };
    const frames = during(Object.prototype, [name], property, () => [writeSimple(message, 0), writeSimple(computed, 0)]);
    expect(frames.map((frame) => frame?.toString('latin1'))).toEqual([serialize(message).toString('latin1'), undefined]);
    expect(calls).toBe(0);
  });

  test('a replaced `set` of typed arrays is not called: not as a room ends, nor for a frame in pieces, nor for views', () => {
    const typed = Object.getPrototypeOf(Uint8Array.prototype) as { set: unknown };
    const { set } = typed;
    const messages = [...Array.from({ length: 40 }, (_, at) => ({ at, text: 'x'.repeat(5000) })), { views: Buffer.from('bytes'), end: 'y'.repeat(70_000) }];
    const got: unknown[] = [];
    let calls = 0;
    typed.set = () => { calls++; };
    try {
      const decoder = codecFor('advanced').decoder();
      for (const message of messages) {
        const frame = codecFor('advanced').encode(message, 'plain') as Buffer;
        decoder.push(frame.subarray(0, 100), (value) => got.push(value));
        decoder.push(frame.subarray(100), (value) => got.push(value));
      }
    } finally {
      typed.set = set;
    }
    expect(calls).toBe(0);
    expect(isDeepStrictEqual(got, messages)).toBe(true);
  });
});

describe('bytes of a peer', () => {
  const message = { type: 'a', id: 300, list: [1, 'x', [], null], more: { n: 0.5, t: true, long: 'z'.repeat(30) } };
  const whole = serialize(message);

  test('a message ends where its frame ends, even if the bytes behind it are those that it lacks', () => {
    for (let stop = 0; stop < whole.length; stop++) expect([stop, readSimple(whole, 0, stop, true)]).toEqual([stop, NOT_SIMPLE]);
    const list = serialize([1, 2]);
    for (let stop = 0; stop < list.length; stop++) expect([stop, readSimple(list, 0, stop, true)]).toEqual([stop, NOT_SIMPLE]);
  });

  test('bytes behind a message within its frame are ignored, as V8 ignores them', () => {
    const longer = Buffer.concat([whole, Buffer.from('more')]);
    expect(deserialize(longer)).toEqual(message);
    expect(read(longer)).toEqual(message);
  });

  test('each NaN is read as the usual one, also the one by which V8 marks a hole', () => {
    for (const bits of ['fffff7fffffff7ff', '010000000000f07f', 'ffffffffffffffff']) {
      const bytes = Buffer.from(`ff0f41014e${bits}240001`, 'hex');
      const bitsOf = (value: unknown): string => Buffer.from(new Float64Array(value as number[]).buffer).toString('hex');
      expect(bitsOf(read(bytes))).toBe(bitsOf(deserialize(bytes)));
    }
  });
});
