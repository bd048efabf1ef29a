import path from 'node:path';
import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** The files that take longest. They begin first, in this order: one that began last would run alone in the end. */
const LONGEST = [
  'page/page', 'differential/differential', 'main/package', 'upgrade/deaths', 'model/model', 'supervisor/guard', 'upgrade/upgrade', 'supervisor/reload',
  'operate/daemon', 'boundary/boundary', 'upgrade/kinds', 'supervisor/moving', 'main/main', 'examples/examples', 'operate/day', 'random/random',
  'unit/dialect_node', 'operate/lost_sockets', 'operate/run', 'tour/tour', 'supervisor/program', 'main/tools', 'sharing/sharing', 'unit/framing',
  'page/explained', 'page/watch', 'upgrade/state', 'operate/real_systemd', 'unit/churn',
].map((name) => `test/${name}.test.ts`);

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const place = ({ moduleId, project }: TestSpecification): number => {
      const at = LONGEST.indexOf(path.relative(project.config.root, moduleId));
      return at === -1 ? LONGEST.length : at;
    };
    return (await super.sort(files)).sort((one, other) => place(one) - place(other));
  }
}

// Node 20 reads this file of certificates at each start, which takes 0.1 s; no test asks the world outside for anything.
delete process.env['NODE_EXTRA_CA_CERTS'];

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    setupFiles: ['test/support/leaks.ts'],
    // Each file in a process of its own: what it leaves open is its own, and can be counted.
    pool: 'forks',
    isolate: true,
    // A test waits for processes about a quarter of its time: with one file per processor these are idle then.
    maxWorkers: 3,
    sequence: { sequencer: LongestFirst },
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
