/**
 * Warnings that a test causes on purpose: it gets them, and they are not printed. `npm test` prints no warning
 * that somebody has to think about.
 *
 * Used by  test/unit/dialect_node.test.ts, test/unit/round_robin_handle.test.ts, test/unit/scheduling.test.ts
 */
import { onTestFinished } from 'vitest';

/** The messages of this process's warnings named `name` until the test ends. Other warnings are printed as always. */
export function expectedWarnings(name: string): string[] {
  const messages: string[] = [];
  // Node prints warnings in a listener of its own, which is taken away meanwhile.
  const others = process.listeners('warning');
  const listener = (warning: Error): void => {
    if (warning.name === name) messages.push(warning.message);
    else for (const other of others) other.call(process, warning);
  };
  process.removeAllListeners('warning').on('warning', listener);
  onTestFinished(async () => {
    await new Promise((resolve) => setImmediate(resolve)); // A warning is emitted in a later tick.
    process.removeListener('warning', listener);
    for (const other of others) process.on('warning', other);
  });
  return messages;
}
