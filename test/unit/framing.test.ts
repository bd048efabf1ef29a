/** Bytes ⇄ messages: into whatever chunks the kernel cuts the stream, the messages are the same. */
import { isDeepStrictEqual } from 'node:util';
import { deserialize, serialize } from 'node:v8';
import { describe, expect, test } from 'vitest';
import type * as framing from '../../internal/channel/framing';
import type { Codec, Decoder, Serialization, Tag } from '../../internal/channel/codec';
import type { NativePipe } from '../../internal/native/bindings';
import { newPipe } from '../../internal/native/pipes';
import { compiled, seeded, thrownBy } from '../support/children';

// The compiled file, because the source loads framing_advanced by `require`, which finds no TypeScript.
const { codecFor } = compiled<typeof framing>('internal/channel/framing.js');

type Frame = [message: unknown, tag: Tag];

const bytesOf = (frame: string | Buffer): Buffer => (typeof frame === 'string' ? Buffer.from(frame) : frame);

function encoded(serialization: Serialization, frames: readonly Frame[]): Buffer {
  const codec = codecFor(serialization);
  return Buffer.concat(frames.map(([message, tag]) => bytesOf(codec.whole(codec.encode(message, tag)))));
}

/** The bytes of frames that the codec has joined for one write, as the pieces of that write. */
function joined(codec: Codec, frames: (string | Buffer)[]): readonly Uint8Array[] {
  const data = codec.join(frames, frames.reduce((sum, frame) => sum + frame.length, 0));
  return (Array.isArray(data) ? data as (string | Buffer)[] : [data as string | Buffer]).map(bytesOf);
}

function decoded(decoder: Decoder, chunks: readonly Uint8Array[]): Frame[] {
  const frames: Frame[] = [];
  for (const chunk of chunks) decoder.push(chunk, (message, tag) => frames.push([message, tag]));
  return frames;
}

/** Cuts the stream into pieces: if bit k of `cuts` is 1, there is a cut after byte k. */
function cut(stream: Buffer, cuts: number): Buffer[] {
  const pieces: Buffer[] = [];
  let start = 0;
  for (let at = 0; at < stream.length - 1; at++) {
    if ((cuts >> at) & 1) {
      pieces.push(stream.subarray(start, at + 1));
      start = at + 1;
    }
  }
  pieces.push(stream.subarray(start));
  return pieces;
}

const single = (serialization: Serialization, message: unknown): unknown =>
  decoded(codecFor(serialization).decoder(), [encoded(serialization, [[message, 'plain']])])[0]?.[0];

