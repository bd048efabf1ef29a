/**
 * How a tool prints: colour, one line of progress, durations, tables that fit the screen.
 *
 * Colour and the line that is written over appear on a terminal only; in a file or a pipe there are plain
 * lines, and few of them. NO_COLOR turns colour off (https://no-color.org).
 *
 * Used by  the tools: bench, conformance, random, soak, storm and their like
 */
import { styleText } from 'node:util';

/** The width that every table fits, in columns. */
export const WIDTH = 100;
/** Milliseconds between two lines of progress where there is no terminal. */
const SPARSE = 30_000;

type Style = Parameters<typeof styleText>[0];

/** Text in colour, if `stream` is a terminal and the user did not turn colour off. */
export function paint(style: Style, text: string, stream: NodeJS.WriteStream = process.stdout): string {
  const wanted = stream.isTTY === true && (process.env['NO_COLOR'] ?? '') === '';
  // From Node 22.13 on styleText decides by itself as well, and looks at stdout: `stream` may be stderr.
  return wanted ? styleText(style, text, { validateStream: false }) : text;
}

/** "45 s", "3 min", "1 h 20 min". */
export function duration(milliseconds: number): string {
  const seconds = Math.max(1, Math.round(milliseconds / 1000));
  if (seconds < 100) return `${seconds} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 100 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** "1 storm", "2 storms". */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

/** One line on stderr before a tool begins: what it will do and how long that takes. */
export function announce(name: string, text: string): void {
  process.stderr.write(`${paint('bold', name, process.stderr)}: ${text}\n`);
}

/** Progress on stderr: one line that is written over on a terminal, otherwise a line every SPARSE milliseconds. */
export class Progress {
  readonly #total: number;
  readonly #begun = performance.now();
  #printed = performance.now();
  #done = 0;

  /** @param total  how many steps there are */
  constructor(total: number) {
    this.#total = total;
  }

  /** One more step is done. `text` says what the tool has found so far. */
  step(text: string): void {
    this.#done++;
    const elapsed = performance.now() - this.#begun;
    const left = (elapsed / this.#done) * (this.#total - this.#done);
    this.show(`${this.#done} of ${this.#total}, ${text}${this.#done < this.#total ? `, about ${duration(left)} left` : ''}`);
  }

  /** A line of progress, where the number of steps is not known. */
  show(line: string): void {
    const { stderr } = process;
    if (stderr.isTTY) {
      stderr.write(`\r\x1b[K${line.slice(0, (stderr.columns || WIDTH) - 1)}`);
    } else if (performance.now() - this.#printed >= SPARSE) {
      this.#printed = performance.now();
      stderr.write(`${line}\n`);
    }
  }

  /** Removes the line from a terminal, before something else is printed and at the end. */
  clear(): void {
    if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
  }
}

/**
 * Rows in columns, the first row the head. Where that is wider than `width`, the text of the widest column goes on in
 * lines below. The last column is not padded.
 */
export function columns(rows: readonly (readonly string[])[], width = WIDTH): string {
  const count = Math.max(...rows.map((row) => row.length));
  const widths = Array.from({ length: count }, (_, at) => Math.max(...rows.map((row) => (row[at] ?? '').length)));
  const excess = widths.reduce((sum, one) => sum + one, 0) + 2 * (count - 1) - width;
  const widest = widths.indexOf(Math.max(...widths));
  if (excess > 0) widths[widest] = Math.max(20, (widths[widest] as number) - excess);
  return rows.flatMap((row) => {
    const cells = widths.map((one, at) => wrapped(row[at] ?? '', one));
    const height = Math.max(...cells.map((lines) => lines.length));
    return Array.from({ length: height }, (_, line) => cells.map((lines, at) => (lines[line] ?? '').padEnd(widths[at] as number)).join('  ').trimEnd());
  }).join('\n');
}

/** A text in lines of `width`, broken at spaces; a longer word keeps a line for itself. */
function wrapped(text: string, width: number): string[] {
  if (text.length <= width) return [text];
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= width) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}
