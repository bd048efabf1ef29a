/**
 * One command: what --help says of it, which arguments it takes, and what it does. Each command is one file that exports
 * what `defineCommand` returns, and one row in commands.ts.
 *
 * Used by  main.ts, lib/cli.ts, and every command
 * Uses     arguments.ts, table.ts
 */
import type { Cluster } from 'node:cluster';
import { flag, readArguments, wrong, type Options, type Values } from './arguments';
import type { Output } from './output';
import type { SuperviseOptions } from '../../supervisor/options';
import type { Supervisor } from '../../supervisor/supervisor';
import { described, wrapped } from './table';

/** The functions of lib/ that commands call. lib/cli.ts passes them in, since no file of internal/ may import lib/. */
export interface Doors {
  /** The cluster object with which `supervise` forks. */
  cluster(): Cluster;
  supervise(options: SuperviseOptions): Supervisor;
}

/** What a command gets. */
export interface Given<Of extends Options> {
  readonly values: Values<Of>;
  /** The arguments without a name. */
  readonly names: readonly string[];
  /** What stands after `--`. */
  readonly rest: readonly string[];
  readonly output: Output;
  readonly doors: Doors;
}

/** What a file of this directory says about its command. */
export interface Description<Of extends Options> {
  readonly name: string;
  /** The arguments without a name: how --help shows them, how many, and a line about each. None by default. */
  readonly takes?: { readonly text: string; readonly least: number; readonly most: number; readonly about: readonly (readonly [string, string])[] };
  /** What the arguments after `--` are. By default there must be none. */
  readonly rest?: string;
  /** What it does and what its exit codes mean: paragraphs. */
  readonly about: readonly string[];
  /** Whole commands that a reader can copy. */
  readonly examples: readonly string[];
  readonly options: Of;
  /** Does it, and resolves with the exit code; undefined leaves `process.exitCode` as it is. @throws CommandError */
  run(given: Given<Of>): Promise<number | undefined>;
}

/** A command, with its own types hidden. */
export interface Command {
  readonly help: string;
  /** Checks the arguments. What is returned runs the command. @throws CommandError with exit code 2 */
  prepare(args: readonly string[]): (output: Output, doors: Doors) => Promise<number | undefined>;
}

/** The options of every command. main.ts looks for them too, so that an error can be printed as JSON. */
export const COMMON = { json: flag('one JSON document on stdout, also for an error: {"error":{"code","message"}}'), help: flag('prints this text') };

/** Makes a command of its description: its help is written, and its arguments are checked, before `run` is called. */
export function defineCommand<const Of extends Options>(command: Description<Of>): Command {
  const options = { ...command.options, ...COMMON };
  return {
    get help() { return helpOf(command); },
    prepare: (args) => {
      const { values, names, rest } = readArguments(options, args);
      const { text, least, most } = command.takes ?? { text: '', least: 0, most: 0 };
      if (names.length > most) throw wrong(`'${names[most] ?? ''}' is one argument too many for ${command.name}${command.rest === undefined ? '' : `; ${command.rest} come after --`}`);
      if (names.length < least) throw wrong(`${command.name} needs ${text}`);
      if (command.rest === undefined && rest.length > 0) throw wrong(`${command.name} takes nothing after --`);
      // Each value was read by the option of its name.
      return (output, doors) => command.run({ values: values as Values<Of>, names, rest, output, doors });
    },
  };
}

function helpOf({ name, takes, rest, about, examples, options }: Description<Options>): string {
  const usage = ['cluster-internals', name, ...(takes === undefined ? [] : [takes.text]), '[options]', ...(rest === undefined ? [] : ['[-- …]'])].join(' ');
  const rows = [
    ...(takes?.about ?? []),
    ...Object.entries({ ...options, ...COMMON }).map(([option, { value, short, about: what, many }]): [string, string] =>
      [`${short === undefined ? '' : `-${short}, `}--${option}${value === null ? '' : ` ${value}`}`, `${what}${many === true ? '; may be given several times' : ''}`]),
    ...(rest === undefined ? [] : [['-- …', rest] as const]),
  ];
  const indented = described(rows, 98).split('\n').map((line) => `  ${line}`).join('\n');
  const paragraphs = about.map((paragraph) => wrapped(paragraph).join('\n')).join('\n\n');
  return `${usage}\n\n${paragraphs}\n\n${indented}\n\n${examples.map((example, index) => `${index === 0 ? 'Example' : '       '}  ${example}`).join('\n')}\n`;
}
