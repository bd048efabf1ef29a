/**
 * The arguments of a command: the kinds of options, how they are read, and what --help prints of them. A wrong argument
 * is a CommandError with exit code 2, before the command has done anything.
 *
 *   --name VALUE   --name=VALUE   -n VALUE   -nVALUE   -f   -- (what follows is for the app)
 *
 * `-1` is no option but a number: `scale api -1`.
 *
 * Used by  every file of cli/ that reads arguments
 * Uses     errors.ts, nearest.ts
 * Never    ignores an argument: an unknown option, a second value, and a value that is not of its kind are errors
 */
import { CommandError } from './errors';
import { nearest } from './nearest';

/** One option of a command. */
export interface Option<Value> {
  /** What stands for its value in --help: N, TIME; null: it takes no value. */
  readonly value: string | null;
  /** Its one-letter name. */
  readonly short?: string;
  readonly about: string;
  /** It may be given several times, and each value counts. */
  readonly many?: true;
  /** Reads one value. `before`: what the option has read so far. @throws CommandError */
  read(text: string, name: string, before: Value | undefined): Value;
}

/** The options of a command by their long names. */
export type Options = Readonly<Record<string, Option<unknown>>>;

/** What was given; an option that was not given is undefined. */
export type Values<Of extends Options> = { readonly [Name in keyof Of]: Of[Name] extends Option<infer Value> ? Value | undefined : never };

/** The arguments as they were written. */
export interface RawArguments {
  readonly values: Readonly<Record<string, unknown>>;
  /** The arguments without a name, before `--`. */
  readonly names: readonly string[];
  /** What stands after `--`. */
  readonly rest: readonly string[];
}

/** Sorts the arguments of a command. @throws CommandError with exit code 2 */
export function readArguments(options: Options, args: readonly string[]): RawArguments {
  const values: Record<string, unknown> = {};
  const names: string[] = [];
  const end = args.indexOf('--');
  const own = end === -1 ? args : args.slice(0, end);
  for (let index = 0; index < own.length; index++) {
    const argument = own[index] ?? '';
    const [, given = '', inline] = /^(--?[^=-][^=]*)(?:=([\s\S]*))?$/.exec(argument) ?? [];
    if (given === '' || /^-\d+$/.test(argument)) {
      if (argument === '' || argument === '-') throw wrong(argument === '' ? 'an argument is empty' : "'-' is no argument of this command");
      if (argument.startsWith('--')) throw wrong(`'${argument}' is no option`);
      names.push(argument);
      continue;
    }
    const { name, attached } = find(options, given, argument);
    const option = options[name] as Option<unknown>;
    if (name in values && option.many !== true && option.value !== null) throw wrong(`--${name} is given twice`);
    const text = option.value === null ? attached : attached ?? inline ?? own[++index];
    if (option.value === null && (inline !== undefined || attached !== undefined)) throw wrong(`--${name} takes no value, so not '${argument}'`);
    if (option.value !== null && (text === undefined || text === '')) throw wrong(`--${name} needs a value: --${name} ${option.value}`);
    values[name] = option.read(text ?? '', `--${name}`, values[name]);
  }
  return { values, names, rest: end === -1 ? [] : args.slice(end + 1) };
}

/** The option that is meant, and for `-i4` the value that is attached to its letter. */
function find(options: Options, given: string, argument: string): { readonly name: string; readonly attached?: string } {
  if (given.startsWith('--')) {
    const name = given.slice(2);
    if (Object.hasOwn(options, name)) return { name };
    const meant = nearest(name, Object.keys(options));
    throw wrong(`there is no option ${given}${meant === null ? '' : `; did you mean --${meant}?`}`);
  }
  if (Object.hasOwn(options, given.slice(1))) throw wrong(`there is no option ${given}; did you mean -${given}?`);
  const name = Object.entries(options).find(([, { short }]) => short === given[1])?.[0];
  if (name === undefined) throw wrong(`there is no option -${given[1] ?? ''}`);
  const attached = argument.slice(2).replace(/^=/, '');
  return argument.length > 2 ? { name, attached } : { name };
}

/** The error for wrong arguments: exit code 2. */
export const wrong = (message: string): CommandError => new CommandError(2, 'ERR_INVALID_ARGUMENT', message);

// ── kinds of options ───────────────────────────────────────────────────────────────────────────────

/** An option without a value. */
export const flag = (about: string, short?: string): Option<true> => ({ value: null, about, ...(short === undefined ? {} : { short }), read: () => true });

/** A text that is not empty. `value`: what stands for it in --help. */
export const text = (value: string, about: string, short?: string): Option<string> => ({ value, about, ...(short === undefined ? {} : { short }), read: (given) => given });

/** Texts: the option may be given several times. */
export const texts = (value: string, about: string): Option<readonly string[]> => ({ value, about, many: true, read: (given, _name, before = []) => [...before, given] });

/** A whole number. */
export function count(value: string, about: string, lowest: number, highest: number): Option<number> {
  return { value, about, read: (given, name) => wholeNumber(given, name, lowest, highest) };
}

/** Reads a whole number. Throws a CommandError that names what it should be. */
export function wholeNumber(given: string, name: string, lowest: number, highest: number): number {
  if (/^\d+$/.test(given) && Number(given) >= lowest && Number(given) <= highest) return Number(given);
  throw wrong(`${name} takes a whole number from ${lowest} to ${highest}, not '${given}'`);
}

const UNITS: Readonly<Record<string, number>> = { '': 1, ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** A time, in milliseconds: 500, 500ms, 2s, 5m, 1h, 2d. */
export function time(about: string): Option<number> {
  return {
    value: 'TIME', about,
    read: (given, name) => {
      const [, digits = '', unit = 'no unit'] = /^(\d+(?:\.\d+)?)(ms|s|m|h|d|)$/.exec(given) ?? [];
      const value = Number(digits) * (UNITS[unit] ?? NaN);
      if (digits !== '' && value <= 2 ** 31 - 1) return value;
      throw wrong(`${name} takes a time such as 500ms, 2s or 5m (24 days at most), not '${given}'`);
    },
  };
}

const SIZES: Readonly<Record<string, number>> = { '': 1, K: 1024, M: 1024 ** 2, G: 1024 ** 3 };

/** A size, in bytes: 65536, 64K, 10M, 1G. */
export function size(about: string): Option<number> {
  return {
    value: 'SIZE', about,
    read: (given, name) => {
      const [, digits = '', unit = ''] = /^(\d+)([KMG]?)(?:i?B)?$/i.exec(given) ?? [];
      const value = Number(digits) * (SIZES[unit.toUpperCase()] ?? NaN);
      if (digits !== '' && value >= 1 && Number.isSafeInteger(value)) return value;
      throw wrong(`${name} takes a size such as 512K, 10M or 1G, not '${given}'`);
    },
  };
}

/** One of these words. */
export function oneOf<Word extends string>(words: readonly Word[], about: string): Option<Word> {
  return {
    value: words.join('|'), about,
    read: (given, name) => {
      const word = words.find((each) => each === given);
      if (word !== undefined) return word;
      throw wrong(`${name} takes ${words.slice(0, -1).join(', ')} or ${words.at(-1) ?? ''}, not '${given}'`);
    },
  };
}
