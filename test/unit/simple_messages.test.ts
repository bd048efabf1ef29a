/**
 * Simple messages, which this project writes and reads in V8's structured clone by itself: V8 makes the same bytes and
 * the same values. Whatever is not simple, and whatever is damaged, becomes what V8 makes of it.
 */
import { isDeepStrictEqual } from 'node:util';
import { runInNewContext } from 'node:vm';
import { DefaultDeserializer, deserialize, serialize } from 'node:v8';
import { afterEach, describe, expect, test } from 'vitest';
import type * as framing from '../../internal/channel/framing';
import { NOT_SIMPLE, readSimple } from '../../internal/channel/simple_reader';
import { writeSimple } from '../../internal/channel/simple_writer';
import { compiled, seeded, thrownBy } from '../support/children';

const { codecFor } = compiled<typeof framing>('internal/channel/framing.js');

/** The value's bytes, as this project writes them; null if it leaves them to V8. */
const written = (value: unknown): Buffer | null => writeSimple(value, 0);
/** Reads bytes, which stand behind others and before others, as in a chunk. */
function readBack(bytes: Buffer): unknown {
  return readSimple(Buffer.concat([Buffer.from('before'), bytes, Buffer.from('{')]), 6, 6 + bytes.length, true);
}

/** What comes out at the other end of a channel. */
function passed(message: unknown): unknown {
  const { encode, decoder } = codecFor('advanced');
  let got: unknown;
  decoder().push(encode(message, 'plain') as Buffer, (value) => got = value);
  return got;
}

const simple: [string, unknown][] = [
  ['undefined', undefined], ['null', null], ['true', true], ['false', false],
  ...[0, 1, -1, 63, 64, -64, -65, 8191, 8192, 2 ** 30, 2 ** 31 - 1, -(2 ** 31)].map((number): [string, unknown] => [String(number), number]),
  ...[-0, 0.5, NaN, Infinity, -Infinity, 2 ** 31, -(2 ** 31) - 1, 2 ** 53, 5e-324, 1.7e308].map((number): [string, unknown] => [Object.is(number, -0) ? '-0' : String(number), number]),
  ...[0, 1, 39, 40, 41, 127, 128, 16_383, 16_384, 21_000, 65_510].map((length): [string, unknown] => [`a text of ${length}`, 'x'.repeat(length)]),
  ['Latin-1', 'Grüße ÿ\0\x7f'], ['an object', { type: 'count', id: 12345, data: 'x', nested: { deep: { no: undefined } } }],
  ['lists', { empty: [], list: [1, 'two', null, undefined, [true, [{ a: 1 }]]] }], ['a list', [1, 2, 3]], ['a key of Latin-1', { é: 1, '': 2, ' 1': 3, '-1': 4 }],
  ['a long object', Object.fromEntries(Array.from({ length: 300 }, (_, at) => [`k${at}`, at]))],
];

test.each(simple)('%s: the bytes are those of V8, and are read as V8 reads them', (_name, value) => {
  const bytes = written(value);
  expect(bytes?.toString('latin1')).toBe(serialize(value).toString('latin1'));
  const got = readBack(bytes as Buffer);
  expect(isDeepStrictEqual(got, deserialize(bytes as Buffer))).toBe(true);
  expect(isDeepStrictEqual(got, value)).toBe(true);
});

