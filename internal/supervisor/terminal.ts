/**
 * Tells a SIGHUP that a person sent from one that says that the terminal is gone. The kernel sends the
 * latter to the foreground group when a terminal is closed or its connection is lost; the process has no
 * controlling terminal any more by then.
 *
 * Used by  supervisor.ts
 * Never    keeps the terminal open
 */
import { closeSync, openSync } from 'node:fs';

/** The terminal of this process, if it had one when it began. */
export class Terminal {
  readonly #had = hasTerminal();

  /** It had one, and has none now. */
  get isGone(): boolean {
    return this.#had && !hasTerminal();
  }
}

/** Opening /dev/tty fails (ENXIO) in a process that has no controlling terminal. */
function hasTerminal(): boolean {
  try {
    closeSync(openSync('/dev/tty', 'r'));
    return true;
  } catch {
    return false;
  }
}
