/**
 * Finds the script of a release. Symlinks are followed now, so that what runs stays what it is when they
 * are pointed elsewhere.
 *
 * Used by  supervisor.ts, at the start and at each reload
 * Node     `require.resolve` remembers what a path was; this looks each time
 */
import { realpathSync } from 'node:fs';
import path from 'node:path';
import { nodeError } from '../errors';

/** The script's real path as of now, found as `node` would find it. */
export function scriptPath(exec: string): string {
  for (const ending of ['', '.js', '.cjs', '.mjs']) {
    try {
      return realpathSync(path.resolve(exec) + ending);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }
  throw nodeError(Error, 'ENOENT', `there is no script ${path.resolve(exec)}`);
}
