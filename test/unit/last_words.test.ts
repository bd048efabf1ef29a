/**
 * I-57: each message that `send` accepted arrives once and in order, also if the sender ends right after it. The
 * scenario many-messages-before-the-end compares the ways to end with Node's, with fewer messages: of a thousand
 * Node loses most, since each message takes a place of its own in the pipe.
 */
import { expect, test } from 'vitest';
import { nodeMajor } from '../../internal/native/bindings';
import { endChildrenAfterEachTest, event, forkFixture, within } from '../support/children';

endChildrenAfterEachTest();

test.each([
  ['exit', 4, null], ['throw', 1, null], ['tick', 4, null], ['SIGTERM', 4, null], ['killed', null, 'SIGTERM'], ['disconnect', 0, null],
] as const)('a thousand messages arrive that were sent before %s', async (way, code, signal) => {
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

/** The messages that have arrived from the child by its end. */
async function heardOf(program: string): Promise<{ came: number; ended: unknown[] }> {
  const child = forkFixture('unit-last-words.js', program, { stdio: ['ignore', 'ignore', 'ignore', 'ipc'] });
  let came = 0;
  child.on('message', () => { came++; });
  const ended = event(child, 'exit');
  await event(child, 'disconnect');
  return { came, ended: await ended };
}

test.each([
  ['removed', [4, null]], ['throws', [7, null]], ['twice', [5, null]], ['replaced', [4, null]], ['reallyExit', [4, null]],
  ['reallyExitInAListener', [4, null]], ['abort', [null, 'SIGABRT']], ['killsItself', [null, 'SIGKILL']],
] as const)('E5: no message is lost by an end that no exit listener of ours would see: %s', async (way, end) => {
  const { came, ended } = await heardOf(`${way} 411`);
  expect(came).toBe(411);
  // The exit code after an exception in an 'exit' listener: 7 up to Node 22, and since then the code of process.exit.
  if (way !== 'throws') expect(ended).toEqual(end);
});

test('E5: the first 200 messages of a turn (96 from Node 22 on) arrive while their sender blocks; of further messages it holds back fewer than 40', async () => {
  const all = nodeMajor < 22 ? 200 : 96;
  for (const [count, least] of [[all, all], [all + 60, all + 21]] as const) {
    const child = forkFixture('unit-last-words.js', `blocks ${count}`);
    await within<void>(30_000, `${least} messages`, (resolve) => {
      let came = 0;
      child.on('message', () => void (++came === least && resolve()));
    });
    child.kill('SIGKILL');
    await event(child, 'exit');
  }
});

test('E5: after a flood the message about each step of synchronous work arrives with the next one', async () => {
  const child = forkFixture('unit-last-words.js', 'works 240');
  await within<void>(30_000, 'twenty steps', (resolve) => child.on('message', ({ step }: { step?: number }) => void (step === 20 && resolve())));
  child.kill('SIGKILL');
  await event(child, 'exit');
});
