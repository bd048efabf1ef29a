/**
 * I-57: what `send` accepted arrives, in order, once, also when the sender ends right after it. Each way
 * to end is compared with Node's in the scenario many-messages-before-the-end, as far as Node goes: with
 * a thousand messages it loses most, since each takes a place of its own in the pipe.
 */
import { expect, test } from 'vitest';
import { endChildrenAfterEachTest, event, forkFixture } from '../support/children';

endChildrenAfterEachTest();

test.each([
  ['exit', 4, null], ['throw', 1, null], ['tick', 4, null], ['SIGTERM', 4, null], ['killed', null, 'SIGTERM'], ['disconnect', 0, null],
] as const)('a thousand messages before %s', async (way, code, signal) => {
  for (const serialization of ['json', 'advanced'] as const) {
    const child = forkFixture('unit-last-words.js', way, { serialization, stdio: ['ignore', 'ignore', 'ignore', 'ipc'] });
    const came: number[] = [];
    child.on('message', ({ at, text }: { at: number; text: string }) => came.push(text.length === at % 20 ? at : -1));
    const ended = event(child, 'exit');
    await event(child, 'disconnect');
    expect(came).toEqual(Array.from({ length: 1000 }, (_, at) => at));
    expect(await ended).toEqual([code, signal]);
  }
});
