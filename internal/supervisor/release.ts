/**
 * Where the releases of an app are found: its script and its working directory, as somebody named them,
 * with the symlinks that a deployment points elsewhere. Node and the kernel resolve those when a program
 * starts, so that after `cd current && node app.js` neither `process.cwd()` nor `process.argv[1]` says
 * 'current'. Here the names are found again, once, and the symlinks are followed at each reload, so that what runs stays what it is
 * when they are pointed elsewhere.
 *
 *   the name of …            is looked for in
 *   the directory            the option `cwd`, cluster.settings.cwd, else the directory of the program
 *   a directory or script    `PWD`, if that is this directory (shells and systemd set it); the script as
 *   that came resolved       it was named. Where `PWD` says nothing: a link `current` beside the release, or
 *                            beside the directory of releases, as Capistrano and its kind make it
 *
 * Used by  supervisor.ts, at the start
 * Node     `require.resolve` remembers what a path was; this looks each time
 * Never    takes a name that does not lead to the same place at that moment
 */
import { realpathSync, statSync } from 'node:fs';
import path from 'node:path';
import { nodeError } from '../errors';

/** What is started: real paths, as of some moment. */
export interface Release {
  readonly exec: string;
  readonly cwd: string;
}

/** What a search needs to know of this process. */
export interface Surroundings {
  /** The directory of the process. */
  readonly directory: string;
  /** `PWD` of its environment. */
  readonly pwd: string | undefined;
  /** `process.argv[1]`. */
  readonly program: string | undefined;
}

/** One place with two names: with symlinks, and without. */
interface Alias {
  readonly name: string;
  readonly real: string;
}

/** Gives the way to the release of any moment. `cwd` is asked for each time; undefined: the directory of the program. */
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

/** A path that leads over a symlink: the two names of the place where it does. */
function aliasesOf(name: string | undefined): Alias[] {
  if (name === undefined || !path.isAbsolute(name)) return [];
  const real = realOf(name);
  if (real === null || real === path.normalize(name)) return [];
  let alias: Alias = { name: path.normalize(name), real };
  // What comes after the link is the same in both names.
  while (path.basename(alias.name) === path.basename(alias.real) && path.dirname(alias.real) !== alias.real) {
    alias = { name: path.dirname(alias.name), real: path.dirname(alias.real) };
  }
  return [alias];
}

/** The links named `current` that lead to the directory, or to one that it lies in. */
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

/** The path by the alias; null if it does not lie there. */
function rename(real: string, { name, real: from }: Alias): string | null {
  const rest = path.relative(from, real);
  if (rest === '..' || rest.startsWith(`..${path.sep}`) || path.isAbsolute(rest)) return null;
  return path.join(name, rest);
}

/** null: there is nothing, or it may not be looked at. */
function realOf(name: string): string | null {
  try {
    return realpathSync(name);
  } catch {
    return null; // Whoever needs it looks again, and says what is wrong.
  }
}

/** The release as of now, by absolute names. Throws ENOENT or ENOTDIR, which say what is not there. */
function findRelease(exec: string, cwd: string): Release {
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
