/**
 * The types that both forms of framing share, and the tag bytes. framing.ts describes both forms.
 *
 * Used by  bootstrap_env.ts, channel.ts, channel_types.ts, framing.ts, framing_advanced.ts, framing_json.ts, incoming.ts,
 *          outbox.ts
 */
import { Buffer } from '../builtins';
import type { PipeData } from '../native/pipes';

/** The two forms of framing, by Node's names. */
export type Serialization = 'json' | 'advanced';

/** `plain`: no fd comes with the frame. `handle`: the fd is a native handle. `envelope`: the message describes the fd. */
export type Tag = 'plain' | 'handle' | 'envelope';

/** Called for each frame, in the order of the stream. */
export type FrameSink = (message: unknown, tag: Tag) => void;

/** The byte 'H': the tag of a frame whose fd is a native handle. */
export const HANDLE = 0x48;
/** The byte 'E': the tag of a frame whose message is an envelope. */
export const ENVELOPE = 0x45;

/** Turns chunks of bytes into messages. */
export interface Decoder {
  /** Takes one chunk (borrowed), and calls `sink` for each message that is now complete. Throws if the bytes are no message. */
  push(chunk: Uint8Array, sink: FrameSink): void;
  /** Has a part of a message arrived, and its end not? */
  readonly partial: boolean;
}

/** One form of framing. */
export interface Codec {
  /**
   * Encodes one frame; of json without the end of the line, which `whole` and `join` add. Throws what JSON or the structured
   * clone throws for a message that it cannot express.
   */
  encode(message: unknown, tag: Tag): string | Buffer;
  /** Prepares frames that differ in one number, their last field. Where the form allows it, the rest is encoded once. */
  numbered(body: object, field: string, tag: Tag): (value: number) => string | Buffer;
  /** All bytes of one frame, in one piece: only so a handle can travel with it. */
  whole(frame: string | Buffer): string | Buffer;
  /** Joins frames (transferred), or prepares one, for one write without a handle. `length`: of all of them. */
  join(frames: (string | Buffer)[], length: number): PipeData;
  /** `longest`: the highest length of a frame, in bytes; no limit by default. */
  decoder(longest?: number): Decoder;
}

/** A Buffer over the same bytes. */
export const asBuffer = (bytes: Uint8Array): Buffer =>
  Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
