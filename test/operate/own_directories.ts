/** Directories for the control sockets and the state of one test file, in place of those of the user who runs the tests. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll } from 'vitest';

/**
 * Makes a directory, in which this process keeps its control sockets from now on, and its state in `state`. After the
 * last test of the file, and after its other `afterAll`, the directory is removed.
 *
 * @returns  the path of the directory, which is empty
 */
export function ownDirectories(): string {
  const base = mkdtempSync(path.join(tmpdir(), 'control-'));
  const own = { XDG_RUNTIME_DIR: base, XDG_STATE_HOME: path.join(base, 'state') };
  const before = Object.keys(own).map((name) => [name, process.env[name]] as const);
  Object.assign(process.env, own);
  afterAll(() => {
    for (const [name, value] of before) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
    rmSync(base, { recursive: true });
  });
  return base;
}
