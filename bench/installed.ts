/** Finds programs that a row uses if they are installed (nginx, wrk, taskset). */
import { accessSync, constants } from 'node:fs';
import path from 'node:path';

/** The path of a program; null if it is not installed. */
export function installed(name: string): string | null {
  const directories = [...(process.env['PATH'] ?? '').split(path.delimiter), '/usr/sbin', '/usr/local/sbin'];
  for (const directory of directories) {
    const file = path.join(directory, name);
    try {
      accessSync(file, constants.X_OK);
      return file;
    } catch {
      continue; // Not there.
    }
  }
  return null;
}
