/**
 * The arguments of a tool: read, checked, and described by --help. A wrong argument is one line on stderr
 * and exit code 2, before anything runs. Without this check a tool could run with NaN, do nothing, and
 * report that it found no fault.
 *
 * Used by  test/support/tool.ts, test/unit/arguments.test.ts
 */
import { parseArgs } from 'node:util';
import { WIDTH, columns } from './terminal';

/** One option. With a default it may be left out; a text that has no default is then undefined. */
export type Option =
  | { readonly takes: 'whole number'; readonly default: number; readonly least?: number; readonly about: string }
  | { readonly takes: 'number'; readonly default: number; readonly about: string }
  | { readonly takes: 'text'; readonly default?: string; readonly about: string }
  | { readonly takes: 'nothing'; readonly about: string };

export type Options = Readonly<Record<string, Option>>;

export type Values<Of extends Options> = {
  readonly [Name in keyof Of]:
    Of[Name] extends { readonly takes: 'nothing' } ? boolean
      : Of[Name] extends { readonly takes: 'text' } ? (Of[Name] extends { readonly default: string } ? string : string | undefined)
        : number;
};

/** A tool as its --help shows it. */
export interface Description<Of extends Options> {
  /** Its name, in front of each line that it prints about itself: "random". */
  readonly name: string;
  /** How it is started, without the options: "npm run random --". */
  readonly usage: string;
  /** What it does, and when its exit code is 1. */
  readonly about: string;
  /** How long it runs: "about 2.5 s of processor time for each sequence". */
  readonly takes: string;
  /** A whole command that a reader can copy. */
  readonly example: string;
  readonly options: Of;
  /** The arguments without a name; a tool takes none by default. */
  readonly positionals?: { readonly name: string; readonly about: string };
}

/** A wrong argument: one line that says what is wrong and what to write instead. */
export class WrongArgument extends Error {}

export interface Arguments<Of extends Options> {
  readonly values: Values<Of>;
  readonly positionals: readonly string[];
}

/** The arguments, or 'help' if they contain --help. @throws WrongArgument */
export function readArguments<Of extends Options>({ options, positionals }: Description<Of>, args: readonly string[]): Arguments<Of> | 'help' {
  const types = Object.fromEntries(Object.entries(options).map(([name, { takes }]) => [name, { type: takes === 'nothing' ? 'boolean' as const : 'string' as const }]));
  let parsed: { readonly values: Readonly<Record<string, string | boolean | undefined>>; readonly positionals: readonly string[] };
  try {
    parsed = parseArgs({ args: [...args], allowPositionals: positionals !== undefined, options: { ...types, help: { type: 'boolean' } } });
  } catch (error) {
    throw new WrongArgument((error as Error).message.split('\n')[0]);
  }
  if (parsed.values['help'] === true) return 'help';
  const values = Object.fromEntries(Object.entries(options).map(([name, option]) => [name, valueOf(name, option, parsed.values[name])]));
  if (parsed.positionals.includes('')) throw new WrongArgument('an argument is empty');
  return { values: values as Values<Of>, positionals: parsed.positionals };
}

function valueOf(name: string, option: Option, given: string | boolean | undefined): unknown {
  if (option.takes === 'nothing') return given === true;
  if (given === undefined) return option.default;
  const text = String(given);
  switch (option.takes) {
    case 'text':
      if (text.trim() === '') throw new WrongArgument(`--${name} takes a text, not ''`);
      return text;
    case 'whole number': {
      const least = option.least ?? 1;
      if (!/^\d+$/.test(text) || Number(text) < least || !Number.isSafeInteger(Number(text))) throw new WrongArgument(`--${name} takes a whole number of at least ${least}, not '${text}'`);
      return Number(text);
    }
    case 'number': return positive(`--${name}`, text);
  }
}

/** A number above 0. @throws WrongArgument */
export function positive(name: string, text: string): number {
  if (!/^\d+(\.\d+)?$/.test(text) || !(Number(text) > 0) || !Number.isFinite(Number(text))) throw new WrongArgument(`${name} takes a number above 0, not '${text}'`);
  return Number(text);
}

/** What --help prints. */
export function help({ usage, about, takes, example, options, positionals }: Description<Options>): string {
  const rows = Object.entries(options).map(([name, option]): [string, string] => [
    `--${name}${option.takes === 'nothing' ? '' : option.takes === 'text' ? ' TEXT' : ' N'}`,
    `${option.about}${'default' in option && option.default !== undefined ? `; ${option.default} by default` : ''}`,
  ]);
  if (positionals !== undefined) rows.unshift([positionals.name, positionals.about]);
  rows.push(['--help', 'prints this text']);
  const indented = columns(rows, WIDTH - 2).split('\n').map((line) => `  ${line}`).join('\n');
  return `${usage}${positionals === undefined ? '' : ` ${positionals.name}`} [options]

${about.split('\n').map((line) => columns([[line]])).join('\n')}
Exit code 2: a wrong argument. 130 or 143: ended by Ctrl-C or SIGTERM, without a result.

${columns([['Time', takes], ['Example', example]])}

${indented}
`;
}
