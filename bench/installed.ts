/** Programs beside Node that are measured where they are installed: found on PATH. */
import { accessSync, constants } from 'node:fs';
import path from 'node:path';

/** The path of a program, or null. */
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
