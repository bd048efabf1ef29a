/**
 * What a form of framing is: the types that both forms share, and the tag bytes. framing.ts says what
 * they mean on the wire.
 *
 * Used by  framing.ts, framing_json.ts, framing_advanced.ts; incoming.ts and outbox.ts, which use a codec
 */
import { Buffer } from '../builtins';

/** The two forms. */
export type Serialization = 'json' | 'advanced';

/** What comes with a frame: nothing, a bare native handle, or a handle described by an envelope. */
export type Tag = 'plain' | 'handle' | 'envelope';

/** Called for each frame in turn. */
export type FrameSink = (message: unknown, tag: Tag) => void;

/** The tag of a frame whose fd is a native handle, 'H'. */
export const HANDLE = 0x48;
/** The tag of a frame whose message describes its handle, 'E'. */
export const ENVELOPE = 0x45;

/** Turns chunks of bytes into messages. */
export interface Decoder {
  /** Takes one chunk (borrowed); calls `sink` for each message that is now complete. Throws on bytes that are none. */
  push(chunk: Uint8Array, sink: FrameSink): void;
  /** Is there a part of a message that has not ended? */
  readonly partial: boolean;
}

/** One form of framing. */
export interface Codec {
  /** One frame. Throws what JSON or the structured clone throws on a message it cannot express. */
  encode(message: unknown, tag: Tag): string | Buffer;
  /** Frames that differ only in one number, their last field; what they share is encoded once. */
  numbered(body: object, field: string, tag: Tag): (value: number) => string | Buffer;
  /** Several frames as one. */
  join(frames: readonly (string | Buffer)[]): string | Buffer;
  /** `longest`: how many bytes a frame may have; as many as it likes by default. */
  decoder(longest?: number): Decoder;
}

/** The same bytes as a Buffer. */
export const asBuffer = (bytes: Uint8Array): Buffer =>
  Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
