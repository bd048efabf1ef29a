/**
 * Writes all joined frames right before this process ends, or ends another one. It hooks the functions that end a
 * process. An 'exit' listener is not enough: the app can remove it, and some ends never emit 'exit'.
 *
 * Owns     the set of the outboxes that have unwritten frames
 * Used by  outbox.ts. From the beginning of the end on it writes each frame at once (`isExiting`)
 * Uses     native/process_end.ts
 * Never    listens to an event of `process`
 * Costs    nothing while no outbox has joined frames
 */
import { Set } from '../builtins';
import { hookProcessEnd } from '../native/process_end';

/** An outbox. */
interface Flushable {
  flush(): void;
}

const unflushed = new Set<Flushable>();

/** This outbox has joined frames now. */
export function addUnflushed(outbox: Flushable): void {
  unflushed.add(outbox);
}

/** This outbox has no joined frames any more. */
export function removeUnflushed(outbox: Flushable): void {
  unflushed.delete(outbox);
}

function flushAll(): void {
  for (const outbox of unflushed) outbox.flush();
}

let hooked = false;

/** Sets the hooks, once. The first outbox of a process does so before the app runs: the app may store a hooked function. */
export function prepareFlushAtExit(): void {
  if (hooked) return;
  hooked = true;
  hookProcessEnd(flushAll);
}