test('random messages: the bytes of V8, and the same values', () => {
  const random = seeded(24);
  const texts = ['', 'a', 'type', 'Grüße', 'constructor ', 'x'.repeat(50), 'y'.repeat(3000)];
  const make = (depth: number): unknown => {
    switch (random(depth > 0 ? 8 : 6)) {
      case 0: return [null, undefined, true, false][random(4)];
      case 1: return random(300) - 150;
      case 2: return (random(2 ** 30) - 2 ** 29) * 4;
      case 3: return random(1000) + 0.25;
      case 4: case 5: return texts[random(texts.length)];
      case 6: return Array.from({ length: random(5) }, () => make(depth - 1));
      default: return Object.fromEntries(Array.from({ length: 1 + random(5) }, (_, at) => [`${texts[random(6)]}_${at}`, make(depth - 1)]));
    }
  };
  let bytesOfV8 = 0;
  for (let round = 0; round < 3000; round++) {
    const value = make(3);
    const bytes = written(value);
    if (bytes === null) continue; // More than 32 objects.
    if (!isDeepStrictEqual(deserialize(bytes), value) || !isDeepStrictEqual(readBack(bytes), value)) expect({ round, value }).toBe('as it was sent');
    if (bytes.equals(serialize(value))) bytesOfV8++;
  }
  // V8 writes an integer as a double where it holds it so, in a list with fractions.
  expect(bytesOfV8).toBeGreaterThan(1500);
});

const cycle: { self?: unknown } = {};
cycle.self = cycle;
const shared = { a: 1 };
const holes = [1, 2, 3];
delete holes[1];

test('a long text in which one character is not ASCII, wherever it stands: what arrives is what V8 sends', () => {
  for (const character of ['\u00e9', '\u20ac', '\u{1f600}', '\ud800', '\udc00']) {
    for (let before = 0; before < 60; before++) {
      const text = 'x'.repeat(before) + character + 'x'.repeat(59 - before);
      for (const message of [text, character.repeat(30 + before), { text, next: text }]) {
        const got = passed(message);
        if (!isDeepStrictEqual(got, deserialize(serialize(message)))) expect(got).toEqual(message);
      }
    }
  }
});

describe('left to V8', () => {
  test.each<[string, unknown]>([
    ['a cycle', cycle], ['an object that occurs twice', { one: shared, two: shared }], ['a list with a hole', holes],
    ['a list with a member', Object.assign([1], { more: 2 })], ['a Date', { when: new Date(5) }], ['a Map', new Map([[1, 2]])], ['a BigInt', [1n]],
    ['an index as a key', { 0: 'a', 12: 'b' }], ['other characters', '€'], ['other characters in a key', { '世界': 1 }], ['a long text of Latin-1', 'é'.repeat(100)],
    ['a text longer than a room', 'x'.repeat(70_000)], ['a Map with another prototype', Object.setPrototypeOf(new Map([[1, 2]]), Object.prototype)],
    ['an instance of a class', new (class Point { x = 1; })()], ['no prototype', Object.assign(Object.create(null), { a: 1 })], ['an object of another realm', runInNewContext('({ a: 1 })')],
    ['an own __proto__', JSON.parse('{"__proto__":{"a":1}}')], ['a Float64Array', new Float64Array([1, 2])], ['more than 32 objects', Array.from({ length: 40 }, () => ({ a: 1 }))],
    ['a getter', { get a() { return 1; } }], ['no members', {}],
  ])('%s', (name, value) => {
    if (name !== 'an own __proto__') expect(written(value)).toBeNull();
    expect(passed(value)).toEqual(deserialize(serialize(value)));
  });

  test('and identity is kept: an object that occurs twice is one object', () => {
    const got = passed({ one: shared, two: shared }) as { one: unknown; two: unknown };
    expect(got.one).toBe(got.two);
  });

  test.each<[string, () => unknown]>([
    ['a Proxy', () => new Proxy({ a: 1 }, { ownKeys: () => { throw new Error('a trap was called'); } })],
    ['arguments', function () { return arguments; }], ['a function', () => ({ a: 1, f() {} })], ['a symbol', () => ({ s: Symbol('s') })],
  ])('%s throws what V8 throws', (_name, make) => {
    expect(thrownBy(() => codecFor('advanced').encode(make(), 'plain')).message).toBe(thrownBy(() => serialize(make())).message);
    expect(passed({ a: 1 })).toEqual({ a: 1 });
  });

  test('a getter is called once, also beside something that is not simple, and may send a message itself', () => {
    let calls = 0;
    const message = { first: 1, get count() { passed({ inner: calls }); return ++calls; }, when: new Date(0) };
    expect(passed(message)).toEqual({ first: 1, count: 1, when: new Date(0) });
    expect(calls).toBe(1);
  });
});

