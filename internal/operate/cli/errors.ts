/**
 * How a command ends that does not succeed: one line for the reason, and one of these exit codes.
 *
 *   0    done
 *   1    what was asked for failed, or the answer is no
 *   2    wrong arguments; nothing was done
 *   3    there is no such app, or no daemon that could know it
 *   130  Ctrl-C; what was asked for may go on without this command
 *
 * `run` is a primary, and ends with the codes of supervisor/primary_end.ts too (69, 70).
 *
 * Used by  every file of cli/ that can fail
 */

import { codeOf } from '../control/errors';

/** A reason to end, for the user. The message says what happened, to what, and what to do next. */
export class CommandError extends Error {
  readonly exitCode: 1 | 2 | 3 | 130;
  /** For scripts: `error.code` of --json. */
  readonly code: string;

  constructor(exitCode: CommandError['exitCode'], code: string, message: string) {
    super(message);
    this.exitCode = exitCode;
    this.code = code;
  }
}

/** What any error means for the user of a command. */
export function asCommandError(error: unknown): CommandError {
  if (error instanceof CommandError) return error;
  const message = error instanceof Error ? error.message : String(error);
  const code = codeOf(error) ?? 'ERR_FAILED';
  return new CommandError(code === 'ERR_NO_SUCH_APP' ? 3 : 1, code, message);
}
