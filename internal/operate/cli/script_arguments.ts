/**
 * Commands that run a script, as `node` does: `record --stock app.js --port 8000`. What follows the script is the
 * program's, with or without `--`.
 *
 * Used by  record.ts, watch.ts
 */
import type { Options } from './arguments';
import { defineCommand, type Command, type Description } from './command';

/** Makes a command of its description. It takes a script, and what follows the script goes to the program. */
export function defineScriptCommand<const Of extends Options>(description: Omit<Description<Of>, 'takes' | 'rest'>): Command {
  const command = defineCommand({
    ...description,
    takes: { text: 'SCRIPT', least: 1, most: 1, about: [['SCRIPT', 'the program; what follows it goes to the program']] },
    rest: 'arguments of the program',
  });
  return {
    get help() { return command.help; },
    prepare: (args) => command.prepare(withRest(args, description.options)),
  };
}

/** The arguments with a `--` after the script. `options`: those of the command itself. */
function withRest(args: readonly string[], options: Options): string[] {
  for (let at = 0; at < args.length && args[at] !== '--'; at++) {
    const argument = args[at] ?? '';
    const [, option] = Object.entries(options).find(([name, one]) => argument === `--${name}` || (one.short !== undefined && argument === `-${one.short}`)) ?? [];
    if (option !== undefined && option.value !== null) at++;
    else if (!argument.startsWith('-')) return args[at + 1] === '--' ? [...args] : [...args.slice(0, at + 1), '--', ...args.slice(at + 1)];
  }
  return [...args];
}
