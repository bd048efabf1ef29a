/**
 * Finds the current release of an app: its script and its working directory, as real paths.
 *
 * A deployment often keeps each release in a directory of its own, with a symlink `current` that points to the newest
 * one. Node and the kernel follow symlinks when a program starts: after `cd current && node app.js` both
 * `process.cwd()` and `process.argv[1]` name the release, not `current`. So this file first finds the name with the
 * symlink again, once; then it follows the symlinks at each reload. Workers are started with real paths, so a running
 * release stays what it is when the symlink is pointed elsewhere.
 *
 *   to find …                  it looks at …
 *   the working directory      the option `cwd`, then cluster.settings.cwd, then the directory of this program
 *   the name of a path that    `PWD`, if that leads to the directory of this program (shells and systemd set it), and
 *   has no symlink             the script as it was named. Without `PWD`: a symlink `current` beside the release, or
 *                              beside the directory of releases, as Capistrano and similar tools make it
 *
 * Used by  supervisor.ts, fleet.ts, rollout.ts (the type Release)
 * Never    uses a name that does not lead to the same place at the moment when it is found
 * Node     `require.resolve` caches what a path was; this file looks at the disk each time
 */
import { realpathSync, statSync } from 'node:fs';
import path from 'node:path';
import { nodeError } from '../errors';

/** The real paths of a script and a working directory, at one moment. */
export interface Release {
  readonly exec: string;
  readonly cwd: string;
}

/** What the search needs to know about this process. */
export interface Surroundings {
  /** `process.cwd()`. */
  readonly directory: string;
  /** `process.env.PWD`. */
  readonly pwd: string | undefined;
  /** `process.argv[1]`. */
  readonly program: string | undefined;
}

/** One directory or file with two names: one with symlinks, and the real path. */
interface Alias {
  readonly name: string;
  readonly real: string;
}

/**
 * Returns a function that finds the current release, whenever it is called; that one throws ENOENT or ENOTDIR if the
 * script or the directory does not exist. `cwd` is called each time; undefined means the directory of this program.
 */
export function releases(exec: string, cwd: () => string | undefined, around: Surroundings): () => Release {
  const isNamed = around.pwd !== undefined && realOf(around.pwd) === realOf(around.directory);
  const aliases = [
    ...(isNamed ? aliasesOf(around.pwd) : []), ...aliasesOf(exec), ...aliasesOf(around.program), ...(isNamed ? [] : linksTo(around.directory)),
  ];
  const nameOf = (real: string): string => {
    for (const alias of aliases) {
      const name = rename(real, alias);
      if (name !== null && realOf(name) === realOf(real)) return name;
    }
    return real;
  };
  const directory = nameOf(around.directory);
  const script = nameOf(path.resolve(directory, exec));
  return () => {
    const given = cwd();
    return findRelease(script, given === undefined ? directory : path.resolve(directory, given));
  };
}

/** If the path leads over a symlink: the two names of that symlink. */
function aliasesOf(name: string | undefined): Alias[] {
  if (name === undefined || !path.isAbsolute(name)) return [];
  const real = realOf(name);
  if (real === null || real === path.normalize(name)) return [];
  let alias: Alias = { name: path.normalize(name), real };
  // Behind the symlink both names are the same: cut that off.
  while (path.basename(alias.name) === path.basename(alias.real) && path.dirname(alias.real) !== alias.real) {
    alias = { name: path.dirname(alias.name), real: path.dirname(alias.real) };
  }
  return [alias];
}

/** The symlinks named `current` that lead to `directory`, or to a directory above it. */
function linksTo(directory: string): Alias[] {
  const found: Alias[] = [];
  for (let real = realOf(directory); real !== null && path.dirname(real) !== real; real = path.dirname(real)) {
    const parent = path.dirname(real);
    for (const beside of [parent, path.dirname(parent)]) {
      const name = path.join(beside, 'current');
      if (name !== real && realOf(name) === real) found.push({ name, real });
    }
  }
  return found;
}

/** The path `real` with the name of the alias; null if it is not inside the alias. */
function rename(real: string, { name, real: from }: Alias): string | null {
  const rest = path.relative(from, real);
  if (rest === '..' || rest.startsWith(`..${path.sep}`) || path.isAbsolute(rest)) return null;
  return path.join(name, rest);
}

/** The real path; null if it does not exist or may not be read. */
function realOf(name: string): string | null {
  try {
    return realpathSync(name);
  } catch {
    return null; // `findRelease` looks again, and throws an error that says what is wrong.
  }
}

/** The current release, by absolute names that may contain symlinks. Throws ENOENT or ENOTDIR. */
function findRelease(exec: string, cwd: string): Release {
  return { exec: scriptPath(exec), cwd: directoryPath(cwd) };
}

/** The real path of the script, with the file endings that `node` would try. */
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

/** The real path of the working directory. */
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
