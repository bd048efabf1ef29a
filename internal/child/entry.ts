/**
 * What `--require` names in a worker: runs the preload from its bundle. The build puts this file and
 * compiled.ts into one, child/entry.bundle.js.
 *
 * Used by  channel/spawn.ts and bundle.ts, both by that path
 */
import path from 'node:path';
import { bundleScript, runBundle } from '../compiled';

/** Made by the build. */
const bundle = path.join(__dirname, 'preload.bundle.js');
/** Kept for bundle.ts, which asks it for its compiled code. */
export const script = bundleScript(bundle);

runBundle(script, require);