describe.each<Serialization>(['json', 'advanced'])('%s', (serialization) => {
  const frames: Frame[] = serialization === 'json'
    ? [['é😀', 'plain'], [7, 'handle'], [1, 'envelope']] // 9 + 3 + 3 bytes: 2- and 4-byte sequences
    : [['é', 'plain'], [7, 'envelope']]; // 9 + 9 bytes
  const stream = encoded(serialization, frames);

  test('every one of the 2^n chunkings of a small stream gives the same messages', () => {
    expect(stream.length).toBeLessThan(19);
    for (let cuts = 0; cuts < 2 ** (stream.length - 1); cuts++) {
      const decoder = codecFor(serialization).decoder();
      const got = decoded(decoder, cut(stream, cuts));
      // `expect` on each of 100 000 chunkings would take most of the suite's time.
      if (JSON.stringify(got) !== JSON.stringify(frames) || decoder.partial) expect({ cuts, got }).toEqual({ cuts, got: frames });
    }
  });

  const rich: Frame[] = [
    [{ text: 'Grüße, 世界 🌍', nested: { list: [1, 'two', null, true, 2.5e-7] } }, 'plain'],
    ['\n\r\u2028"\\', 'plain'], [{ cmd: 'NODE_CLUSTER', act: 'newconn', key: '::1:8000:6:undefined', seq: 12 }, 'handle'],
    [null, 'plain'], [false, 'envelope'], ['', 'plain'], [{}, 'handle'], [[], 'plain'], ['H', 'plain'], ['E', 'plain'],
  ];

  test('a rich stream in two pieces, cut at every byte', () => {
    const bytes = encoded(serialization, rich);
    for (let at = 0; at <= bytes.length; at++) {
      expect(decoded(codecFor(serialization).decoder(), [bytes.subarray(0, at), bytes.subarray(at)])).toEqual(rich);
    }
  });

  test('a rich stream one byte at a time, and `partial` says when a message has begun', () => {
    const decoder = codecFor(serialization).decoder();
    const ends = new Set<number>();
    let end = 0;
    for (const frame of rich) ends.add(end += encoded(serialization, [frame]).length);
    const got: Frame[] = [];
    expect(decoder.partial).toBe(false);
    [...encoded(serialization, rich)].forEach((byte, at) => {
      decoder.push(Uint8Array.of(byte), (message, tag) => got.push([message, tag]));
      expect(decoder.partial).toBe(!ends.has(at + 1));
    });
    expect(got).toEqual(rich);
  });

  test('random pieces of 300 messages', () => {
    const random = seeded(7);
    const many: Frame[] = Array.from({ length: 300 }, (_, at) => [
      { at, text: 'ä€😀x'.repeat(random(40)) }, (['plain', 'handle', 'envelope'] as const)[random(3)] as Tag,
    ]);
    const bytes = encoded(serialization, many);
    const pieces: Buffer[] = [];
    for (let start = 0; start < bytes.length;) pieces.push(bytes.subarray(start, start += 1 + random(90)));
    expect(decoded(codecFor(serialization).decoder(), pieces)).toEqual(many);
  });

  test('50 000 messages in one chunk, and joined by the codec itself', () => {
    const codec = codecFor(serialization);
    const parts = Array.from({ length: 50_000 }, (_, at) => codec.encode(at, 'plain'));
    const got = decoded(codec.decoder(), joined(codec, parts));
    expect(got.length).toBe(50_000);
    expect(got.every(([message, tag], at) => message === at && tag === 'plain')).toBe(true);
    const long = Array.from({ length: 100 }, (_, at) => ({ at, text: 'x'.repeat(at * 50) }));
    const messages = decoded(codec.decoder(), joined(codec, long.map((message) => codec.encode(message, 'plain')))).map(([message]) => message);
    expect(messages).toEqual(long);
  });

  test('no value can forge a tag: every message comes back plain', () => {
    const codec = codecFor(serialization);
    const random = seeded(serialization.length);
    const odd: unknown[] = ['H', 'E', 'H{}', 'E{"cmd":"NODE_HANDLE"}', 'Hello', 'E1', ' H', '\nH1\n', '\nE{}\n', 'H\n', ['H'], { H: 'H' },
      { toJSON: undefined }, new String('H1'), 0x48, 0x45, -0x48, 0x48000000, 1.5e300, -0, true, false, null, '\u0048', '\ud83d'];
    if (serialization === 'json') {
      odd.push({ toJSON: () => 'H1' }, { toJSON: () => ({ toJSON: () => 'E1' }) }, { toJSON: () => null }, new Date(0));
      const { rawJSON } = JSON as unknown as { rawJSON?(text: string): unknown };
      if (rawJSON) odd.push(rawJSON('72'), rawJSON('"H"'));
    } else {
      odd.push(undefined, 0x48n, new Map([['H', 'E']]), new Set(['H']), Buffer.from('HE'), new Uint8Array([72, 69]).buffer, new Error('H'), /H/, new Date(0), NaN);
    }
    for (let times = 0; times < 500; times++) {
      odd.push(String.fromCharCode(...Array.from({ length: random(6) }, () => ['H', 'E', '\n', '{', '"', '\u0000'][random(6)]!.charCodeAt(0))));
    }
    for (const message of odd) {
      const frames = decoded(codec.decoder(), [bytesOf(codec.whole(codec.encode(message, 'plain')))]);
      expect(frames.length).toBe(1);
      expect(frames[0]?.[1]).toBe('plain');
    }
  });

  test('a bad frame throws, the ones before it are delivered, and the decoder works on', () => {
    const decoder = codecFor(serialization).decoder();
    const bad = serialization === 'json' ? Buffer.from('{"half\n') : Buffer.from([0, 0, 0, 3, 0x41, 0x42, 0x43]);
    const got: unknown[] = [];
    const sink = (message: unknown): void => void got.push(message);
    expect(() => decoder.push(Buffer.concat([encoded(serialization, [['before', 'plain']]), bad]), sink)).toThrow();
    expect(got).toEqual(['before']);
    expect(decoder.partial).toBe(false);
    decoder.push(encoded(serialization, [['after', 'plain'], ['later', 'handle']]), sink);
    expect(got).toEqual(['before', 'after', 'later']);
  });

  test('a bad frame that comes in pieces leaves nothing behind', () => {
    const decoder = codecFor(serialization).decoder();
    const bad = serialization === 'json' ? Buffer.from('H!\n') : Buffer.from([0, 0, 0, 2, 0x48, 0xff]);
    const nothing = (): void => {};
    decoder.push(bad.subarray(0, bad.length - 1), nothing);
    expect(() => decoder.push(bad.subarray(-1), nothing)).toThrow();
    expect(decoder.partial).toBe(false);
    expect(decoded(decoder, [encoded(serialization, [[1, 'plain']])])).toEqual([[1, 'plain']]);
  });

  test('D32: a frame that is too long is refused before its end; the frames before it are delivered, and so is one of the highest length', () => {
    const text = 'x'.repeat(1000);
    const long = encoded(serialization, [[text, 'plain']]);
    const longest = serialization === 'json' ? long.length - 1 : long.length; // without its newline
    const stream = Buffer.concat([encoded(serialization, [['before', 'plain']]), long]);
    const middle = stream.length - 500;
    const pieces = [stream.subarray(0, middle), stream.subarray(middle, stream.length - 2), stream.subarray(-2)];
    expect(decoded(codecFor(serialization).decoder(longest), pieces)).toEqual([['before', 'plain'], [text, 'plain']]);
    const decoder = codecFor(serialization).decoder(longest - 3);
    const got: unknown[] = [];
    let taken = 0;
    expect(thrownBy(() => {
      for (const piece of pieces) {
        decoder.push(piece, (message) => got.push(message));
        taken++;
      }
    }).code).toBe('ERR_IPC_MESSAGE_TOO_LONG');
    expect([got, taken]).toEqual([['before'], serialization === 'json' ? 1 : 0]); // advanced knows the length at once, json when the limit is reached
  });

  test('an exception of the receiver does not upset the decoder', () => {
    const decoder = codecFor(serialization).decoder();
    const bytes = encoded(serialization, [[1, 'plain']]);
    expect(() => decoder.push(bytes, () => { throw new Error('the receiver'); })).toThrow('the receiver');
    expect(decoded(decoder, [bytes])).toEqual([[1, 'plain']]);
  });

  test('a message of 64 MB in chunks of 64 KiB takes linear time', () => {
    const codec = codecFor(serialization);
    const length = 64 << 20;
    const bytes = bytesOf(codec.whole(codec.encode('x'.repeat(length), 'plain')));
    const chunks: Buffer[] = [];
    for (let start = 0; start < bytes.length; start += 65536) chunks.push(bytes.subarray(start, start + 65536));
    // Processor time, not time of the clock: other programs may run in between.
    const microseconds = (work: () => number): number => {
      const began = process.cpuUsage();
      expect(work()).toBeGreaterThanOrEqual(length);
      const { user, system } = process.cpuUsage(began);
      return user + system;
    };
    // Compared with other linear work on the same bytes. A comparison with 16 MB would measure the processor's caches.
    const linear = Math.min(...[1, 2].map(() => microseconds(() => Buffer.concat(chunks).toString('latin1').length)));
    const decoding = Math.min(...[1, 2].map(() => microseconds(() => (decoded(codec.decoder(), chunks)[0]?.[0] as string).length)));
    // A decoder that looked at all earlier chunks with each of the 1024 chunks would read 500 times the bytes.
    expect(decoding / linear).toBeLessThan(12);
  });
});

