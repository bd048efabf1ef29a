/**
 * The last lines of a log file, read from its end, so that a large file costs no more than a small one.
 *
 * Used by  log_files.ts, daemon/, cli/ (for the log of an app that does not run)
 * Never    throws for a file that does not exist: that has no lines
 */
import fs from 'node:fs';

/** How much is read at a time, in bytes. */
const BLOCK = 65_536;
/** The most that is read, in bytes: with longer lines there are fewer of them. */
const MOST_BYTES = 8 * 2 ** 20;
const NEWLINE = 10;

/** The lines in these bytes, without their ends; the last one need not have an end. */
export function linesIn(bytes: Buffer): string[] {
  const lines = bytes.toString('utf8').split('\n');
  if (lines.at(-1) === '') lines.pop();
  return lines;
}

/**
 * Reads the last lines of a file.
 *
 * @param file   its path. If it does not exist, or may not be read, there are no lines
 * @param count  how many lines at most
 * @param end    only the first `end` bytes of the file are looked at
 * @param start  but not the first `start` ones
 * @returns      the lines in their order, without line ends
 */
export function readLastLines(file: string, count: number, end = Infinity, start = 0): string[] {
  if (count <= 0) return [];
  let fd: number;
  try {
    fd = fs.openSync(file, 'r');
  } catch {
    return []; // There is no such file yet.
  }
  try {
    let at = Math.min(end, fs.fstatSync(fd).size);
    const blocks: Buffer[] = [];
    for (let newlines = 0, read = 0; at > start && newlines <= count && read < MOST_BYTES; read += BLOCK) {
      const block = Buffer.alloc(Math.min(BLOCK, at - start));
      at -= block.length;
      const got = fs.readSync(fd, block, 0, block.length, at);
      for (const byte of block.subarray(0, got)) if (byte === NEWLINE) newlines++;
      blocks.unshift(block.subarray(0, got));
    }
    const lines = linesIn(Buffer.concat(blocks));
    return lines.slice(-count);
  } finally {
    fs.closeSync(fd);
  }
}
