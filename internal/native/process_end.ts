/**
 * Where this process ends, or ends another one: members of `process` that Node calls then, most of them
 * not documented. An 'exit' listener would not do: the app can remove it, and some ends never reach it.
 *
 *   `process._exiting`    set by process.exit() and by an uncaught exception, before 'exit' is emitted
 *   `process.reallyExit`  the last step of process.exit(); also called directly
 *   `process._kill`       below process.kill(): a signal for this process, or for one that was sent something
 *   `process.abort`, `process.execve`
 *
 * Owns     the hooks, which stay for the life of the process
 * Used by  channel/flush_at_exit.ts, channel/outbox.ts
 * Never    changes what a hooked member does, returns or throws; hooks a member that cannot be configured
 */
import { NativeObject, Reflect } from '../builtins';

/** Is this process inside 'exit' listeners or past them? What is written now must be written at once. */
export function isExiting(): boolean {
  return (process as any)._exiting === true;
}

/** Calls `before` each time one of these members is used, right before it does its work. */
export function hookProcessEnd(before: () => void): void {
  for (const name of ['reallyExit', '_kill', 'abort', 'execve']) hookMethod(name, before);
  const exiting = NativeObject.getOwnPropertyDescriptor(process, '_exiting');
  const { set } = exiting ?? {};
  if (exiting?.configurable !== true || set === undefined) return;
  NativeObject.defineProperty(process, '_exiting', {
    ...exiting,
    set(value: unknown) {
      try {
        if (value === true) before();
      } finally {
        Reflect.apply(set, this, [value]);
      }
    },
  });
}

function hookMethod(name: string, before: () => void): void {
  const own = NativeObject.getOwnPropertyDescriptor(process, name);
  if (own?.configurable !== true || typeof own.value !== 'function') return;
  const method = own.value as (...args: unknown[]) => unknown;
  const value = function (this: unknown, ...args: unknown[]): unknown {
    try {
      before();
    } finally {
      // An exception of `before` must not keep this call from being made.
      // eslint-disable-next-line no-unsafe-finally
      return Reflect.apply(method, this, args);
    }
  };
  NativeObject.defineProperties(value, { name: { value: name, configurable: true }, length: { value: method.length, configurable: true } });
  NativeObject.defineProperty(process, name, { ...own, value });
}
