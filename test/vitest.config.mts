import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    setupFiles: ['test/support/leaks.ts'],
    // Each file in a process of its own: what it leaves open is its own, and can be counted.
    pool: 'forks',
    isolate: true,
    // Most of a test is waiting for processes: one file per processor leaves them idle.
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
