/**
 * A bundle of our modules that the build has made, with the code that V8 compiled for it then. Finding,
 * reading and compiling each file anew costs a worker 6 ms of its start, and a primary 4 MiB of memory.
 *
 * Used by  child/entry.ts in a worker, primary_entry.ts in a primary; bundle.ts, which makes both
 * Never    fails because of the compiled code: made by another Node it is refused, and V8 compiles
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { Script } from 'node:vm';

/** Where the compiled code of this Node version is kept. */
export const compiledFile = (bundle: string): string => `${bundle}.${process.version}-${process.arch}`;

/** Reads a bundle. */
export function bundleScript(bundle: string): Script {
  return new Script(readFileSync(bundle, 'latin1'), { filename: bundle, cachedData: compiledCode(bundle) });
}

/** Nothing where the project was built by another Node. */
function compiledCode(bundle: string): Buffer | undefined {
  try {
    return readFileSync(compiledFile(bundle));
  } catch {
    return undefined;
  }
}

/** Runs the bundle's first module and gives what that exports. `require` is for Node's modules. */
export function runBundle(script: Script, require: NodeJS.Require): unknown {
  return (script.runInThisContext() as (require: NodeJS.Require, root: string) => unknown)(require, path.join(__dirname, '/'));
}
