/**
 * Tables and quantities for eyes.
 *
 * Used by  every file of cli/ that prints columns: those of --help, and tables
 */

/** A column of numbers stands at the right. */
export interface Column {
  readonly head: string;
  readonly right?: true;
}

/** Rows under a head, two spaces between the columns. Every row has one cell for each column. */
export function table(columns: readonly Column[], rows: readonly (readonly string[])[]): string {
  const all = [columns.map(({ head }) => head), ...rows];
  const widths = columns.map((_column, index) => Math.max(...all.map((row) => widthOf(row[index] ?? ''))));
  return all.map((row) => row.map((cell, index) => {
    const space = ' '.repeat((widths[index] ?? 0) - widthOf(cell));
    return columns[index]?.right === true ? space + cell : cell + space;
  }).join('  ').trimEnd()).join('\n');
}

/** Two columns; the second one is broken at spaces so that no line is longer than `width`. */
export function described(rows: readonly (readonly [string, string])[], width = 100): string {
  const first = Math.min(32, Math.max(...rows.map(([name]) => name.length)));
  return rows.flatMap(([name, about]) => {
    const lines = wrapped(about, width - first - 2);
    const head = name.length > first ? [name] : [`${name.padEnd(first)}  ${lines.shift() ?? ''}`];
    return [...head, ...lines.map((line) => `${' '.repeat(first + 2)}${line}`)];
  }).join('\n');
}

/** Lines of at most `width` letters, broken at spaces. */
export function wrapped(text: string, width = 100): string[] {
  const lines = [''];
  for (const word of text.split(' ')) {
    const last = lines[lines.length - 1] ?? '';
    if (last === '') lines[lines.length - 1] = word;
    else if (last.length + 1 + word.length <= width) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}

/** Without the escape sequences of colours. */
const widthOf = (cell: string): number => [...cell.replace(/\x1b\[[\d;]*m/g, '')].length;

/** What is not known. */
export const UNKNOWN = '-';

const isNumber = (value: unknown): value is number => typeof value === 'number' && Number.isFinite(value);

/** "45s", "12m", "3h 20m", "5d 4h". */
export function durationText(ms: unknown): string {
  if (!isNumber(ms)) return UNKNOWN;
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 60) return `${seconds}s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes}m`;
  const hours = Math.floor(minutes / 60);
  return hours < 24 ? `${hours}h ${minutes % 60}m` : `${Math.floor(hours / 24)}d ${hours % 24}h`;
}

/** "512 K", "45.3 M", "1.2 G". */
export function bytesText(bytes: unknown): string {
  if (!isNumber(bytes)) return UNKNOWN;
  for (const [unit, size] of [['G', 1024 ** 3], ['M', 1024 ** 2]] as const) if (bytes >= size) return `${(bytes / size).toFixed(1)} ${unit}`;
  return `${Math.round(bytes / 1024)} K`;
}

/** A share of one CPU, 0.031 → "3%". */
export const percentText = (share: unknown): string => (isNumber(share) ? `${Math.round(share * 100)}%` : UNKNOWN);

/** A number as it is; a dash where nobody knows it. */
export const countText = (value: unknown): string => (isNumber(value) ? String(value) : UNKNOWN);

/** "0.4 ms", "12 ms". */
export const millisecondsText = (ms: unknown): string => (isNumber(ms) ? `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms` : UNKNOWN);