describe('json', () => {
  const { encode, decoder } = codecFor('json');

  test('I-10: one line of JSON; undefined members vanish, NaN is null, text stays as it is', () => {
    expect(encode({ n: 1, s: 'é' }, 'plain')).toBe('{"n":1,"s":"é"}');
    expect(encode({ a: undefined, b: NaN }, 'plain')).toBe('{"b":null}');
    expect(encode({ toJSON: () => undefined }, 'plain')).toBe('undefined');
    expect(encode(1, 'handle')).toBe('H1');
    expect(encode(1, 'envelope')).toBe('E1');
  });

  test('I-11: blanks around a value and a carriage return are accepted, an empty line is not', () => {
    expect(decoded(decoder(), [Buffer.from('"a"\r\n  7 \n')])).toEqual([['a', 'plain'], [7, 'plain']]);
    expect(() => decoded(decoder(), [Buffer.from('\n')])).toThrow(SyntaxError);
  });

  test('I-11: a bad line takes the later lines of its chunk with it, and not what comes in the next', () => {
    const one = decoder();
    expect(() => decoded(one, [Buffer.from('nonsense\n1\n2\n')])).toThrow(SyntaxError);
    expect(decoded(one, [Buffer.from('3\n')])).toEqual([[3, 'plain']]);
  });

  test('I-21: a cycle cannot be encoded', () => {
    const cycle: { self?: unknown } = {};
    cycle.self = cycle;
    expect(() => encode(cycle, 'plain')).toThrow(TypeError);
  });
});

