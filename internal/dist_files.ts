/**
 * Where the files lie that a child process runs first. They are always what the build made: a child
 * needs plain JavaScript, whatever its parent runs on.
 *
 * Under tsx, and in the tests, this file is a source. Then the parent runs the sources and its children
 * run dist, which may be older: an edit has no effect in them until the next build. The first line that
 * such a parent prints says so.
 *
 * Used by  channel/spawn.ts, supervisor/supervisor.ts, test/support/tool.ts
 */
import { readdirSync, statSync, writeSync } from 'node:fs';
import path from 'node:path';

const isSource = __filename.endsWith('.ts');
const root = path.join(__dirname, isSource ? '..' : '../..');

/** The path of a file of dist, for example 'internal/startup/entry.bundle.js'. */
export const builtFile = (name: string): string => path.join(root, 'dist', name);

/** Why what children run is not what the sources say; null if it is. The bundles are what the build makes last. */
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
