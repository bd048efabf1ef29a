/**
 * Reads the part files of a recording: for each process its segments in their order, line by line.
 *
 * Owns     one fd for each process that is being read
 * Used by  merge.ts, processes.ts, record.ts
 * Never    keeps more of a file than one chunk and one line in memory
 */
import { closeSync, openSync, readdirSync, readSync } from 'node:fs';
import path from 'node:path';
import { PART } from './part_file';
import { number, readLine, type Line } from './part_lines';

const CHUNK = 65_536;
const NEWLINE = 0x0a;

/** A line with its number, or a place where lines are missing (`missing`: null if it is not known how many). */
export type Numbered = { readonly line: Line; readonly seq: number } | { readonly missing: number | null; readonly why: 'ring' | 'file cut off'; readonly seq: number };

/** The segments of one process, oldest first. */
export interface PartProcess {
  readonly pid: number;
  readonly files: readonly string[];
}

/** The processes that have part files in a directory. */
export function listParts(directory: string): PartProcess[] {
  const found = new Map<string, { pid: number; segments: { file: string; segment: number }[] }>();
  for (const name of readdirSync(directory)) {
    const [, pid = '', start = '', segment = ''] = PART.exec(name) ?? [];
    if (pid === '') continue;
    const key = `${pid}-${start}`;
    const one = found.get(key) ?? { pid: Number(pid), segments: [] };
    found.set(key, one);
    one.segments.push({ file: path.join(directory, name), segment: Number(segment) });
  }
  return [...found.values()].map(({ pid, segments }) => ({ pid, files: segments.sort((a, b) => a.segment - b.segment).map(({ file }) => file) }));
}

/** The lines of one process. The first is always its description (`S`). */
export function* linesOf({ files }: PartProcess): Generator<Numbered> {
  let next = 0;
  let described = false;
  for (const file of files) {
    for (const text of textLines(file)) {
      const line = text === '' ? null : readLine(text);
      if (line === null) {
        if (text !== '') yield { missing: null, why: 'file cut off', seq: next };
      } else if (line.k === 'S') {
        const first = number(line, 'seq', next);
        if (!described) yield { line, seq: first };
        described = true;
        if (first > next) yield { missing: first - next, why: 'ring', seq: first };
        next = first;
      } else {
        yield { line, seq: next++ };
      }
    }
  }
}

/** The lines of a file; the last one may have no end. */
function* textLines(file: string): Generator<string> {
  const fd = openSync(file, 'r');
  try {
    const chunk = Buffer.allocUnsafe(CHUNK);
    let begun: Buffer[] = [];
    for (;;) {
      const count = readSync(fd, chunk, 0, CHUNK, null);
      if (count === 0) break;
      let start = 0;
      for (let end = chunk.indexOf(NEWLINE); end !== -1 && end < count; end = chunk.indexOf(NEWLINE, start)) {
        const piece = chunk.subarray(start, end);
        yield begun.length === 0 ? piece.toString() : Buffer.concat([...begun, piece]).toString();
        begun = [];
        start = end + 1;
        if (start >= count) break;
      }
      if (start < count) begun.push(Buffer.from(chunk.subarray(start, count)));
    }
    if (begun.length > 0) yield Buffer.concat(begun).toString();
  } finally {
    closeSync(fd);
  }
}
