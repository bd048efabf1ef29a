/** How often the queues of the kernel are looked at. What the samples say: record.test.ts. */
import { tmpdir } from 'node:os';
import { expect, test } from 'vitest';
import { sampleKernelQueues } from '../../internal/recording/kernel_queue';
import { within } from '../support/children';

// It paused for a hundred times the time on the clock: after a look in which other programs ran for 0.3 s, for half a minute.
test('a look that takes long on the clock, and little of a processor, does not put off the next one', async () => {
  const pause = new Int32Array(new SharedArrayBuffer(4));
  let looks = 0;
  let stop = (): void => undefined;
  await within<void>(20_000, 'the second look', (resolve) => {
    stop = sampleKernelQueues(tmpdir(), () => {
      if (++looks === 1) Atomics.wait(pause, 0, 0, 300);
      else resolve();
      return 0;
    });
  }).finally(() => stop());
  expect(looks).toBe(2);
});
