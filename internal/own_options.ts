/**
 * Reads the options that a caller gives: what stands on Object.prototype is none of them.
 *
 * Used by  every function of the supervisor, of the shared state and of lib/graceful.ts that takes options
 * Keeps    each option is read once, since behind it may be a getter or a proxy, which may throw, or say something
 *          else the next time. What a class of the program's has on its prototype counts: the program means it
 * Node     fork and spawn take own properties only; `cluster.settings` see ownSettings in master/settings.ts (D45)
 */

/** The options of these names, in an object without a prototype. */
export function ownOptions<Options extends object, Name extends keyof Options & string>(options: Options, names: readonly Name[]): Pick<Options, Name> {
  const read: Partial<Pick<Options, Name>> = { __proto__: null } as object;
  for (const name of names) {
    if (!(name in Object.prototype) || isGiven(options, name)) read[name] = options[name];
  }
  return read as Pick<Options, Name>;
}

/** Has anything before Object.prototype this name? */
function isGiven(options: object, name: string): boolean {
  if (Object.hasOwn(options, name)) return true;
  const prototype: unknown = Object.getPrototypeOf(options);
  return typeof prototype === 'object' && prototype !== null && prototype !== Object.prototype && isGiven(prototype, name);
}
