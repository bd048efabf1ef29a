/** D35: the bytes that wait for an end that does not read are limited, and a send beyond the limit gets an error. */
import type { ChildProcess } from 'node:child_process';
import { expect, test } from 'vitest';
import { Inbox, cleanEnvironment, endChildrenAfterEachTest, event, fixture, forkFixture, within } from '../support/children';
import { allOf, connection } from '../support/handles';

endChildrenAfterEachTest();

const MIB = 1 << 20;

async function frozen(unreadBytes: number, serialization: 'json' | 'advanced'): Promise<{ child: ChildProcess; inbox: Inbox }> {
  const child = forkFixture('unit-channel-child.js', 'echo', { limits: { unreadBytes }, serialization });
  const inbox = new Inbox(child);
  child.send('ready');
  await inbox.next();
  child.kill('SIGSTOP');
  return { child, inbox };
}

test.each(['json', 'advanced'] as const)('beyond the limit a message is refused; the accepted messages arrive in order, once: %s', async (serialization) => {
  const { child, inbox } = await frozen(4 * MIB, serialization);
  const results: (string | null)[] = [];
  const returned: boolean[] = [];
  const told = within<void>(30_000, 'ten callbacks', (resolve) => {
    for (let at = 0; at < 10; at++) {
      returned.push(child.send({ at, text: 'x'.repeat(MIB) }, (error) => {
        results[at] = error === null ? null : (error as NodeJS.ErrnoException).code ?? '';
        if (results.filter((one) => one !== undefined).length === 10) resolve();
      }));
    }
  });
  expect(returned).toEqual(Array(10).fill(false)); // each of them is above 128 KiB unwritten
  for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve));
  const refused = Object.values(results);
  // Four messages fit, and a fifth that came while there was room. The kernel has taken a part of the first.
  expect([refused.length, new Set(refused)]).toEqual([5, new Set(['ERR_IPC_NOT_READ'])]);
  child.kill('SIGCONT');
  await told;
  expect(results.map((code, at) => (code === null ? at : -1)).filter((at) => at !== -1)).toEqual([0, 1, 2, 3, 4]);
  expect((await inbox.take(5)).map((message) => (message as { at: number }).at)).toEqual([0, 1, 2, 3, 4]);
  child.send('after');
  expect(await inbox.next()).toBe('after');
});

test('without a callback the refusal is an error', async () => {
  const { child } = await frozen(MIB, 'json');
  child.send('x'.repeat(2 * MIB));
  const failed = event<[NodeJS.ErrnoException]>(child, 'error');
  child.send('one more');
  expect((await failed)[0].code).toBe('ERR_IPC_NOT_READ');
  child.kill('SIGCONT');
});

test('F, 2: replies of the channel itself count, too: if a child makes it reply and never reads, the channel ends', async () => {
  const child = forkFixture('unit-raw-child.js', 'floods', {
    dialect: 'node', execPath: fixture('unit-raw-node.sh'), env: cleanEnvironment({ UNIT_NODE: process.execPath }), limits: { unreadBytes: 65536 },
  });
  // The child's envelopes announce handles that do not come, so the channel replies with a NACK to each.
  const [error] = await event<[NodeJS.ErrnoException]>(child, 'error');
  expect([error.code, child.connected]).toEqual(['ERR_IPC_NOT_READ', false]);
  child.kill('SIGKILL');
});

test('messages that wait behind an un-acked handle count, too', async () => {
  const child = forkFixture('unit-raw-child.js', 'ignores', {
    dialect: 'node', execPath: fixture('unit-raw-node.sh'), env: cleanEnvironment({ UNIT_NODE: process.execPath }), limits: { unreadBytes: MIB },
  });
  const { client, accepted } = await connection();
  const end = allOf(client);
  child.send('with a socket', accepted);
  const refused: number[] = [];
  for (let at = 0; at < 10; at++) {
    child.send({ text: 'x'.repeat(MIB / 4) }, (error) => void ((error as NodeJS.ErrnoException).code === 'ERR_IPC_NOT_READ' && refused.push(at)));
  }
  await new Promise((resolve) => setImmediate(resolve));
  expect(refused).toEqual([4, 5, 6, 7, 8, 9]);
  child.kill('SIGKILL');
  await event(child, 'disconnect');
  await end;
});
