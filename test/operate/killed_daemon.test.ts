/** The daemon is killed at some steps of each command; `npx tsx test/operate/killed_daemon.ts --all` does it at all of them. */
import { expect, test } from 'vitest';
import { killedDaemon } from './killed_daemon';

/** The steps of each scenario, in their order: in front of the record, between record and start, between start and answer. */
const STEPS: readonly (readonly number[])[] = [[3, 14], [19], [16], [9], [12], [11, 24], [4], [15], [6], [8], [1], [2]];

test('killed at some steps: every app found, none twice, none orphaned', async () => {
  const kills = await killedDaemon((scenario, step) => {
    const steps = STEPS[scenario] ?? [];
    return steps.includes(step) ? 'kill' : step > Math.max(...steps) ? 'enough' : 'skip';
  });
  expect([...kills.values()].every((count) => count >= 1)).toBe(true);
  expect(kills.size).toBe(STEPS.length);
}, 120_000);
