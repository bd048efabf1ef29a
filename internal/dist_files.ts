/**
 * Finds the files of dist/ that a child process runs first. A child always runs the JavaScript that the build has
 * made, also if its parent runs the TypeScript sources with tsx, as the tests do.
 *
 * In that case dist may be older than the sources, and an edit has no effect in the children until the next build.
 * This file then prints a warning when it is loaded.
 *
 * Used by  channel/spawn.ts, supervisor/worker_settings.ts, recording/, page/, operate/cli/export.ts, lib/cli.ts, test/support/tool.ts,
 *          operate/daemon/, operate/cli/app_units.ts
 */
import { readdirSync, statSync, writeSync } from 'node:fs';
import path from 'node:path';

const isSource = __filename.endsWith('.ts');
const root = path.join(__dirname, isSource ? '..' : '../..');

/** The path of a file in dist/. `name`: for example 'internal/startup/entry.bundle.js'. */
export const builtFile = (name: string): string => path.join(root, 'dist', name);

/** Describes how dist differs from the sources; null if it is up to date. It compares times with that of a bundle, which the build makes last. */
export function whyStale(directory = root): string | null {
  const built = statSync(path.join(directory, 'dist/internal/startup/entry.bundle.js'), { throwIfNoEntry: false });
  if (built === undefined) return 'dist is missing, and workers run it: they cannot start';
  for (const part of ['internal', 'lib']) {
    for (const name of readdirSync(path.join(directory, part), { recursive: true, encoding: 'utf8' })) {
      const source = path.join(part, name);
      if (name.endsWith('.ts') && statSync(path.join(directory, source)).mtimeMs > built.mtimeMs) return `dist is older than ${source}, and workers run dist: the edit has no effect in them`;
    }
  }
  return null;
}

const stale = isSource ? whyStale() : null;
if (stale !== null) writeSync(2, `cluster-internals: ${stale}. Run: npm run build\n`);
