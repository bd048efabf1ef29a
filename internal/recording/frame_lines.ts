/**
 * Writes the fields of a part file's line for one frame of a channel, as text (part_lines.ts has the form).
 *
 * Used by  recorder.ts
 * Uses     redact.ts, channel/framing.ts (to decode the form `advanced`)
 * Never    throws. Never parses the JSON of a frame that it can copy: most frames are hand-offs and acknowledgements, and
 *          their text is the recorded text
 */
import { Buffer, charCodeAt, indexOf, JSON, slice, startsWith } from '../builtins';
import { codecFor } from '../channel/framing';
import { CLUSTER } from '../messages';
import type { FrameTrace, ReceivedFrame, SentFrame } from '../trace';
import { show, type Shown } from './redact';

const PLAIN = '{"cmd":"NODE_CLUSTER"';
const WRAPPED = '{"cmd":"NODE_HANDLE","type":"net.Native","msg":{"cmd":"NODE_CLUSTER"';
const DATA = '"data":';
/** The tag bytes of channel/codec.ts. */
const HANDLE = 0x48;
const ENVELOPE = 0x45;

/** What all lines of one channel have in common: `,"c":"P to W1","d":"pipelined","n":`. The number of the frame follows. */
export const channelFields = ({ channel, dialect }: FrameTrace): string => `,"c":${JSON.stringify(channel)},"d":"${dialect}","n":`;

/** The fields of a frame that was sent: the n-th of this channel. `channel`: what `channelFields` returns. */
export function sentFields({ frame, fd }: SentFrame, channel: string, n: number, payloads: boolean): string {
  const more = typeof frame === 'string' ? jsonFields(frame, payloads) : advancedFields(frame, payloads);
  return fd === undefined ? channel + n + more : `${channel}${n},"fd":${fd}${more}`;
}

function jsonFields(frame: string, payloads: boolean): string {
  const bytes = Buffer.byteLength(frame);
  const first = charCodeAt(frame, 0);
  const tag = first === HANDLE ? 'H' : first === ENVELOPE ? 'E' : '';
  const text = slice(frame, tag.length, frame.length - 1);
  const part = `,"b":${bytes}${tag === '' ? '' : `,"g":"${tag}"`}`;
  if ((startsWith(text, PLAIN) || startsWith(text, WRAPPED)) && !hasData(text)) return `${part},"m":${text}`;
  // A message of the app may be long, and is parsed only if it may be one for the runtime.
  if (!payloads && indexOf(text, '"NODE_') === -1) return part;
  let message: unknown;
  try {
    message = JSON.parse(text);
  } catch {
    return part; // The other end will refuse it.
  }
  return part + shownPart(show(message, payloads));
}

/** Does the text have a `data` that is not null? */
function hasData(text: string): boolean {
  const at = indexOf(text, DATA);
  return at !== -1 && (slice(text, at + DATA.length, at + DATA.length + 4) !== 'null' || indexOf(text, DATA, at + 1) !== -1);
}

function advancedFields(frame: Uint8Array, payloads: boolean): string {
  const tag = frame[4] === HANDLE ? 'H' : frame[4] === ENVELOPE ? 'E' : '';
  const part = `,"a":1,"b":${frame.length}${tag === '' ? '' : `,"g":"${tag}"`}`;
  let message: unknown;
  try {
    codecFor('advanced').decoder().push(frame, (value) => { message = value; });
  } catch {
    return part;
  }
  const shown = show(message, payloads);
  const wire = shown.json !== null && shown.redacted.length === 0 ? `,"x":"${Buffer.from(frame).toString('base64')}"` : '';
  return part + shownPart(shown) + wire;
}

function shownPart({ json, redacted }: Shown): string {
  return (json === null ? '' : `,"m":${json}`) + (redacted.length === 0 ? '' : `,"r":${JSON.stringify(redacted)}`);
}

/** The fields of a frame that was received. Its content is in the sender's part; these are what is needed if that is missing. */
export function receivedFields({ message, fd, tag }: ReceivedFrame, channel: string, n: number): string {
  const more = (tag === 'plain' ? '' : tag === 'handle' ? ',"g":"H"' : ',"g":"E"') + brief(message);
  return fd === undefined ? channel + n + more : `${channel}${n},"fd":${fd}${more}`;
}

/**
 * The few fields that name a message and the hand-offs that it is about. `isInside`: it is the message of an envelope.
 * An envelope in an envelope is not opened: a peer could nest so many of them that the stack overflows.
 */
function brief(message: unknown, isInside = false): string {
  if (typeof message !== 'object' || message === null) return '';
  const { cmd } = message as Message;
  if (typeof cmd !== 'string' || !startsWith(cmd, 'NODE_')) return '';
  const { act, ack, seq, upTo } = message as Message;
  let text = cmd === CLUSTER ? ',"m":{"cmd":"NODE_CLUSTER"' : `,"m":{"cmd":${JSON.stringify(cmd)}`;
  if (act === 'newconn') text += ',"act":"newconn"';
  else if (act === 'accepted') text += ',"act":"accepted"';
  else if (typeof act === 'string') text += `,"act":${JSON.stringify(act)}`;
  if (isCount(ack)) text += `,"ack":${ack}`;
  if (isCount(upTo)) text += `,"upTo":${upTo}`;
  if (isCount(seq)) text += `,"seq":${seq}`;
  if (cmd === 'NODE_HANDLE' && !isInside) {
    const inner = brief((message as Message).msg, true);
    if (inner !== '') text += `,"msg":${slice(inner, ',"m":'.length)}`;
  }
  return `${text}}`;
}

interface Message {
  readonly cmd?: unknown;
  readonly act?: unknown;
  readonly ack?: unknown;
  readonly seq?: unknown;
  readonly upTo?: unknown;
  readonly msg?: unknown;
}

const isCount = (value: unknown): value is number => typeof value === 'number' && value >= 0 && value % 1 === 0;
