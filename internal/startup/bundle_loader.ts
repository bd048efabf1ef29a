/**
 * Loads a bundle: one file that holds many of our modules, together with the machine code that V8 made of it at
 * build time (the code cache). bundle.ts explains what the bundles are for and how to run without them.
 *
 * Used by  entry.ts (in a worker), load_role.ts (in a primary), program.ts, bundle.ts (at build time)
 * Never    fails because of the code cache: V8 refuses a cache that another Node made, and compiles the text
 * Keeps    each function under the name of the file in which it lies. On Node 20 the code cache carries that name, so
 *          a cache is used in the directory where it was made, and ignored in a copy of that directory
 * Costs    a worker 20 µs of its start for each function of this file: the code cache does not cover this file
 */
import { readFileSync } from 'node:fs';
import { Script } from 'node:vm';
import { instances } from './module_instances';

/** Must each module be loaded from its own file? So it is if the program asks for it, or for TypeScript in stack traces. */
export const bundlesAreOff = (): boolean => process.env['CLUSTER_INTERNALS_BUNDLE'] === 'off' || process.sourceMapsEnabled;

/** The file that holds the code cache of `bundle` for this version of Node: first the head, then V8's bytes. */
export const codeCacheFile = (bundle: string): string => `${bundle}.${process.version}-${process.arch}`;

/** The bundle's path, padded to a multiple of 8 bytes: V8 copies a cache that does not begin at such a multiple. */
export const codeCacheHead = (bundle: string): Buffer => Buffer.from(`${bundle}${'\0'.repeat(8 - (Buffer.byteLength(bundle) % 8))}`);

/** Reads and compiles a bundle. */
export function bundleScript(bundle: string): Script {
  let cachedData: Buffer | undefined;
  try {
    const head = codeCacheHead(bundle);
    const file = readFileSync(codeCacheFile(bundle));
    if (file.subarray(0, head.length).equals(head)) cachedData = file.subarray(head.length);
  } catch {
    cachedData = undefined; // Another version of Node built the project, or npm installed it: the package holds no cache.
  }
  return new Script(readFileSync(bundle, 'latin1'), { filename: bundle, cachedData });
}

/**
 * Runs the first module of a bundle and returns its exports. The modules of the bundle use `require` for Node's own
 * modules, and for ours that are in no bundle.
 */
export function runBundle(script: Script, require: NodeJS.Require): unknown {
  const run = script.runInThisContext() as (require: NodeJS.Require, root: string, instances: Map<string, unknown>) => unknown;
  return run(require, __dirname.slice(0, -'startup'.length), instances());
}
