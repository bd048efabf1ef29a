/**
 * What a command prints, and where.
 *
 *            for people                        with --json
 *   stdout   tables, lines, results            one JSON document; for a command that follows, one a line
 *   stderr   progress, reasons, advice         nothing
 *
 * Colour only on a terminal, and only while NO_COLOR is not set (https://no-color.org).
 *
 * Owns     the 'error' listeners of stdout and stderr
 * Used by  main.ts, and every command
 * Keeps    a reader that goes away (`| head`) is no error: nothing more is written, `closed` is aborted, and the command
 *          ends as it would have ended
 * Never    prints control characters that came from an app or a daemon: a name must not move the cursor
 */
import { styleText } from 'node:util';
import { asCommandError } from './errors';

type Style = Parameters<typeof styleText>[0];

/** Where a command writes: text for people, or one JSON document for programs. */
export class Output {
  readonly json: boolean;
  /** Aborted when nobody reads stdout any more. */
  readonly closed: AbortSignal;
  readonly #stdout: NodeJS.WriteStream;
  readonly #stderr: NodeJS.WriteStream;

  constructor(json: boolean, stdout: NodeJS.WriteStream = process.stdout, stderr: NodeJS.WriteStream = process.stderr) {
    const closed = new AbortController();
    this.json = json;
    this.closed = closed.signal;
    this.#stdout = stdout;
    this.#stderr = stderr;
    stdout.on('error', (error: NodeJS.ErrnoException) => {
      if (closed.signal.aborted) return;
      closed.abort();
      if (error.code === 'EPIPE') return;
      this.#write(this.#stderr, `cluster-internals: cannot write to stdout: ${error.message}\n`);
      process.exitCode = 1;
    });
    // Nobody is left to tell.
    stderr.on('error', () => undefined);
  }

  /** Is stdout a terminal? */
  get isTerminal(): boolean {
    return this.#stdout.isTTY === true;
  }

  /** The size of the terminal in columns and lines; 100 columns in a file or a pipe. */
  get size(): { readonly columns: number; readonly rows: number } {
    return { columns: this.#stdout.columns ?? 100, rows: this.#stdout.rows ?? Infinity };
  }

  /** Text on stdout, as it is. */
  write(text: string): void {
    if (!this.closed.aborted) this.#write(this.#stdout, text);
  }

  /** The result of a command: `value` with --json, otherwise the text, which ends in no line break. */
  result(value: unknown, text: () => string): void {
    this.write(this.json ? `${JSON.stringify(value)}\n` : `${text()}\n`);
  }

  /** A line for people on stderr: progress, or advice. Nothing with --json. */
  note(text: string): void {
    if (!this.json) this.#write(this.#stderr, `${text}\n`);
  }

  /** The reason why a command fails. */
  error(error: unknown): void {
    const { code, message } = asCommandError(error);
    if (this.json) this.write(`${JSON.stringify({ error: { code, message } })}\n`);
    else this.#write(this.#stderr, `${this.paint('red', `cluster-internals: ${printable(message)}`, this.#stderr)}\n`);
  }

  /** Text in colour, if `stream` is a terminal and the user did not turn colour off. */
  paint(style: Style, text: string, stream: NodeJS.WriteStream = this.#stdout): string {
    const wanted = stream.isTTY === true && (process.env['NO_COLOR'] ?? '') === '';
    return wanted ? styleText(style, text, { validateStream: false }) : text;
  }

  #write(stream: NodeJS.WriteStream, text: string): void {
    if (!stream.destroyed) stream.write(text);
  }
}

/** Text of an app, on one line and without control characters. */
export const printable = (text: string): string => text.replace(/\s*\n\s*/g, ' | ').replace(/[\x00-\x1f\x7f-\x9f]/g, '?');
