/**
 * Bytes ⇄ messages. Two forms, Node's own: `json` is one line of JSON per message; `advanced` is a
 * big-endian uint32 length and V8's structured clone. Both ends chose the same when the child was
 * spawned.
 *
 * In the dialect *pipelined* a frame may begin with a tag byte that says that one fd came with it.
 * No JSON text begins with a letter of `H` or `E`, no V8 value with anything but 0xFF: an app cannot
 * forge a tag with a message, whatever it sends.
 *
 *   json      [H|E] text \n              H: the value is the message, the fd a native handle
 *   advanced  length [H|E] FF 0F value   E: the value is a NODE_HANDLE envelope around the message
 *
 * Keeps    1. each byte is looked at once, and copied twice at most: a message of many MB in many
 *             chunks takes linear time
 *          2. a frame that cannot be decoded does not take the earlier ones of its chunk with it
 *          3. a frame longer than allowed is refused before it is kept: when its length is known, or
 *             has been reached. One that fits into one read is not measured.
 * Uses     framing_json.ts and framing_advanced.ts, the two forms; codec.ts, what they have in common
 * Node     the codec under lib/internal/child_process/serialization.js; the tags are ours.
 */
import type { Codec, Serialization } from './codec';
import { json } from './framing_json';

/** The codec of a serialization. */
export function codecFor(serialization: Serialization): Codec {
  if (serialization === 'json') return json;
  // Loaded when it is asked for: `node:v8` alone takes a worker 2 ms of its start.
  return (require('./framing_advanced') as typeof import('./framing_advanced')).advanced;
}
