/**
 * Calls a function right before this process ends, or ends another one. It hooks the members of `process` that Node or
 * the app calls for that. An 'exit' listener is not enough: the app can remove it, and some ends never emit 'exit'.
 *
 *   `process._exiting`    Node sets it in process.exit() and after an uncaught exception, before it emits 'exit'
 *   `process.reallyExit`  the last step of process.exit(); some programs call it directly
 *   `process._kill`       process.kill() calls it: for this process, or for a child that must first get its messages
 *   `process.abort`, `process.execve`   end or replace the process at once, without 'exit'
 *
 * Owns     the hooks, which stay for the life of the process
 * Used by  channel/flush_at_exit.ts, channel/outbox.ts, recording/part_file.ts
 * Never    changes what a hooked member does, returns or throws. Never hooks a member that is not configurable
 */
import { NativeObject, Reflect } from '../builtins';

/** Are the 'exit' listeners of this process running, or over? From then on a message must be written at once. */
export function isExiting(): boolean {
  return (process as any)._exiting === true;
}

/** Calls `before` each time one of these members is called or set, before that takes effect. */
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
      // An exception of `before` must not prevent this call.
      // eslint-disable-next-line no-unsafe-finally
      return Reflect.apply(method, this, args);
    }
  };
  NativeObject.defineProperties(value, { name: { value: name, configurable: true }, length: { value: method.length, configurable: true } });
  NativeObject.defineProperty(process, name, { ...own, value });
}
