/**
 * The log of the daemon: one line for each thing that it does. It opens the file for each line, so it needs nothing to
 * follow a rename.
 *
 * Used by  main.ts, daemon.ts, app.ts (the type)
 * Never    throws: what cannot be written is lost
 */
import fs from 'node:fs';

/** A file that is longer than this, in bytes, is renamed to `daemon.log.1`: a few thousand lines of history are enough. */
const LONGEST = 2 ** 20;

/** Writes one line. */
export type Log = (text: string) => void;

/** Returns a Log that appends to `file`. */
export function logTo(file: string): Log {
  return (text) => {
    try {
      const size = fs.statSync(file, { throwIfNoEntry: false })?.size ?? 0;
      if (size > LONGEST) fs.renameSync(file, `${file}.1`);
      fs.appendFileSync(file, `${new Date().toISOString()} ${text}\n`, { mode: 0o600 });
    } catch {
      return; // A full disk must not keep the daemon from its work.
    }
  };
}
