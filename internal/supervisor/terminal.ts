/**
 * Distinguishes a SIGHUP that a person sent (to reload) from a SIGHUP that the kernel sent because the terminal of this
 * process was closed, or its connection was lost. In the second case the process has no controlling terminal any more.
 *
 * Used by  signal_commands.ts
 * Never    keeps the terminal open
 */
import { closeSync, openSync } from 'node:fs';

/** The terminal of this process, if it had one when this object was made. */
export class Terminal {
  readonly #hadTerminal = hasTerminal();

  /** Did the process have a terminal that it has no more? */
  get isGone(): boolean {
    return this.#hadTerminal && !hasTerminal();
  }
}

/** Opening /dev/tty fails with ENXIO in a process that has no controlling terminal. */
function hasTerminal(): boolean {
  try {
    closeSync(openSync('/dev/tty', 'r'));
    return true;
  } catch {
    return false;
  }
}
