/**
 * The options that make a release, as `supervise` and `reload` take them, and their check.
 *
 * Used by  options.ts, supervisor.ts, operate/control/methods.ts
 * Never    keeps an object of the program, which the program could change
 */
import { invalidArgType, invalidArgValue } from '../errors';
import { ownOptions } from '../own_options';
import { checkNames, checkString } from '../validate';
import { releaseParts, type ReleaseChange, type Variables } from './recipe';

/** The parts of a release. Each may be left out. */
export interface ReleaseOptions {
  /** The script of the workers: that of this program by default. Symlinks in its path are followed again at each reload. */
  exec?: string | undefined;
  /**
   * The working directory of the workers. By default cluster.settings.cwd, and if that is not set, the directory of this
   * program, by the name under which it was entered (see release.ts). Its symlinks are followed together with those of `exec`.
   */
  cwd?: string | undefined;
  /** The arguments of the script: those of this program by default. */
  args?: readonly string[] | undefined;
  /** Node's flags for the workers: those of this program by default. */
  execArgv?: readonly string[] | undefined;
  /**
   * Variables that are added to the environment of the workers; undefined removes one. Or a function that is called at
   * each start of a worker, and returns the variables of the worker in this place (from 1). If it throws or returns no
   * object, that start has failed, as if the worker had died at once.
   */
  env?: NodeJS.ProcessEnv | ((place: number) => NodeJS.ProcessEnv) | undefined;
}

/** Returns those of the options that are given. Throws ERR_INVALID_ARG_TYPE or ERR_INVALID_ARG_VALUE for a wrong one. */
export function checkReleaseOptions(options: ReleaseOptions): ReleaseChange {
  const { exec, cwd, args, execArgv, env } = ownOptions(options, releaseParts);
  const change: ReleaseChange = {
    ...(exec == null ? {} : { exec: pathOf('options.exec', exec, 'script') }),
    ...(cwd == null ? {} : { cwd: pathOf('options.cwd', cwd, 'directory') }),
    ...(args == null ? {} : { args: texts('options.args', args) }),
    ...(execArgv == null ? {} : { execArgv: texts('options.execArgv', execArgv) }),
    ...(env == null ? {} : { env: variables(env) }),
  };
  // Without a prototype: whoever reads an option of it that was not given does not find that of Object.prototype.
  return { __proto__: null, ...change } as ReleaseChange;
}

/** The options of `reload`. Throws as `checkReleaseOptions`, and ERR_INVALID_ARG_VALUE for an unknown name. */
export function checkChange(options: ReleaseOptions): ReleaseChange {
  checkNames('options', options, releaseParts);
  return checkReleaseOptions(options);
}

function pathOf(name: string, value: unknown, what: string): string {
  const path = checkString(name, value);
  if (path === '' || path.includes('\0')) throw invalidArgValue(name, path, `must be the path of a ${what}`);
  return path;
}

function texts(name: string, value: unknown): readonly string[] {
  const all: unknown[] = Array.isArray(value) ? [...value] : [null];
  if (!all.every((one) => typeof one === 'string')) throw invalidArgType(name, 'an array of strings', value);
  return all;
}

function variables(value: unknown): Variables {
  if (isFunction(value)) return value;
  if (typeof value !== 'object' || value === null) throw invalidArgType('options.env', 'of type object or function', value);
  return { ...value };
}

const isFunction = (value: unknown): value is (place: number) => NodeJS.ProcessEnv => typeof value === 'function';
