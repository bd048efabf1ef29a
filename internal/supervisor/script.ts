/**
 * Finds a release: its script and its working directory. Symlinks are followed now, so that what runs
 * stays what it is when they are pointed elsewhere.
 *
 * Used by  release.ts, at the start and at each reload
 * Node     `require.resolve` remembers what a path was; this looks each time
 */
import { realpathSync, statSync } from 'node:fs';
import path from 'node:path';
import { nodeError } from '../errors';

/** What is started: real paths, as of some moment. */
export interface Release {
  readonly exec: string;
  readonly cwd: string;
}

/** The release as of now, by absolute names. Throws ENOENT or ENOTDIR, which say what is not there. */
export function findRelease(exec: string, cwd: string): Release {
  return { exec: scriptPath(exec), cwd: directoryPath(cwd) };
}

/** The script's real path, found as `node` would find it. */
function scriptPath(exec: string): string {
  for (const ending of ['', '.js', '.cjs', '.mjs']) {
    try {
      return realpathSync(path.resolve(exec) + ending);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }
  throw nodeError(Error, 'ENOENT', `there is no script ${path.resolve(exec)}`);
}

function directoryPath(cwd: string): string {
  let real: string;
  try {
    real = realpathSync(cwd);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    throw nodeError(Error, 'ENOENT', `there is no directory ${cwd}`);
  }
  if (!statSync(real).isDirectory()) throw nodeError(Error, 'ENOTDIR', `${cwd} is no directory`);
  return real;
}
