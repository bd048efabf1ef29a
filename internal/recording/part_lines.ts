/**
 * The lines of a part file, and the guard that checks each one. The keys are short, since each line is written while the
 * program runs. The time of a line is the number of nanoseconds since the line before; that of S, q and z counts from the
 * start of the recording.
 *
 *   k  what
 *   S  the process, at the beginning of each segment; `seq` is the number of the first event after it, `t` when the
 *      process began, `at` when the event before the next line was
 *   s  a frame was sent: channel, dialect, number, bytes, fd, tag, message, redacted fields, wire bytes (base64)
 *   r  a frame was received: channel, dialect, number, fd, tag, and what names the message
 *   h  what has happened to a handle: event, address, fd
 *   t  a state has changed: whose, from, to
 *   f  a child was started; e: it has ended
 *   o  a server of this process has a new socket; c: a socket has closed
 *   l  the event loop
 *   q  how many connections wait at a listening socket, in the kernel (kernel_queue.ts)
 *   x  this process exits; z: its recording ends before it does, since a write has failed: then
 *      lines before it may be missing
 *
 * Used by  parts.ts, interpreter.ts, connections.ts, messages.ts, processes.ts
 */

/** One line, whose kind was checked; each field is unchecked, and the functions of this file read it. */
export interface Line {
  readonly k: string;
  /** Nanoseconds since the start of the recording. */
  readonly t: number;
  readonly [field: string]: unknown;
}

/** The kinds of lines whose time counts from the start of the recording. */
const ABSOLUTE: ReadonlySet<string> = new Set(['S', 'q', 'z']);

/** Reads a line; null if it is none. `before`: the time of the line before it. */
export function readLine(text: string, before: number): Line | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null; // It was cut off.
  }
  if (typeof value !== 'object' || value === null) return null;
  const { k, t } = value as { k?: unknown; t?: unknown };
  if (typeof k !== 'string' || typeof t !== 'number' || !Number.isFinite(t)) return null;
  if (!ABSOLUTE.has(k)) (value as { t: number }).t = before + t;
  return value as Line;
}

/** A field that is text; '' if it is none. */
export const text = (line: Line, field: string): string => (typeof line[field] === 'string' ? line[field] : '');
/** A field that is a number; `otherwise` if it is none. */
export const number = <Other>(line: Line, field: string, otherwise: Other): number | Other => (typeof line[field] === 'number' ? line[field] : otherwise);
/** A field that is an object; null if it is none. */
export const object = (line: Line, field: string): Readonly<Record<string, unknown>> | null => asObject(line[field]);
/** The value if it is an object. */
export const asObject = (value: unknown): Readonly<Record<string, unknown>> | null => (typeof value === 'object' && value !== null ? value as Readonly<Record<string, unknown>> : null);
