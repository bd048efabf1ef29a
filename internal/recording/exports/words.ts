/**
 * How events are called in all exports, and which of the two events of a message stands for it.
 *
 * Used by  mermaid.ts, pcapng.ts, perfetto.ts, text.ts
 * Never    returns control characters: a message may contain anything, and a terminal obeys escape sequences
 */
import type { Fields } from '../../is_object';
import type { MessageEvent, StateEvent } from '../format';

/** Characters. A longer text is cut. */
const LONGEST = 200;

/** Text on one line, without control characters and marks that turn the writing direction. */
export function printable(text: string, longest = LONGEST): string {
  const clean = text.replace(/[\0-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g, '?');
  return clean.length > longest ? `${clean.slice(0, longest)}…` : clean;
}

/** The new state, and why, where the recording says it: `paused (quota)`. */
export const stateText = ({ to, why }: StateEvent): string => `${printable(to)}${why === undefined ? '' : ` (${printable(why, 60)})`}`;

/** Fields that say nothing to a reader: the name is shown, and the number is shown apart. */
const UNSAID = new Set(['cmd', 'act', 'seq']);

/** `newconn {key …} (seq 1) + fd 22`. `long`: with the values of all fields. */
export function messageText(event: MessageEvent, long: boolean): string {
  const { act, fields, carries, app } = event;
  const inside = carries === undefined ? '' : ` [${printable(carries.act, 60)}${fieldsText(carries.fields, long)}${seqText(carries.fields)}]`;
  const own = carries === undefined ? fieldsText(fields, long) : '';
  const name = app ? 'message of the app' : act === 'reply' ? `reply` : printable(act, 60);
  return `${name}${own}${inside}${carries === undefined ? seqText(fields) : ''}${event.fd === undefined ? '' : ` + fd ${event.fd}`}`;
}

const seqText = (fields: Fields | null): string => (typeof fields?.['seq'] === 'number' ? ` (seq ${fields['seq']})` : '');

function fieldsText(fields: Fields | null, long: boolean): string {
  const shown = Object.entries(fields ?? {}).filter(([name, value]) => !UNSAID.has(name) && value !== undefined && (long || (value !== null && value !== 0)));
  if (shown.length === 0) return '';
  return ` {${shown.map(([name, value]) => `${printable(name, 40)} ${printable(valueText(value), long ? LONGEST : 60)}`).join(', ')}}`;
}

/** A value without quotes: `{address ::, port 8000}`. */
function valueText(value: unknown, depth = 0): string {
  if (typeof value === 'string') return value;
  if (typeof value !== 'object' || value === null || depth > 3) return JSON.stringify(value) ?? '';
  if (Array.isArray(value)) return `[${value.map((one) => valueText(one, depth + 1)).join(', ')}]`;
  return `{${Object.entries(value).map(([name, one]) => `${name} ${valueText(one, depth + 1)}`).join(', ')}}`;
}

/** Picks one event for each message: the sender's; the receiver's if the sender was not recorded. */
export class OncePerMessage {
  /** Messages whose sender's event is derived: the receiver's event does not know of it. */
  readonly #derived = new Set<string>();

  picks({ way, derived, id, sentAt }: MessageEvent): boolean {
    if (way === 'sent' && derived === true) this.#derived.add(id);
    return way === 'sent' || (sentAt === undefined && !this.#derived.delete(id));
  }
}
