/**
 * The framing `json`: one line of JSON for each message.
 *
 * Owns     the bytes of the line that has not arrived completely
 * Used by  framing.ts
 */
import { charCodeAt, indexOf, indexOfByte, join, JSON, lastIndexOfByte, Number, push, slice, subarray, utf8Slice } from '../builtins';
import { messageTooLong } from '../errors';
import { ENVELOPE, HANDLE, type Codec, type Decoder, type FrameSink } from './codec';
import type { PipeData } from '../native/pipes';
import { FrameBuffer } from './frame_buffer';

const NEWLINE = 0x0a;

/**
 * Characters. A line of this length or more is not joined with its end, which would cost a copy: the kernel gets a list of
 * texts. Shorter lines are joined: with lists of 16 KiB lines two processes on two CPUs passed on a quarter fewer messages.
 */
const LONG = 65536;

/** The codec `json`. */
export const json: Codec = {
  encode(message, tag) {
    const line = `${JSON.stringify(message)}`; // A text even of undefined, which a `toJSON` can return.
    if (tag === 'plain') return line;
    return (tag === 'handle' ? 'H' : 'E') + line;
  },
  numbered(body, field, tag) {
    const [head, end] = (this.encode({ ...body, [field]: 0 }, tag) as string).split(/0(?=\}$)/) as [string, string];
    return (value) => head + value + end;
  },
  whole: (line) => `${line as string}\n`,
  join(lines) {
    if (lines.length === 1) return withEnd(lines[0] as string);
    push(lines, ''); // So that the last line, too, has an end.
    return join(lines, '\n');
  },
  decoder: (longest = Number.POSITIVE_INFINITY) => new JsonDecoder(longest),
};

const withEnd = (line: string): PipeData => (line.length < LONG ? `${line}\n` : [line, '\n']);

class JsonDecoder implements Decoder {
  /** The line that has not arrived completely. */
  readonly #line = new FrameBuffer();
  readonly #longest: number;

  constructor(longest: number) {
    this.#longest = longest;
  }

  get partial(): boolean {
    return this.#line.length > 0;
  }

  push(chunk: Uint8Array, sink: FrameSink): void {
    const end = chunk[chunk.length - 1] === NEWLINE ? chunk.length - 1 : lastIndexOfByte(chunk, NEWLINE);
    if (end === -1) return this.#grow(chunk);
    // In UTF-8 a newline byte is never a part of another character, so each line can be decoded alone.
    let start = 0;
    let begun: string | null = null;
    if (this.#line.length > 0) {
      start = indexOfByte(chunk, NEWLINE) + 1;
      this.#grow(subarray(chunk, 0, start - 1));
      const line = this.#line.take();
      begun = utf8Slice(line, 0, line.length);
    }
    const lines = start <= end ? utf8Slice(chunk, start, end) : null;
    // Keep the rest before a line is decoded, which may throw: the next chunk continues this rest.
    if (end + 1 < chunk.length) this.#line.add(subarray(chunk, end + 1));
    if (begun !== null) decodeLine(begun, sink);
    if (lines !== null) decodeLines(lines, sink);
  }

  #grow(piece: Uint8Array): void {
    if (this.#line.length + piece.length > this.#longest) throw messageTooLong(this.#longest);
    this.#line.add(piece);
  }
}

function decodeLines(text: string, sink: FrameSink): void {
  let start = 0;
  for (let stop = indexOf(text, '\n'); stop !== -1; stop = indexOf(text, '\n', start)) {
    decodeLine(slice(text, start, stop), sink);
    start = stop + 1;
  }
  decodeLine(start === 0 ? text : slice(text, start), sink);
}

function decodeLine(line: string, sink: FrameSink): void {
  switch (charCodeAt(line, 0)) {
    case HANDLE: return sink(JSON.parse(slice(line, 1)), 'handle');
    case ENVELOPE: return sink(JSON.parse(slice(line, 1)), 'envelope');
    default: return sink(JSON.parse(line), 'plain');
  }
}
