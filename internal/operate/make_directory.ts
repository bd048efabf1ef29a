/**
 * Makes a directory and those above it. `mkdirSync` of Node with `recursive` does not: where the system says ENOENT though
 * the parent is there (in /proc, for example), it tries again for ever, on Node 20 to 26.
 *
 * Used by  control/state_directory.ts, app/app_record.ts, app/log_files.ts, daemon/primary_process.ts,
 *          cli/unit.ts
 */
import fs from 'node:fs';
import path from 'node:path';

/** Makes the directories that are missing, with mode 0700. Throws the error of the system. */
export function makeDirectory(directory: string): void {
  if (fs.existsSync(directory)) return;
  const parent = path.dirname(directory);
  if (parent !== directory) makeDirectory(parent);
  try {
    fs.mkdirSync(directory, { mode: 0o700 });
  } catch (error) {
    // Another process was quicker. If it made a file of that name, the caller finds out.
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
  }
}
