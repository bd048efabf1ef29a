/**
 * What one worker prints, on its way into the log files: each line gets the time and the number of the slot in front,
 * if the spec asks for it.
 *
 *   worker ── stdout, stderr ──► StderrLines ── whole lines ──► PrefixedLines ──► StderrOutput ──► LogFile
 *
 * Owns     nothing: the pipes belong to the ChildProcess
 * Used by  app_logs.ts
 * Uses     supervisor/stderr_lines.ts (cuts lines, keeps memory bounded)
 * Keeps    each write to the file ends in a line end, also for a piece of a very long line, so that lines of two workers
 *          never share one
 */
import type { Readable } from 'node:stream';
import { StderrLines, type LineOutput } from '../../supervisor/stderr_lines';
import type { LogSpec } from './app_spec';

const NEWLINE = 10;
const LINE_END = Buffer.of(NEWLINE);

/** Connects one pipe of a worker with a log file. `place`: the number of its slot, as far as it is known. `seen` gets each group of lines as the worker has printed it. */
export function readWorker(source: Readable, place: () => number | null, output: LineOutput, logs: Pick<LogSpec, 'time' | 'worker'>, seen: (lines: Buffer) => void = () => undefined): void {
  source.on('error', () => undefined); // An error ends the pipe. What was read before it is written.
  new StderrLines(source, {
    write(lines, from) {
      seen(lines);
      const number = logs.worker ? place() : null;
      output.write(prefixed(lines, `${logs.time ? `${new Date().toISOString()} ` : ''}${number === null ? '' : `[${number}] `}`), from);
    },
  });
}

/** These lines, each with `prefix` in front of it. The last one gets a line end if it has none. */
export function prefixed(lines: Buffer, prefix: string): Buffer {
  const isWhole = lines.length === 0 || lines[lines.length - 1] === NEWLINE;
  if (prefix === '') return isWhole ? lines : Buffer.concat([lines, LINE_END]);
  const front = Buffer.from(prefix);
  const parts: Buffer[] = [];
  for (let at = 0; at < lines.length;) {
    const end = lines.indexOf(NEWLINE, at) + 1 || lines.length;
    parts.push(front, lines.subarray(at, end));
    at = end;
  }
  return Buffer.concat(isWhole ? parts : [...parts, LINE_END]);
}
