/**
 * The command line: finds the command, checks its arguments, runs it, and turns what happens into text and an exit code.
 *
 * Used by  lib/cli.ts
 * Uses     commands.ts (the table of the commands)
 * Never    lets an error end the process with a stack: what a command throws is one line, and its exit code that of errors.ts
 */
import { wrong } from './arguments';
import type { Doors } from './command';
import { COMMANDS, type Row } from './commands';
import { asCommandError } from './errors';
import { nearest } from './nearest';
import { Output } from './output';
import { described } from './table';

/**
 * Runs one command line.
 *
 * @param args     the arguments, without Node and the script
 * @param version  of the package
 * @param doors    the public functions that commands use
 * @returns        the exit code; undefined if `process.exitCode` has it already
 */
export async function main(args: readonly string[], version: string, doors: Doors): Promise<number | undefined> {
  const own = args.includes('--') ? args.slice(0, args.indexOf('--')) : args;
  const output = new Output(own.includes('--json'));
  try {
    const [name = '--help', ...others] = args;
    if (name === '--version' || name === '-v') return output.result({ version }, () => version), 0;
    if (name === 'help' && others.length > 0 && others[0] !== '--help') return output.write(find(others[0] ?? '').load().help), 0;
    if (name === '--help' || name === '-h' || name === 'help') return output.write(overview(version)), 0;
    const command = find(name).load();
    if (others.slice(0, own.length - 1).some((argument) => argument === '--help' || argument === '-h')) return output.write(command.help), 0;
    return await command.prepare(others)(output, doors);
  } catch (error) {
    const known = asCommandError(error);
    const advice = known.exitCode === 2 && COMMANDS.some((row) => isNamed(row, args[0] ?? '')) ? ` (cluster-internals ${args[0] ?? ''} --help says more)` : '';
    output.error(advice === '' ? known : wrong(known.message + advice));
    return known.exitCode;
  }
}

const isNamed = ({ name, aliases = [] }: Row, word: string): boolean => name === word || aliases.includes(word);

function find(word: string): Row {
  const row = COMMANDS.find((each) => isNamed(each, word));
  if (row !== undefined) return row;
  const meant = ELSEWHERE.get(word) ?? nearest(word, ['help', ...COMMANDS.flatMap(({ name, aliases = [] }) => [name, ...aliases])]);
  throw wrong(`there is no command '${word}'${meant === null ? '' : `; did you mean '${meant}'?`} (cluster-internals --help lists all)`);
}

/** What commands of PM2 are called here, where no name is similar. */
const ELSEWHERE: ReadonlyMap<string, string> = new Map([
  ['monit', 'status NAME --watch'], ['startup', 'unit'], ['reloadLogs', 'reopen-logs'], ['dump', 'save'], ['env', 'status NAME --json'],
]);

function overview(version: string): string {
  const rows = COMMANDS.map(({ name, aliases = [], about }): [string, string] => [[name, ...aliases].join(', '), about]);
  return `cluster-internals COMMAND [options]     (version ${version})

Keeps the workers of a Node app running on one port, replaces them without a lost request, and says whether that worked.

${described([...rows, ['help COMMAND', 'says how a command is used; COMMAND --help does too']]).split('\n').map((line) => `  ${line}`).join('\n')}

Exit codes  0 done · 1 it failed, the reason is on stderr · 2 wrong arguments · 3 no such app
Example     cluster-internals start app.js -i 4
`;
}
