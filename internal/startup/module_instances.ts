/**
 * One instance of each module in a process, whichever way it is reached: out of a worker's bundle, out
 * of a primary's, or from its own file, and again after somebody has emptied `require.cache`. Two
 * instances would be two tables of channels, two listeners to 'exit', and each line of the trace twice.
 *
 * Owns     the table of modules by their file, for as long as the process lives
 * Used by  bundle_loader.ts, which gives it to the bundles; bundle.ts, which puts `once` around each file of
 *          `dist/internal`
 * Never    keeps a module whose code has thrown: the next one who asks runs it anew
 */

interface Instance {
  exports: unknown;
}

const key = Symbol.for('cluster-internals.instances');
const owner = globalThis as { [key]?: Map<string, Instance> };

/** By file name. Of the whole process, so that a second instance of this file has the same. */
export function instances(): Map<string, Instance> {
  if (owner[key] === undefined) Object.defineProperty(owner, key, { value: new Map() });
  return owner[key] as Map<string, Instance>;
}

/** Runs the code of a file, unless that has been done: then `module` is the one that there is. */
export function once(module: NodeModule, code: () => void): void {
  const table = instances();
  const there = table.get(module.filename);
  if (there !== undefined) {
    module.exports = there.exports;
    return;
  }
  table.set(module.filename, module);
  try {
    code();
  } catch (error) {
    table.delete(module.filename);
    throw error;
  }
}