test('json: the frame of a text is what JSON makes of it, for each character and texts of many lengths', () => {
  const { encode } = codecFor('json');
  const odd: string[] = [];
  for (let code = 0; code <= 0xffff; code++) {
    const text = `a${String.fromCharCode(code)}b`;
    if (encode(text, 'plain') !== JSON.stringify(text)) odd.push(code.toString(16));
  }
  for (const length of [0, 99, 100, 101]) {
    for (const text of ['x'.repeat(length), `${'x'.repeat(length)}"`, `${'x'.repeat(length)}\n`]) {
      if (encode(text, 'plain') !== JSON.stringify(text)) odd.push(text);
      if (encode(text, 'handle') !== `H${JSON.stringify(text)}`) odd.push(text);
    }
  }
  expect(odd).toEqual([]);
});

describe('advanced', () => {
  const { encode, decoder } = codecFor('advanced');

  test.each<[name: string, message: unknown, hex: string]>([
    ['"hi"', 'hi', '00000006 ff0f 22026869'],
    ['true', true, '00000003 ff0f 54'],
    ['5', 5, '00000004 ff0f 490a'],
    ['null', null, '00000003 ff0f 30'],
    ['a Buffer', Buffer.from([1, 2, 3]), '00000009 ff0f 5c000a03010203'],
  ])('I-12: the bytes of %s', (_name, message, hex) => {
    expect((encode(message, 'plain') as Buffer).toString('hex')).toBe(hex.replaceAll(' ', ''));
  });

  const letters = ['x', '\0', '\x7f', '\x80', 'é', 'ÿ', 'Ā', '€', '😀', '\ud800'];
  const texts = [0, 1, 2, 127, 128, 129, 255, 256, 16_382, 16_383, 16_384, 20_000]
    .flatMap((length) => letters.map((letter) => 'x'.repeat(Math.max(0, length - 1)) + (length === 0 ? '' : letter)));

  test('texts of every kind and length are encoded to the bytes that V8 makes, and decoded as V8 decodes them', () => {
    const odd: unknown[] = [];
    for (const text of texts) {
      const value = (encode(text, 'plain') as Buffer).subarray(4);
      if (!value.equals(serialize(text)) || deserialize(value) !== text || single('advanced', text) !== text) odd.push(text);
    }
    expect(odd).toEqual([]);
  });

  test('V8 decides what becomes of a text whose length does not fit its frame', () => {
    const longer = Buffer.from('00000006ff0f22036869', 'hex'); // The length says 3, there are 2 bytes.
    expect(() => decoded(decoder(), [longer])).toThrow();
    const shorter = Buffer.from('00000006ff0f22016869', 'hex'); // The length says 1, there are 2 bytes: V8 does not read behind a value.
    expect(decoded(decoder(), [shorter])).toEqual([['h', 'plain']]);
    expect(() => decoded(decoder(), [Buffer.from('00000003ff0f22', 'hex')])).toThrow();
    expect(() => decoded(decoder(), [Buffer.from('00000004ff0f2280', 'hex')])).toThrow();
  });

  test('the tag is one byte between the length and the value', () => {
    expect((encode(5, 'handle') as Buffer).toString('hex')).toBe('0000000548ff0f490a');
    expect((encode(5, 'envelope') as Buffer).toString('hex')).toBe('0000000545ff0f490a');
  });

  test('I-12: undefined members, Map, Set, BigInt, Date, typed arrays and Buffer survive', () => {
    const message = {
      nothing: undefined, map: new Map<unknown, unknown>([['a', new Set([1n])]]), big: 2n ** 70n, when: new Date(5),
      floats: new Float64Array([1.5, NaN]), bytes: new Uint8Array([1, 2]), view: new DataView(new ArrayBuffer(2)), pattern: /a/gi,
    };
    const copy = single('advanced', message) as typeof message;
    expect(copy).toEqual(message);
    expect('nothing' in copy).toBe(true);
    const buffer = single('advanced', Buffer.from('x€')) as Buffer;
    expect(Buffer.isBuffer(buffer)).toBe(true);
    expect(buffer.toString()).toBe('x€');
  });

  test('I-12: an Error stays an Error of its class, a cycle a cycle', () => {
    const error = single('advanced', new RangeError('far')) as Error;
    expect(error).toBeInstanceOf(RangeError);
    expect(error.message).toBe('far');
    const cycle: { self?: unknown } = {};
    cycle.self = cycle;
    const copy = single('advanced', cycle) as { self: unknown };
    expect(copy.self).toBe(copy);
  });

  test('I-12: another native object is sent as a plain shallow copy, after the number 1', () => {
    const native = newPipe() as NativePipe & { own?: string };
    native.own = 'x';
    expect((encode(native, 'plain') as Buffer).subarray(4, 8).toString('hex')).toBe('ff0f5c01');
    expect(single('advanced', native)).toEqual({ own: 'x' });
    native.close();
  });

  test('I-12: a function cannot be encoded, and does not harm the next message', () => {
    // A plain Error on all four versions, not the DataCloneError of structuredClone.
    expect(thrownBy(() => encode({ f() {} }, 'plain')).message).toBe('f() {} could not be cloned.');
    expect(single('advanced', 'next')).toBe('next');
  });

  test.each([0x80000000, 0xffffffff, 0x7fffffff])('I-14: a frame whose length is %i waits and does not throw', (length) => {
    const one = decoder();
    const head = Buffer.alloc(6, 0xff);
    head.writeUInt32BE(length);
    expect(decoded(one, [head, Buffer.alloc(10)])).toEqual([]);
    expect(one.partial).toBe(true);
  });

  test('a frame of length 0 throws, and the next one is read', () => {
    const one = decoder();
    expect(() => decoded(one, [Buffer.alloc(4)])).toThrow();
    expect(decoded(one, [encode(1, 'plain') as Buffer])).toEqual([[1, 'plain']]);
  });
});

