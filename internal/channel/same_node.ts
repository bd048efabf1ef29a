/**
 * Will a child run the same Node binary as this process? Only then can it load our preload. A name (`node`), a symbolic
 * link or a hard link may lead to the same binary as `process.execPath`. A script that starts Node is another program.
 *
 * The file is looked up as `execvp` does it in the child: in the PATH of the child's environment, relative to the child's
 * working directory. Two different names cost one `stat` each; the same name costs none.
 *
 * Used by  spawn.ts, for a child that has an 'ipc' in its stdio
 * Never    throws: a file that cannot be found or read counts as another program, and Node reports the error
 */
import { accessSync, constants, statSync } from 'node:fs';
import path from 'node:path';

/** The directories in which `execvp` looks if the environment has no PATH. */
const DEFAULT_PATH = '/bin:/usr/bin';

/** The arguments are those with which Node starts the child. */
export function isThisNode(file: unknown, cwd: unknown, envPairs: readonly string[]): boolean {
  if (file === process.execPath) return true;
  if (typeof file !== 'string' || file === '') return false;
  const directory = typeof cwd === 'string' ? cwd : '.';
  if (file.includes('/')) return isSame(path.resolve(directory, file));
  const pair = envPairs.find((one) => typeof one === 'string' && one.startsWith('PATH='));
  for (const entry of (pair?.slice('PATH='.length) ?? DEFAULT_PATH).split(':')) {
    const found = path.resolve(directory, entry, file);
    if (isProgram(found)) return isSame(found);
  }
  return false;
}

/** Would `execvp` run this file? If it does not exist, is no regular file, or is not executable, `execvp` tries the next directory. */
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
