/**
 * npm run dev: rebuilds dist/ after each change of a source, until Ctrl-C.
 *
 * Two steps make dist/: the compiler, which watches lib/ and internal/ by itself, and after each of its
 * runs without an error the bundles (internal/startup/bundle.ts). A worker that starts between the two
 * steps runs the bundles of the build before.
 *
 * Owns     the compiler and the bundle step, ended with the tool
 * Never    runs two bundle steps at once: a change during one starts the next when it has ended
 */
import { spawn } from 'node:child_process';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { root } from './program';
import { runTool } from './tool';

runTool({
  name: 'dev',
  usage: 'npm run dev --',
  about: 'Rebuilds dist/ after each change in lib/ and internal/: the compiler, then the bundles.',
  takes: 'runs until Ctrl-C; about 5 s until the first build is ready',
  example: 'npm run dev',
  options: {},
}, main);

async function main(): Promise<void> {
  const compiler = spawn(process.execPath, [path.join(root, 'node_modules/typescript/bin/tsc'), '-p', root, '--watch', '--preserveWatchOutput'], { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] });
  let wanted = false;
  let bundling = false;
  const bundle = (): void => {
    if (bundling) return;
    wanted = false;
    bundling = true;
    const begun = performance.now();
    spawn(process.execPath, [path.join(root, 'dist/internal/startup/bundle.js')], { cwd: root, stdio: 'inherit' }).on('exit', (code) => {
      bundling = false;
      console.log(code === 0 ? `dist/ is ready (bundles: ${((performance.now() - begun) / 1000).toFixed(1)} s)` : `the bundles could not be made: exit code ${String(code)}`);
      if (wanted) bundle();
    });
  };
  for await (const line of createInterface({ input: compiler.stdout })) {
    if (line.trim() !== '') console.log(line);
    if (!/Found 0 errors/.test(line)) continue;
    wanted = true;
    bundle();
  }
  throw new Error('the compiler has ended');
}