describe.each(['json', 'advanced'] as const)('%s, in borrowed memory as a pipe reads it', (serialization) => {
  test.each([1, 2, 3, 4, 5, 6])('seed %i: frames of all sizes, in memory that the next read overwrites', (seed) => {
    const random = seeded(seed);
    const messages = Array.from({ length: 60 }, (_, at) => {
      const length = [3, 300, 20_000, 90_000, 400_000][random(5)] as number;
      const text = String.fromCharCode(97 + (at % 26)).repeat(1 + random(length));
      return serialization === 'advanced' && random(2) === 0 ? Buffer.from(text) : { at, text };
    });
    const stream = encoded(serialization, messages.map((message): Frame => [message, 'plain']));
    const shared = Buffer.alloc(65536);
    const decoder = codecFor(serialization).decoder();
    const got: unknown[] = [];
    for (let at = 0; at < stream.length;) {
      const count = Math.min(shared.length, stream.length - at, 1 + random(200_000));
      shared.set(stream.subarray(at, at + count));
      decoder.push(shared.subarray(0, count), (message) => got.push(message));
      at += count;
      shared.fill(0x21);
    }
    expect(got.length).toBe(messages.length);
    expect(got.every((message, at) => isDeepStrictEqual(message, messages[at]))).toBe(true);
    expect(decoder.partial).toBe(false);
  });
});
