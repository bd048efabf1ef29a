/**
 * What `--require` names in a worker: runs the preload from its bundle. The build puts this file and
 * compiled.ts into one, child/entry.bundle.js.
 *
 * Used by  channel/spawn.ts and bundle.ts, both by that path
 */
import { bundleScript, runBundle } from '../compiled';

/** Kept for bundle.ts, which asks it for its compiled code. */
export const script = bundleScript(`${__dirname}/preload.bundle.js`);

runBundle(script, require);
