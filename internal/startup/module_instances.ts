/**
 * Runs each module of internal/ once in a process. A module can be reached in several ways: from the bundle of a
 * worker, from the bundle of a primary, from its own file, and again after somebody has emptied `require.cache`. Two
 * instances would mean two tables of channels, two 'exit' listeners, and each trace line twice.
 *
 * Owns     the table of all module instances by file name, for the life of the process
 * Used by  bundle_loader.ts, which passes the table to the bundles; program.ts. And the build puts a call of `once` around each file of
 *          dist/internal
 * Never    keeps a module whose code has thrown: the next `require` runs it again
 */

interface Instance {
  exports: unknown;
}

const key = Symbol.for('cluster-internals.instances');
const owner = globalThis as { [key]?: Map<string, Instance> };

/** The table. It is a property of `globalThis`, so that a second instance of this very file finds the same table. */
export function instances(): Map<string, Instance> {
  if (owner[key] === undefined) Object.defineProperty(owner, key, { value: new Map() });
  return owner[key] as Map<string, Instance>;
}

/** Runs the code of a file, or, if that code has run before, gives `module` the exports of the existing instance. */
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
