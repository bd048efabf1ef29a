/**
 * What `--require` names in a worker: runs the preload, with the code that V8 compiled when the
 * project was built. Compiling it anew costs a worker 2 ms of its start.
 *
 * Used by  channel/spawn.ts (by its path), bundle.ts (which makes both files)
 * Never    fails because of the compiled code: made by another Node it is refused, and V8 compiles
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { Script } from 'node:vm';

const file = path.join(__dirname, 'preload.bundle.js');
const compiled = `${file}.${process.version}-${process.arch}`;

/** Nothing where the project was built by another Node. */
function cachedCode(): Buffer | undefined {
  try {
    return readFileSync(compiled);
  } catch {
    return undefined;
  }
}

/** Kept for bundle.ts, which asks it for its compiled code. */
export const script = new Script(readFileSync(file, 'utf8'), {
  filename: file,
  cachedData: cachedCode(),
});
/** Where the compiled code of this Node version is kept. */
export const compiledFile = compiled;

(script.runInThisContext() as (require: NodeJS.Require, entry: string) => void)(require, __filename);
