/**
 * Buffers and Uint8Arrays in messages of the framing `advanced`. This project writes and reads most of them itself. The bytes
 * are those that V8 and Node write, and the memory of a view that arrives is its own frame, as under Node.
 */
import { deserialize } from 'node:v8';
import { describe, expect, test } from 'vitest';
import type * as framing from '../../internal/channel/framing';
import { writeSimple } from '../../internal/channel/simple_writer';
import { compiled } from '../support/children';

const { codecFor } = compiled<typeof framing>('internal/channel/framing.js');
const codec = codecFor('advanced');
const LENGTH_BYTES = 4;
const encoded = (message: unknown): Buffer => codec.encode(message, 'plain') as Buffer;
const filled = (length: number, start = 0): Buffer => Buffer.from(Uint8Array.from({ length }, (_, at) => start + at));

/** Decodes the frames, which arrive in chunks of this length. Each chunk is overwritten after it was read. */
function passed(frames: readonly Buffer[], chunk = 65536): unknown[] {
  const decoder = codec.decoder();
  const room = Buffer.alloc(chunk);
  const stream = Buffer.concat(frames);
  const got: unknown[] = [];
  for (let at = 0; at < stream.length; at += chunk) {
    const count = stream.copy(room, 0, at);
    decoder.push(room.subarray(0, count), (message) => got.push(message));
    room.fill(0xee);
  }
  return got;
}

describe.each<[string, (length: number) => Uint8Array]>([['Buffer', filled], ['Uint8Array', (length) => new Uint8Array(filled(length))]])('a %s', (_name, make) => {
  test.each([1, 64, 127, 128, 16_384, 60_000])('of %i bytes is written as V8 and Node write it', (length) => {
    const view = make(length);
    const byHand = writeSimple([view, 1], 0) as Buffer;
    // V8 writes a message with a BigInt. Up to its number `Z`, the bytes of the list are the same.
    const byNode = encoded([view, 1n]).subarray(LENGTH_BYTES);
    expect(byHand.subarray(0, byHand.lastIndexOf('I')).equals(byNode.subarray(0, byNode.lastIndexOf('Z')))).toBe(true);
  });

  test.each([0, 1, 64, 16_384, 65_536, 100_000, 1 << 20, 5 << 20])('of %i bytes arrives in memory of its own frame', (length) => {
    const frames = [1, 2, 3].map((id) => encoded({ id, view: make(length) }));
    for (const chunk of length < 100_000 ? [1000, 65_536] : [65_536]) {
      const got = passed(frames, chunk) as { id: number; view: Uint8Array }[];
      expect(got.map(({ id }) => id)).toEqual([1, 2, 3]);
      for (const [index, { view }] of got.entries()) {
        expect(view.constructor).toBe(make(0).constructor);
        expect(Buffer.compare(view, make(length))).toBe(0);
        expect(view.buffer.byteLength).toBe(frames[index]?.length);
      }
      expect(new Set(got.map(({ view }) => view.buffer)).size).toBe(3);
    }
  });
});

test('several views in one message share its frame, between messages without any', () => {
  const message = { name: 'two', list: [filled(300, 7), { deep: new Uint8Array([1, 2]) }], last: filled(3) };
  const frames = [encoded({ text: 'x'.repeat(200_000) }), encoded(message), encoded('short'), encoded(message), encoded({ view: filled(70_000) })];
  for (const chunk of [333, 65_536]) {
    const [, first, , second, long] = passed(frames, chunk) as [unknown, typeof message, unknown, typeof message, { view: Buffer }];
    expect(first).toEqual(message);
    expect(second).toEqual(message);
    expect(long.view.equals(filled(70_000))).toBe(true);
    const [view] = first.list as [Buffer];
    expect(view.buffer).toBe(first.last.buffer);
    expect(view.buffer).not.toBe(second.last.buffer);
    expect(Buffer.from(view.buffer).equals(frames[1] as Buffer)).toBe(true);
  }
});

test('a view that occurs twice is one object', () => {
  const view = filled(3);
  const [{ one, two }] = passed([encoded({ one: view, two: view })]) as [{ one: Buffer; two: Buffer }];
  expect(one).toBe(two);
});

describe('left to V8 and Node', () => {
  const moved = new ArrayBuffer(8);
  const gone = new Uint8Array(moved);
  structuredClone(moved, { transfer: [moved] });
  test.each<[string, object]>([
    ['an own constructor', Object.assign(filled(3), { constructor: Uint8Array })], ['an own byteLength', Object.defineProperty(filled(3), 'byteLength', { value: 2 })],
    ['an own Symbol.toStringTag', Object.defineProperty(new Uint8Array(3), Symbol.toStringTag, { value: 'Int8Array' })], ['a class', new (class Bytes extends Uint8Array {})(3)],
    ['a Float64Array that looks like a Buffer', Object.setPrototypeOf(new Float64Array(1), Buffer.prototype)], ['a DataView', new DataView(new ArrayBuffer(2))],
    ['an object that looks like a Buffer', Object.assign(Object.create(Buffer.prototype), { a: 1 })], ['no bytes', filled(0)], ['memory that was given away', gone], ['more than a room', filled(65_536)],
  ])('%s', (_name, view) => {
    expect(writeSimple({ view }, 0)).toBeNull();
  });

  test('other kinds, beside a Buffer', () => {
    const message = { bytes: filled(5), floats: new Float64Array([1.5]), when: new Date(5), view: new DataView(new ArrayBuffer(2)) };
    for (const chunk of [7, 65_536]) expect(passed([encoded(message), encoded(message)], chunk)).toEqual([message, message]);
  });
});

test('damaged bytes of a view are refused, or become what V8 makes of them', () => {
  const whole = encoded([filled(4)]);
  const view = whole.indexOf(0x5c);
  let read = 0;
  for (let at = view + 2; at < whole.length; at++) {
    for (let value = 0; value < 256; value++) {
      const damaged = Buffer.from(whole);
      damaged[at] = value;
      // V8's own deserializer expects the kind where a channel has the number VIEW.
      const judged = Buffer.concat([damaged.subarray(LENGTH_BYTES, view + 1), damaged.subarray(view + 2)]);
      const [ours, theirs] = [() => passed([damaged])[0], () => deserialize(judged) as unknown].map(outcomeOf);
      expect([at, value, ours]).toEqual([at, value, theirs]);
      if (ours !== 'refused') read++;
    }
  }
  expect(read).toBeGreaterThan(1000);
});

function outcomeOf(run: () => unknown): unknown {
  try {
    return run();
  } catch {
    return 'refused';
  }
}
