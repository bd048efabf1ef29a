/**
 * The first file that a worker runs. The parent starts it with `--require dist/internal/startup/entry.bundle.js`; the
 * build makes that file of this one and bundle_loader.ts. It runs preload.ts, from its bundle. If the program is being
 * recorded, the recorder comes before that, so that it sees the first message.
 *
 * Used by  bundle.ts; and by the path of its bundle: channel/spawn.ts, which puts that on the worker's command line, and
 *          preload.ts, which removes it
 */
import type { Script } from 'node:vm';
import { bundleScript, bundlesAreOff, runBundle } from './bundle_loader';

/** The compiled preload bundle. At build time bundle.ts takes the code cache from it. */
export let script: Script | undefined;

if (process.env['CLUSTER_INTERNALS_RECORDING'] !== undefined) require(`${__dirname}/../recording/recorder.js`);

if (bundlesAreOff()) {
  require(`${__dirname}/preload.js`); // Not written as './preload': the build would then put it into this file's bundle.
} else {
  script = bundleScript(`${__dirname}/preload.bundle.js`);
  runBundle(script, require);
}
