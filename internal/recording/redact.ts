/**
 * Decides what of a message goes into a recording.
 *
 *   a cluster message        everything, except `data` (the ticket keys of a TLS server)
 *   NODE_HANDLE              the envelope, and the message inside it by this table
 *   another NODE_ message    its `cmd`; the rest may be the app's (shared state, supervision)
 *   a message of the app     nothing; with --payloads everything, if it is not longer than LONGEST
 *
 * Used by  frame_lines.ts
 * Never    throws, and never writes what it hides to any file, not even for a moment
 */
import { JSON, NativeObject, startsWith } from '../builtins';
import { CLUSTER } from '../messages';

/** Characters of JSON. A longer message of the app is recorded without its content. */
const LONGEST = 65_536;
const HIDDEN = '[redacted]';

/** What is recorded of a message. */
export interface Shown {
  /** JSON of the message; null if it is hidden. */
  readonly json: string | null;
  /** The names of the fields that were replaced. */
  readonly redacted: readonly string[];
}

interface Fields { readonly [name: string]: unknown }

const nothing: Shown = { json: null, redacted: [] };

/** Is this a message of the runtime, not of the app? */
const isInternal = (message: unknown): message is Fields & { cmd: string } => {
  if (typeof message !== 'object' || message === null) return false;
  const { cmd } = message as Fields;
  return typeof cmd === 'string' && startsWith(cmd, 'NODE_');
};

/** What to record of a message. */
export function show(message: unknown, payloads: boolean): Shown {
  try {
    const { value, redacted } = hide(message, payloads);
    if (value === undefined) return nothing;
    const json = JSON.stringify(value);
    return json === undefined || (json.length > LONGEST && !isInternal(message)) ? nothing : { json, redacted };
  } catch {
    return nothing; // It cannot be written as JSON, a BigInt for example.
  }
}

function hide(message: unknown, payloads: boolean): { value: unknown; redacted: string[] } {
  if (!isInternal(message)) return { value: payloads ? message : undefined, redacted: [] };
  if (message.cmd === CLUSTER) {
    const { data } = message;
    if (data === undefined || data === null) return { value: message, redacted: [] };
    return { value: { ...message, data: HIDDEN }, redacted: ['data'] };
  }
  if (message.cmd === 'NODE_HANDLE') {
    const { value, redacted } = hide(message['msg'], payloads);
    return { value: { ...message, msg: value === undefined ? HIDDEN : value }, redacted: value === undefined ? ['msg'] : redacted };
  }
  if (payloads) return { value: message, redacted: [] };
  const others = NativeObject.keys(message).filter((name) => name !== 'cmd' && name !== 'key');
  return { value: others.length === 0 ? message : { cmd: message.cmd }, redacted: others };
}
