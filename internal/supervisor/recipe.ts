/**
 * A release of an app: a script, a working directory, arguments, Node's flags and variables. A recipe
 * holds the names that the program gave; a release has the real paths to which these names led when it was made.
 *
 * Used by  rollout.ts, fleet.ts, worker_settings.ts, options.ts, release_options.ts, operate/control/methods.ts; states.ts,
 *          supervisor.ts (types)
 * Uses     release.ts (finds the paths)
 * Never    changes: another release is another object
 */
import { describe, nodeError } from '../errors';
import { existing, type Paths, type ReleaseNames } from './release';

/** Variables for the environment of a worker, or a function that returns those of the worker in a place (from 1). */
export type Variables = NodeJS.ProcessEnv | ((place: number) => NodeJS.ProcessEnv);

/** The parts of a release besides its paths. */
export interface Terms {
  /** The arguments of the script. */
  readonly args: readonly string[];
  /** Node's flags for the workers. */
  readonly execArgv: readonly string[];
  readonly env: Variables;
}

/** The parts that a reload changes. All others stay as they were. */
export type ReleaseChange = { readonly [Name in keyof (Paths & Terms)]?: (Paths & Terms)[Name] };

/** The change of a reload that changes nothing. It has no prototype, as every change: a property of Object.prototype is no change. */
export const noChange: ReleaseChange = Object.freeze({ __proto__: null }) as object;

/** One release. Its paths are real ones: no symlink is followed again. */
export interface Release extends Paths, Terms {
  /** Finds the next release. */
  readonly recipe: Recipe;
}

/** Finds a release, now or later. */
export interface Recipe {
  /** The release as of now. Throws ENOENT or ENOTDIR if its script or directory does not exist. */
  release(): Release;
  /** This recipe with what `change` gives. */
  with(change: ReleaseChange): Recipe;
  /** Throws ENOENT or ENOTDIR if the script or the directory of this release is there no more. */
  check(release: Release): void;
}

/** A recipe of names on the disk. */
export function recipe(names: ReleaseNames, terms: Terms): Recipe {
  const self: Recipe = {
    release: () => ({ ...names.find(), ...terms, recipe: self }),
    with: ({ exec, cwd, args = terms.args, execArgv = terms.execArgv, env = terms.env }) =>
      recipe(exec === undefined && cwd === undefined ? names : names.with({ exec, cwd }), { args, execArgv, env }),
    check: ({ exec, cwd }) => void existing(exec, cwd),
  };
  return self;
}

/** Do these two releases start the same? */
export function isSameRelease(one: Release, other: Release): boolean {
  return releaseParts.every((name) => isSameValue(one[name], other[name]));
}

/** Does `later` give another value to something that `earlier` gives, too? */
export function contradicts(earlier: ReleaseChange, later: ReleaseChange): boolean {
  return releaseParts.some((name) => earlier[name] !== undefined && later[name] !== undefined && !isSameValue(earlier[name], later[name]));
}

/** The names of the parts of a release. */
export const releaseParts = ['exec', 'cwd', 'args', 'execArgv', 'env'] as const;

/** Functions are the same if they are one. Arrays and objects of variables are compared by what is in them. */
function isSameValue(one: unknown, other: unknown): boolean {
  if (one === other) return true;
  if (typeof one !== 'object' || typeof other !== 'object' || one === null || other === null) return false;
  const [entries, others] = [Object.entries(one), Object.entries(other)];
  return entries.length === others.length && entries.every(([key, value]) => (other as Record<string, unknown>)[key] === value);
}

/**
 * The variables of the worker in a place. Throws ERR_INVALID_RETURN_VALUE if the function of the program returns no
 * object, and whatever that function throws.
 */
export function variablesOf(env: Variables, place: number): NodeJS.ProcessEnv {
  if (typeof env !== 'function') return env;
  const variables: unknown = env(place);
  // The promise of an async function: the error below says what is wrong, also if the promise rejects.
  if (isPromise(variables)) variables.catch(() => undefined);
  else if (typeof variables === 'object' && variables !== null && !Array.isArray(variables)) return { ...variables };
  throw nodeError(TypeError, 'ERR_INVALID_RETURN_VALUE',
    `Expected an object of variables to be returned from the "options.env" function for place ${place} but got ${describe(variables)}.`);
}

const isPromise = (value: unknown): value is Promise<unknown> => value instanceof Promise;
