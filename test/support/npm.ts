/**
 * Packages from the npm registry that a tool needs, in a directory of their own.
 *
 * Used by  differential/nodes.ts (other runtimes), ecosystem/install.ts (programs that use cluster and fork)
 */
import { spawn } from 'node:child_process';
import { mkdirSync, renameSync } from 'node:fs';
import { WrongArgument, owning } from './tool';

/**
 * Installs `packages` ("pm2@7.0.4") into a directory beside `directory` and renames it at the end, so that they are there
 * completely or not at all.
 *
 * @throws WrongArgument if npm could not
 */
export async function npmInstall(packages: readonly string[], directory: string): Promise<void> {
  const partial = `${directory}.${process.pid}`;
  const release = owning(partial);
  mkdirSync(partial, { recursive: true });
  const code = await new Promise((resolve, reject) => {
    const npm = spawn('npm', ['install', '--prefix', partial, '--no-audit', '--no-fund', '--loglevel=error', ...packages], { stdio: ['ignore', 2, 2] });
    npm.on('error', reject).on('exit', resolve);
  });
  if (code !== 0) throw new WrongArgument(`npm could not install ${packages.join(' ')}`);
  renameSync(partial, directory);
  release();
}
