/**
 * Runs a program of ours (the command line, the daemon, the primary of an app, the agent of a worker) from its bundle.
 * Such a program has 25 to 75 files, and to find, read and compile them takes longer than all that it does afterwards.
 *
 * Used by  every program in the list PROGRAMS of the build, which puts a call of `run` around the program's file
 * Keeps    the path of the program: what a command line or `--require` names is the program's own file
 */
import { bundleScript, bundlesAreOff, runBundle } from './bundle_loader';
import { instances, once } from './module_instances';

/**
 * Gives `module` the exports of its program.
 *
 * @param module  the program's own file
 * @param bundle  the name of its bundle, which lies beside this file
 * @param code    the code of the program's own file, which runs instead if bundles are off
 */
export function run(module: NodeModule, bundle: string, code: () => void): void {
  if (bundlesAreOff() || instances().has(module.filename)) return once(module, code);
  module.exports = runBundle(bundleScript(`${__dirname}/${bundle}`), require);
}
