/**
 * Bytes ⇄ messages. There are two forms, both Node's own. `json`: each message is one line of JSON. `advanced`: each
 * message is a big-endian uint32 length, and then V8's structured clone. The parent chooses the form when it starts the
 * child, and both ends use it.
 *
 * In the dialect *pipelined* a frame may begin with a tag: one byte that announces that an fd comes with the frame. An app
 * cannot forge a tag, whatever message it sends: no JSON text begins with the letter `H` or `E`, and the structured clone
 * always begins with 0xFF.
 *
 *   json      [H|E] text \n              H: the fd is a native handle, and the value is the message
 *   advanced  length [H|E] FF 0F value   E: the value is an envelope, NODE_HANDLE, which contains the message
 *
 * Keeps    1. each byte is looked at once and copied twice at most, so a message of many MB in many chunks takes linear
 *             time
 *          2. if a frame cannot be decoded, the frames before it in the same chunk are still delivered
 *          3. a frame that is longer than allowed is refused before it is collected: when its length is known, or when
 *             the limit is reached. The length of a frame that fits into one read is not checked
 * Used by  channel.ts; recording/frame_lines.ts and recording/node_frames.ts, which only decode
 * Uses     framing_json.ts, framing_advanced.ts (the two forms), codec.ts (their common types)
 * Node     the codecs of lib/internal/child_process/serialization.js. The tags are ours.
 */
import type { Codec, Serialization } from './codec';
import { json } from './framing_json';

/** The codec of a form. */
export function codecFor(serialization: Serialization): Codec {
  if (serialization === 'json') return json;
  // Loaded only if a channel uses it: `node:v8` alone takes 2 ms of a worker's start.
  return (require('./framing_advanced') as typeof import('./framing_advanced')).advanced;
}
