/**
 * npm run dev: rebuilds dist/ after each change of a source, until Ctrl-C.
 *
 * A build has the two steps of `npm run build`: the compiler, then the bundles (internal/startup/bundle.ts). A
 * worker that starts between the two steps still runs the bundles of the build before.
 * (`tsc --watch` of TypeScript 7.0 did not see changes in some file systems, so this file watches by itself.)
 *
 * Owns     the watchers of lib/ and internal/, and the build that runs; the tool's end ends them
 * Never    runs two builds at once: a change during one starts the next when it has ended
 */
import { spawn } from 'node:child_process';
import { watch } from 'node:fs';
import path from 'node:path';
import { root } from './program';
import { paint } from './terminal';
import { runTool } from './tool';

const STEPS = [['node_modules/typescript/bin/tsc', '-p', '.'], ['dist/internal/startup/bundle.js']];
/** Milliseconds from a change to the build: an editor may write a file in several steps, or several files at once. */
const QUIET = 100;

runTool({
  name: 'dev',
  usage: 'npm run dev --',
  about: 'Rebuilds dist/ after each change in lib/ and internal/: the compiler, then the bundles.',
  takes: 'runs until Ctrl-C; a build takes 3 to 10 s',
  example: 'npm run dev',
  options: {},
}, () => {
  let isBuilding = false;
  let isWanted = false;
  let timer: NodeJS.Timeout | undefined;
  const build = async (): Promise<void> => {
    isWanted = true;
    if (isBuilding) return;
    isBuilding = true;
    while (isWanted) {
      isWanted = false;
      const begun = performance.now();
      const failed = await firstFailure();
      const seconds = ((performance.now() - begun) / 1000).toFixed(1);
      console.log(failed === null ? `${paint('green', 'dist/ is ready')}, after ${seconds} s` : paint('red', `dist/ is not complete: ${failed}`));
    }
    isBuilding = false;
  };
  for (const directory of ['lib', 'internal']) {
    watch(path.join(root, directory), { recursive: true }, (_event, name) => {
      if (name?.endsWith('.ts') !== true) return;
      clearTimeout(timer);
      timer = setTimeout(() => void build(), QUIET);
    });
  }
  void build();
});

/** Runs the steps; what the first one that fails was, or null. Its errors are printed by itself. */
async function firstFailure(): Promise<string | null> {
  for (const [file = '', ...args] of STEPS) {
    const code = await new Promise((resolve) => spawn(process.execPath, [file, ...args], { cwd: root, stdio: 'inherit' }).on('exit', resolve));
    if (code !== 0) return `${path.basename(file)} ended with ${String(code)}`;
  }
  return null;
}
