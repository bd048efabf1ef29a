/**
 * Before this process ends, or ends another one, what the outboxes hold back is written, where no code
 * of the app's can take that away: an 'exit' listener of ours could be removed, or never be reached.
 *
 * Owns     the list of the outboxes that hold frames back
 * Used by  outbox.ts
 * Uses     native/process_end.ts, which hooks the ways to end: from the first of them on each frame is
 *          written at once (`isExiting`)
 * Never    listens to an event of `process`
 * Costs    nothing while nothing is held back
 */
import { Set } from '../builtins';
import { hookProcessEnd } from '../native/process_end';

/** An outbox, which can hold frames back. */
interface Holder {
  flush(): void;
}

const holding = new Set<Holder>();

/** This outbox holds frames back, until `holdsNothing`. */
export function holdsSomething(holder: Holder): void {
  holding.add(holder);
}

/** This outbox has written all of them. */
export function holdsNothing(holder: Holder): void {
  holding.delete(holder);
}

function writeAll(): void {
  for (const holder of holding) holder.flush();
}

let hooked = false;

/** Hooks the ways to end, once: before the app's code, which may keep a function that it finds. */
export function hookTheEnd(): void {
  if (hooked) return;
  hooked = true;
  hookProcessEnd(writeAll);
}
