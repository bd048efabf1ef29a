/**
 * Reads the part files of a recording: for each process its segments in their order, line by line.
 *
 * Owns     one fd for each process that is being read
 * Used by  merge.ts, processes.ts, record.ts, kernel_queue.ts
 * Never    keeps more of a file than one chunk and one line in memory
 */
import { closeSync, openSync, readdirSync, readSync, statSync } from 'node:fs';
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
  readonly files: readonly Segment[];
}

/** A file, as long as it was when it was listed: it may grow while its process runs. */
interface Segment {
  readonly file: string;
  readonly segment: number;
  readonly size: number;
}

/**
 * The processes that have part files in a directory. All that read what is returned see the same lines: names, and how a
 * process ended, come from a first pass (processes.ts), and a line that only the second one sees would contradict it.
 */
export function listParts(directory: string): PartProcess[] {
  const found = new Map<string, { pid: number; segments: Segment[] }>();
  for (const name of readdirSync(directory)) {
    const [, pid = '', start = '', segment = ''] = PART.exec(name) ?? [];
    if (pid === '') continue;
    const file = path.join(directory, name);
    const size = statSync(file, { throwIfNoEntry: false })?.size;
    if (size === undefined) continue; // The ring of its process has just deleted it.
    const key = `${pid}-${start}`;
    const one = found.get(key) ?? { pid: Number(pid), segments: [] };
    found.set(key, one);
    one.segments.push({ file, segment: Number(segment), size });
  }
  return [...found.values()].map(({ pid, segments }) => ({ pid, files: segments.sort((a, b) => a.segment - b.segment) }));
}

/** The lines of one process. The first is always its description (`S`). */
export function* linesOf({ files }: PartProcess): Generator<Numbered> {
  let next = 0;
  let at = 0;
  let described = false;
  for (const segment of files) {
    for (const text of textLines(segment)) {
      const line = text === '' ? null : readLine(text, at);
      if (line === null) {
        if (text !== '') yield { missing: null, why: 'file cut off', seq: next };
      } else if (line.k === 'S') {
        const first = number(line, 'seq', next);
        if (!described) yield { line, seq: first };
        described = true;
        if (first > next) yield { missing: first - next, why: 'ring', seq: first };
        next = first;
        at = number(line, 'at', line.t);
      } else {
        at = line.t;
        yield { line, seq: next++ };
      }
    }
  }
}

/** The lines of a file; the last one may have no end. */
function* textLines({ file, size }: Segment): Generator<string> {
  const fd = openSync(file, 'r');
  try {
    const chunk = Buffer.allocUnsafe(CHUNK);
    let begun: Buffer[] = [];
    for (let left = size; left > 0;) {
      const count = readSync(fd, chunk, 0, Math.min(CHUNK, left), null);
      if (count === 0) break;
      left -= count;
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
