/**
 * Before this process ends, or ends another one, what the outboxes hold back is written, where no code
 * of the app's can take that away: an 'exit' listener of ours could be removed, or never be reached.
 *
 * Owns     the list of the outboxes that hold frames back; the hooks, which stay
 * Used by  outbox.ts
 * Never    listens to an event of `process`; changes what a hooked member does, returns or throws
 * Hooks    `process._exiting`   set by process.exit() and by an uncaught exception before 'exit' is emitted;
 *                               from then on each frame is written at once (`isExiting`)
 *          `process.reallyExit` the last step of process.exit(), also called directly
 *          `process._kill`      below process.kill(): of this process, or of one that was sent something
 *          `process.abort`, `process.execve`
 * Costs    nothing while nothing is held back
 */
import { NativeObject, Reflect, Set } from '../builtins';

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
  for (const name of ['reallyExit', '_kill', 'abort', 'execve']) hookMethod(name);
  const exiting = NativeObject.getOwnPropertyDescriptor(process, '_exiting');
  const { set } = exiting ?? {};
  if (exiting?.configurable !== true || set === undefined) return;
  NativeObject.defineProperty(process, '_exiting', {
    ...exiting,
    set(value: unknown) {
      try {
        if (value === true) writeAll();
      } finally {
        Reflect.apply(set, this, [value]);
      }
    },
  });
}

function hookMethod(name: string): void {
  const own = NativeObject.getOwnPropertyDescriptor(process, name);
  if (own?.configurable !== true || typeof own.value !== 'function') return;
  const method = own.value as (...args: unknown[]) => unknown;
  const value = function (this: unknown, ...args: unknown[]): unknown {
    try {
      writeAll();
    } finally {
      // An exception here belongs to this call alone, and must not keep the other calls from being made.
      // eslint-disable-next-line no-unsafe-finally
      return Reflect.apply(method, this, args);
    }
  };
  NativeObject.defineProperties(value, { name: { value: name, configurable: true }, length: { value: method.length, configurable: true } });
  NativeObject.defineProperty(process, name, { ...own, value });
}
