/**
 * Finds the one line that says why a process ended, in the last text that the process printed to stderr: the line that
 * names the error. The lines after it are of the stack, or show the properties of the error.
 *
 *   /srv/app/app.js:3                      Node prints an uncaught error so
 *   throw new Error('no config');
 *   ^
 *   (empty)
 *   Error: no config                       ◄── this line
 *       at Object.<anonymous> …
 *   (the version of Node)
 *
 * Used by  tasks.ts; operate/app/, operate/daemon/, operate/cli/
 * Never    returns more than LONGEST characters, or a line break
 */

/** A longer line is cut off there, in characters. */
const LONGEST = 500;
/** Node points at the place of an uncaught error with a line of these. */
const POINTER = /^\s*\^+\s*$/;
/** An error that was printed: `Error: …`, `TypeError [ERR_X]: …`, `FATAL ERROR: …`. Indented ones are causes of another. */
const ERROR = /^(?:Uncaught )?(?:[A-Z_$][\w$.]*(?:Error|Exception)\b|Error\b|FATAL ERROR\b)/;
/** Some programs write the time in front of what they print. */
const TIME = /^\d{4}-\d\d-\d\dT[\d:.]+Z /;
/** A line that Node prints after an error. */
const AFTERWORD = /^(?:Node\.js v\d|\(Use `node )/;

/**
 * The line that names the error.
 *
 * @param text  the end of what a process printed, or the stack of an error
 * @returns     the line, without spaces around it; the last line if none names an error; '' if there is no text
 */
export function errorLine(text: string): string {
  const lines = text.split('\n').map((line) => line.trimEnd().replace(TIME, '')).filter((line) => line !== '' && !AFTERWORD.test(line));
  const afterPointer = lines[lines.findLastIndex((line) => POINTER.test(line)) + 1];
  const pointed = afterPointer !== undefined && afterPointer !== lines[0] ? afterPointer : undefined;
  const line = pointed ?? lines.findLast((each) => ERROR.test(each)) ?? lines.at(-1) ?? '';
  const trimmed = line.trim();
  return trimmed.length > LONGEST ? `${trimmed.slice(0, LONGEST)}…` : trimmed;
}
