/**
 * Which workers are being debugged? A worker that stands at a breakpoint answers no ping, and takes as long to become
 * ready as the person who steps through it.
 *
 * Rule     While the inspector of a worker is open, a missing answer does not mean that the worker hangs, and it has
 *          no deadline to become ready. If the inspector is opened later (SIGUSR1, `inspector.open()`), the primary
 *          knows it with the next pong. If the worker is paused before that, the primary finds the inspector when the
 *          deadline has passed (debugged_process.ts, which also says what it cannot find).
 * Used by  worker/agent.ts in a worker, worker_process.ts in the primary
 */
import type { url as Url } from 'node:inspector';

/** In a worker: is its inspector open? */
export function isInspected(): boolean {
  try {
    return (require('node:inspector') as { url: typeof Url }).url() !== undefined;
  } catch {
    return false; // This Node was built without an inspector.
  }
}

/** In the primary: was a worker started with an inspector? `flags` are its arguments before the script. */
export const startsInspected = (flags: readonly string[]): boolean => flags.some((flag) => /^--(inspect|debug-port)/.test(flag));
