/**
 * A bundle of our modules that the build has made, with the code that V8 compiled for it then. Finding,
 * reading and compiling each file anew costs a worker 6 ms of its start, and a primary 4 MiB of memory.
 *
 * Stack traces and breakpoints reach the TypeScript in two ways. A debugger reads the bundle's index
 * source map, which stands beside it. `--enable-source-maps` maps what Node's own loader has read, and
 * nothing else: there the modules are required one by one, each with its own map.
 *
 * Used by  entry.ts in a worker, load_role.ts in a primary; bundle.ts, which makes both
 * Never    fails because of the compiled code: made by another Node it is refused, and V8 compiles
 * Keeps    each function under the name of the file in which it lies. On Node 20 the compiled code carries
 *          the name with it, so it is used where it was made, and not where it was copied to
 * Costs    a worker 20 µs of its start for each function here: nothing has compiled these
 */
import { readFileSync } from 'node:fs';
import { Script } from 'node:vm';
import { instances } from './module_instances';

/** Where the compiled code of this Node version is kept: the file's head, then what V8 made. */
export const compiledFile = (bundle: string): string => `${bundle}.${process.version}-${process.arch}`;

/** The name that the code carries, filled up to a multiple of 8 bytes: V8 copies what is not aligned. */
export const compiledHead = (bundle: string): Buffer => Buffer.from(`${bundle}${'\0'.repeat(8 - (Buffer.byteLength(bundle) % 8))}`);

/** Reads a bundle. */
export function bundleScript(bundle: string): Script {
  let cachedData: Buffer | undefined;
  try {
    const head = compiledHead(bundle);
    const kept = readFileSync(compiledFile(bundle));
    if (kept.subarray(0, head.length).equals(head)) cachedData = kept.subarray(head.length);
  } catch {
    cachedData = undefined; // The project was built by another Node, or installed: the package holds none.
  }
  return new Script(readFileSync(bundle, 'latin1'), { filename: bundle, cachedData });
}

/** Runs the bundle's first module and gives what that exports. `require` is for Node's modules, and ours that are in no bundle. */
export function runBundle(script: Script, require: NodeJS.Require): unknown {
  const run = script.runInThisContext() as (require: NodeJS.Require, root: string, instances: Map<string, unknown>) => unknown;
  return run(require, __dirname.slice(0, -'startup'.length), instances());
}