describe('with a changed Object.prototype', () => {
  const before = Object.getOwnPropertyNames(Object.prototype);
  afterEach(() => {
    for (const name of Object.getOwnPropertyNames(Object.prototype)) if (!before.includes(name)) Reflect.deleteProperty(Object.prototype, name);
  });

  test('a setter there is not called by a message, and the member arrives', () => {
    const bytes = written({ trap: 1, other: 2 }) as Buffer;
    let calls = 0;
    Object.defineProperty(Object.prototype, 'trap', { set: () => { calls++; }, get: () => 'inherited', configurable: true });
    expect(readBack(bytes)).toBe(NOT_SIMPLE);
    const got = passed({ ...deserialize(bytes) as object });
    expect(Object.getOwnPropertyDescriptor(got, 'trap')?.value).toBe(1);
    expect(calls).toBe(0);
  });

  test('an enumerable member there is not sent', () => {
    Object.defineProperty(Object.prototype, 'everywhere', { value: 1, enumerable: true, configurable: true });
    const got = passed({ own: 1 }) as object;
    Reflect.deleteProperty(Object.prototype, 'everywhere'); // `expect` would stumble over it.
    expect(Object.keys(got)).toEqual(['own']);
  });

  test('a message cannot change a prototype', () => {
    const got = passed(JSON.parse('{"__proto__":{"admin":true},"a":1}')) as { admin?: boolean };
    expect([got.admin, Object.getPrototypeOf(got) === Object.prototype]).toEqual([undefined, true]);
  });
});

test('damaged bytes: each byte of a message in each value, and each end, become what V8 makes of them', () => {
  const odd: string[] = [];
  const compare = (bytes: Buffer): void => {
    const got = readBack(bytes);
    if (got === NOT_SIMPLE) return;
    let expected: unknown;
    const deserializer = new DefaultDeserializer(bytes);
    try {
      deserializer.readHeader();
      expected = deserializer.readValue();
    } catch (error) {
      expected = error;
    }
    if (!isDeepStrictEqual(got, expected)) odd.push(bytes.toString('hex'));
  };
  const messages = [{ type: 'a', id: 1, list: [1, 'x', [], null], more: { n: 0.5, t: true } }, [300, -5, undefined, 'ab', [[]]], 'text', 70_000, -1.5];
  let read = 0;
  for (const message of messages) {
    const whole = written(message) as Buffer;
    for (let stop = 0; stop <= whole.length; stop++) compare(whole.subarray(0, stop));
    for (let at = 0; at < whole.length; at++) {
      for (let byte = 0; byte < 256; byte++) {
        const bytes = Buffer.from(whole);
        bytes[at] = byte;
        compare(bytes);
        if (readBack(bytes) !== NOT_SIMPLE) read++;
      }
    }
  }
  expect(odd).toEqual([]);
  expect(read).toBeGreaterThan(1000);
});

test('a deep nest of objects ends before the stack does', () => {
  const nest = Buffer.concat([Buffer.from([0xff, 0x0f]), Buffer.alloc(60_000, Buffer.from('o"\x01a', 'latin1'))]);
  expect(readBack(nest)).toBe(NOT_SIMPLE);
});

test('frames that wait keep their bytes, whatever is written after them', () => {
  const random = seeded(5);
  const messages = Array.from({ length: 4000 }, (_, at) => {
    const kind = random(40);
    return { at, text: 'z'.repeat(kind === 0 ? 18_000 : kind === 1 ? 100_000 : random(200)), ...(kind === 2 ? { when: new Date(at) } : {}) };
  });
  const frames = messages.map((message) => codecFor('advanced').encode(message, 'plain') as Buffer);
  expect(frames.every((frame, at) => frame.readUInt32BE(0) === frame.length - 4 && isDeepStrictEqual(deserialize(frame.subarray(4)), messages[at]))).toBe(true);
});
