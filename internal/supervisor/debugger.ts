/**
 * Who is looked at with a debugger? A worker that stands at a breakpoint answers no ping, and takes as long
 * to be ready as the person who steps through it.
 *
 * Rule     while a worker's inspector is open it is not taken for hung, and has no deadline to be ready.
 *          Of a worker that opens it later (SIGUSR1, `inspector.open()`) the primary knows with the next
 *          pong: one that is paused before that is taken for hung
 * Used by  worker/agent.ts in a worker, worker_process.ts in the primary
 */
import type { url as Url } from 'node:inspector';

/** In a worker: is the inspector open? */
export function isInspected(): boolean {
  try {
    return (require('node:inspector') as { url: typeof Url }).url() !== undefined;
  } catch {
    return false; // This Node was built without one.
  }
}

/** In the primary: was a worker started with an inspector? By its arguments; a cluster gives each its own port. */
export const startsInspected = (flags: readonly string[]): boolean => flags.some((flag) => /^--(inspect|debug-port)/.test(flag));
