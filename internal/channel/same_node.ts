/**
 * Is the program that a child will run this Node? Only then it can load our preload. `node` by name, a
 * symbolic or a hard link are the same program as `process.execPath`; a script that starts some Node is another.
 *
 * The file is looked for as `execvp` does it in the child: in the PATH of the child's environment, seen
 * from the child's directory. Two file names cost one `stat` each, and the same name costs none.
 *
 * Used by  spawn.ts, for a child that has an 'ipc' in its stdio
 * Never    throws: where the file cannot be found, or seen, it is another program, and Node says what is wrong
 */
import { accessSync, constants, statSync } from 'node:fs';
import path from 'node:path';

/** Where `execvp` looks if the environment has no PATH. */
const DEFAULT_PATH = '/bin:/usr/bin';

/** `file`, `cwd` and `envPairs` are what Node starts the child with. */
export function isThisNode(file: unknown, cwd: unknown, envPairs: readonly string[]): boolean {
  if (file === process.execPath) return true;
  if (typeof file !== 'string' || file === '') return false;
  const directory = typeof cwd === 'string' ? cwd : '.';
  if (file.includes('/')) return isSame(path.resolve(directory, file));
  const pair = envPairs.find((one) => typeof one === 'string' && one.startsWith('PATH='));
  for (const place of (pair?.slice('PATH='.length) ?? DEFAULT_PATH).split(':')) {
    const found = path.resolve(directory, place, file);
    if (isProgram(found)) return isSame(found);
  }
  return false;
}

/** Would `execvp` take it? It goes on past what is not there, is no file, or may not be run. */
function isProgram(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}

function isSame(file: string): boolean {
  try {
    const [one, own] = [statSync(file, { bigint: true }), statSync(process.execPath, { bigint: true })];
    return one.ino === own.ino && one.dev === own.dev;
  } catch {
    return false;
  }
}
