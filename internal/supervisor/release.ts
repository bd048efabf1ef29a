/**
 * Finds the script and the working directory of the current release of an app, as real paths.
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
 * Used by  recipe.ts, worker_settings.ts
 * Never    uses a name that does not lead to the same place at the moment when it is found
 * Node     `require.resolve` caches what a path was; this file looks at the disk each time
 */
import { realpathSync, statSync } from 'node:fs';
import path from 'node:path';
import { nodeError } from '../errors';

/** The real paths of a script and a working directory, at one moment. */
export interface Paths {
  readonly exec: string;
  readonly cwd: string;
}

/** Other names than before: of the script, or of the working directory. */
export type OtherNames = { readonly [Name in keyof Paths]?: string | undefined };

/** The names of a script and a working directory, whose symlinks can be followed at any time. */
export interface ReleaseNames {
  /** The paths as of now. Throws ENOENT or ENOTDIR if the script or the directory does not exist. */
  find(): Paths;
  /** The same with other names. A relative one belongs to the directory of this program, by its name with symlinks. */
  with(other: OtherNames): ReleaseNames;
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
 * Returns the names of a script and a directory. `cwd` is called at each search; undefined means the directory of this
 * program.
 */
export function releases(exec: string, cwd: () => string | undefined, around: Surroundings): ReleaseNames {
  const isNamed = around.pwd !== undefined && realOf(around.pwd) === realOf(around.directory);
  // Found once: later the symlinks may lead elsewhere, and their names could not be found from real paths any more.
  const aliases = [
    ...(isNamed ? aliasesOf(around.pwd) : []), ...aliasesOf(exec), ...aliasesOf(around.program), ...(isNamed ? [] : linksTo(around.directory)),
  ];
  const directory = nameOf(around.directory, aliases);
  const named = (script: string, cwdOf: () => string | undefined): ReleaseNames => ({
    find() {
      const given = cwdOf();
      return existing(script, given === undefined ? directory : path.resolve(directory, given));
    },
    with: (other) => named(
      other.exec === undefined ? script : nameOf(path.resolve(directory, other.exec), aliases),
      other.cwd === undefined ? cwdOf : () => other.cwd,
    ),
  });
  return named(nameOf(path.resolve(directory, exec), aliases), cwd);
}

/** The name of `real` with a symlink, if one of the aliases gives it one that leads to the same place now. */
function nameOf(real: string, aliases: readonly Alias[]): string {
  for (const alias of aliases) {
    const name = rename(real, alias);
    if (name !== null && isSamePlace(name, real)) return name;
  }
  return real;
}

/** Do two names lead to the same place? Of a script that is named without its ending, the directory is compared. */
function isSamePlace(one: string, other: string): boolean {
  const real = realOf(one);
  return real === realOf(other) && (real !== null || realOf(path.dirname(one)) === realOf(path.dirname(other)));
}

/** If the path leads over a symlink: the two names of that symlink. */
function aliasesOf(name: string | undefined): Alias[] {
  if (name === undefined || !path.isAbsolute(name)) return [];
  const real = realOf(name);
  if (real === null || real === path.normalize(name)) return [];
  let alias: Alias = { name: path.normalize(name), real };
  // Behind the symlink both names are the same: cut that off. A name that ends in a slash may have no symlink.
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
  return rest.split(path.sep)[0] === '..' ? null : path.join(name, rest);
}

/** The real path; null if it does not exist or may not be read. */
function realOf(name: string): string | null {
  try {
    return realpathSync(name);
  } catch {
    return null; // `existing` looks again, and throws an error that says what is wrong.
  }
}

/** The real paths of a script and a directory, by absolute names that may contain symlinks. Throws ENOENT or ENOTDIR. */
export function existing(exec: string, cwd: string): Paths {
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
