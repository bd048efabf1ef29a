/**
 * Follows a recording while its program runs: reads the part files again whenever they have grown, and gives out what is
 * new. The interpreter of a recording needs all lines from the start, so each look costs as much as the recording is
 * long; that is a fraction of a second up to the size at which a live page stops to take events anyway.
 *
 * Owns     one timer, until `close`
 * Used by  watch.ts
 * Uses     recording/merge.ts
 * Never    gives an event twice, nor one whose line is not yet written to its end
 */
import { readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import type { RecordedEvent } from '../../recording/format';
import { readParts } from '../../recording/merge';

/** Milliseconds between two looks. */
const LOOK_MS = 200;
/** Nanoseconds: what is younger is given out at the next look, when the other end of a message is in its file too. */
const YOUNG = 60e6;
/** Bytes of all parts. Beyond that a look takes longer than the time between two. */
const MOST_BYTES = 24 << 20;

/** A recording that is being followed. */
export interface Following {
  /** The last look: gives out everything that is left. */
  finish(): void;
  close(): void;
}

/** `full` is called once, when the recording is too long to be followed. The rest of it is in its file. */
export function follow(directory: string, event: (event: RecordedEvent) => void, full: () => void): Following {
  const given = new Set<string>();
  let size = -1;
  let isSettled = true;
  let isFull = false;
  const look = (isLast: boolean): void => {
    if (isFull) return;
    const now = sizeOf(directory);
    if (now === size && isSettled && !isLast) return;
    if (now > MOST_BYTES) {
      isFull = true;
      clearInterval(timer);
      return full();
    }
    // Nothing has been written since the last look: then nothing is too young.
    const takesAll = isLast || now === size;
    const events: RecordedEvent[] = [];
    try {
      readParts(directory, (each) => void events.push(each));
    } catch {
      return; // A part is being written or deleted at this moment: the next look sees it whole.
    }
    size = now;
    isSettled = takesAll;
    const newest = events.at(-1)?.at ?? 0;
    for (const each of events) {
      if (!takesAll && each.at > newest - YOUNG) break;
      if (each.kind === 'gap' && each.why === 'file cut off' && !isLast) continue;
      const key = keyOf(each);
      if (given.has(key)) continue;
      given.add(key);
      event(each);
    }
  };
  const timer = setInterval(() => look(false), LOOK_MS);
  return { finish: () => look(true), close: () => clearInterval(timer) };
}

/** Tells events of one process apart: several can be derived from one line, so its number is not enough. */
function keyOf(event: RecordedEvent): string {
  const detail = event.kind === 'connection' ? `${event.event} ${event.connection}` : event.kind === 'state' ? `${event.what} ${event.to}` : event.kind === 'process' ? event.event : '';
  // What is derived from a line of another process has the number of that line.
  return `${event.pid} ${event.seq} ${'derived' in event} ${event.kind} ${detail}`;
}

function sizeOf(directory: string): number {
  try {
    return readdirSync(directory).reduce((sum, name) => sum + (statSync(path.join(directory, name), { throwIfNoEntry: false })?.size ?? 0), 0);
  } catch {
    return 0; // The directory does not exist yet, or no longer.
  }
}
