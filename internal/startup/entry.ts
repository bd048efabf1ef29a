/**
 * What `--require` names in a worker: runs the preload from its bundle. The build puts this file and
 * bundle_loader.ts into one, child/entry.bundle.js.
 *
 * Used by  channel/spawn.ts and bundle.ts, both by that path
 */
import type { Script } from 'node:vm';
import { bundleScript, runBundle } from './bundle_loader';

/** Kept for bundle.ts, which asks it for its compiled code. */
export let script: Script | undefined;

if (process.sourceMapsEnabled) {
  require(`${__dirname}/preload.js`); // Not by a plain name: the build would put it into this file's bundle.
} else {
  script = bundleScript(`${__dirname}/preload.bundle.js`);
  runBundle(script, require);
}
