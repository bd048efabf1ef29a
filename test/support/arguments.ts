/**
 * The arguments of a tool: read, checked, and described by --help. A wrong one is a line on stderr and
 * exit code 2, before anything runs: a tool that runs with NaN, or with nothing to do, finds no fault.
 *
 * Used by  tool.ts
 */
import { parseArgs } from 'node:util';

/** What an option is. Its default makes it optional; a text without one is undefined where it is not given. */
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
  /** Its name in front of each of its own lines: "random". */
  readonly name: string;
  /** How it is started, without the options: "npm run random --". */
  readonly usage: string;
  /** What it does and what its exit code says. */
  readonly about: string;
  readonly options: Of;
  /** What it takes without a name; nothing by default. */
  readonly positionals?: { readonly name: string; readonly about: string };
}

/** A wrong argument: one line that says what to write instead. */
export class WrongArgument extends Error {}

export interface Arguments<Of extends Options> {
  readonly values: Values<Of>;
  readonly positionals: readonly string[];
}

/** The arguments, or 'help' where they ask for that. @throws WrongArgument */
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
      if (!/^\d+$/.test(text) || Number(text) < least || !Number.isSafeInteger(Number(text))) throw new WrongArgument(`--${name} takes a whole number from ${least} on, not '${text}'`);
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
export function help({ usage, about, options, positionals }: Description<Options>): string {
  const rows = Object.entries(options).map(([name, option]): [string, string] => [
    `--${name}${option.takes === 'nothing' ? '' : option.takes === 'text' ? ' TEXT' : ' N'}`,
    `${option.about}${'default' in option && option.default !== undefined ? `; ${option.default} by default` : ''}`,
  ]);
  if (positionals !== undefined) rows.unshift([positionals.name, positionals.about]);
  rows.push(['--help', 'prints this']);
  const width = Math.max(...rows.map(([name]) => name.length));
  return `${usage}${positionals === undefined ? '' : ` ${positionals.name}`} [options]\n\n${about}\n\n${rows.map(([name, text]) => `  ${name.padEnd(width)}  ${text}`).join('\n')}\n`;
}
