/**
 * Frames in both forms, cut anywhere and put where the decoder wants them: what comes out is what went
 * in. Some streams are damaged: then what came before the damage comes out, and nothing but an Error.
 */
import { deserialize, serialize } from 'node:v8';
import { isDeepStrictEqual } from 'node:util';
import type { Decoder, Serialization, Tag } from '../../internal/channel/codec';
import { dist } from '../support/program';
import type { Target } from './fuzz';
import { Dice, value, type Value } from './values';

const { codecFor } = require(dist('internal/channel/framing.js')) as typeof import('../../internal/channel/framing');

type Operation = { form: Serialization } | { message: Value; tag: Tag } | { cut: number } | { damage: number; byte: number };

export const framing: Target<Operation> = {
  name: 'framing',
  share: 40,
  generate(seed) {
    const dice = new Dice(seed);
    const operations: Operation[] = [{ form: dice.pick(['json', 'advanced'] as const) }];
    for (let count = 1 + dice.below(8); count > 0; count--) {
      const message = dice.chance(0.05) ? 'long '.repeat(dice.below(30_000)) : value(dice);
      operations.push({ message, tag: dice.pick(['plain', 'handle', 'envelope'] as const) });
    }
    operations.push(...dice.list(12, () => ({ cut: dice.chance(0.5) ? dice.below(200) : dice.below(100_000) })));
    if (dice.chance(0.3)) operations.push({ damage: dice.below(500), byte: dice.below(256) });
    return operations;
  },
  play(operations) {
    const form = operations.map((one) => ('form' in one ? one.form : undefined)).find((one) => one !== undefined) ?? 'json';
    const codec = codecFor(form);
    const sent = operations.flatMap((one) => ('message' in one ? [one] : []));
    const frames = sent.map(({ message, tag }) => Buffer.from(codec.whole(codec.encode(message, tag)) as string));
    const bytes = Buffer.concat(frames);
    let harmed = Number.POSITIVE_INFINITY;
    for (const one of operations) {
      if (!('damage' in one) || one.damage >= bytes.length || bytes[one.damage] === one.byte) continue;
      bytes[one.damage] = one.byte;
      harmed = Math.min(harmed, one.damage);
    }
    const cuts = operations.flatMap((one) => ('cut' in one && one.cut < bytes.length ? [one.cut] : [])).sort((one, other) => one - other);
    const got: [unknown, Tag][] = [];
    const failed = push(codec.decoder(), bytes, [...cuts, bytes.length], (message, tag) => got.push([message, tag]));
    let ends = 0;
    const whole = frames.filter((frame) => (ends += frame.length) <= harmed).length;
    if (failed !== null && harmed === Number.POSITIVE_INFINITY) throw failed;
    if (failed !== null && !(failed instanceof Error)) throw new Error('thrown, and no Error');
    const expected = sent.slice(0, whole).map(({ message, tag }) => [form === 'json' ? JSON.parse(JSON.stringify(message)) : deserialize(serialize(message)), tag]);
    if (!isDeepStrictEqual(got.slice(0, whole), expected)) throw new Error(`${got.length} messages came, ${whole} of them should be as they were sent`);
    if (harmed === Number.POSITIVE_INFINITY && got.length !== sent.length) throw new Error(`${got.length} messages came of ${sent.length}`);
  },
};

const read = Buffer.alloc(65536);

function push(decoder: Decoder, bytes: Buffer, cuts: number[], sink: (message: unknown, tag: Tag) => void): unknown {
  let at = 0;
  try {
    for (const cut of cuts) {
      while (at < cut) {
        // As the pipe does: into memory that the next read overwrites.
        const length = Math.min(cut - at, read.length);
        read.set(bytes.subarray(at, at + length));
        at += length;
        decoder.push(read.subarray(0, length), sink);
      }
    }
    return null;
  } catch (error) {
    return error;
  }
}
