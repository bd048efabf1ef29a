/**
 * A bundle of our modules that the build has made, with the code that V8 compiled for it then. Finding,
 * reading and compiling each file anew costs a worker 6 ms of its start, and a primary 4 MiB of memory.
 *
 * Used by  child/entry.ts in a worker, primary_entry.ts in a primary; bundle.ts, which makes both
 * Never    fails because of the compiled code: made by another Node it is refused, and V8 compiles
 * Costs    a worker 20 µs of its start for each function here: nothing has compiled these
 */
import { readFileSync } from 'node:fs';
import { Script } from 'node:vm';

/** Where the compiled code of this Node version is kept. */
export const compiledFile = (bundle: string): string => `${bundle}.${process.version}-${process.arch}`;

/** Reads a bundle. */
export function bundleScript(bundle: string): Script {
  let cachedData: Buffer | undefined;
  try {
    cachedData = readFileSync(compiledFile(bundle));
  } catch {
    cachedData = undefined; // The project was built by another Node.
  }
  return new Script(readFileSync(bundle, 'latin1'), { filename: bundle, cachedData });
}

/** Runs the bundle's first module and gives what that exports. `require` is for Node's modules. */
export function runBundle(script: Script, require: NodeJS.Require): unknown {
  return (script.runInThisContext() as (require: NodeJS.Require, root: string) => unknown)(require, `${__dirname}/`);
}
