/**
 * What `--require` names in a worker: runs the preload from its bundle.
 *
 * Used by  channel/spawn.ts (by its path), bundle.ts
 */
import path from 'node:path';
import { bundleScript, runBundle } from '../compiled';

/** Made by the build. */
const bundle = path.join(__dirname, 'preload.bundle.js');
/** Kept for bundle.ts, which asks it for its compiled code. */
export const script = bundleScript(bundle);

runBundle(script, require);
