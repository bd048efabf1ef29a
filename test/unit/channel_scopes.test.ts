/**
 * F, E1, E3, E10: each message has a tick and an async context of its own, and an exception of the app does not
 * harm the channel. The children of these tests catch their uncaught exceptions and go on.
 */
import { createServer, connect } from 'node:net';
import { once } from 'node:events';
import { describe, expect, test } from 'vitest';
import { Inbox, endChildrenAfterEachTest, forkFixture } from '../support/children';
import { allOf, connection } from '../support/handles';

endChildrenAfterEachTest();

const FILE = 'unit-scopes-child.js';

describe.each(['json', 'advanced'] as const)('%s', (serialization) => {
  test('E1: a listener that throws cannot mix up the bytes of the messages that are being read', async () => {
    const child = forkFixture(FILE, 'throwsAtShortOnes', { serialization });
    const inbox = new Inbox(child);
    await inbox.next();
    const answers: unknown[] = [];
    for (let round = 0; round < 12; round++) {
      const length = 6000 + 2443 * round;
      for (const at of [0, 1, 2]) child.send({ at });
      child.send({ long: 'é0123456789abcdef'.repeat(length), length });
      child.send({ at: 3 });
      answers.push(await inbox.next());
    }
    expect(answers).toEqual(Array(12).fill('intact'));
    child.disconnect();
  });

  test('E1: a listener that throws does not lose a socket that comes between the messages', async () => {
    const child = forkFixture(FILE, 'throwsAtShortOnes', { serialization });
    const inbox = new Inbox(child);
    await inbox.next();
    const server = createServer((socket) => {
      child.send({ at: 0 });
      child.send({ at: 1 }, socket);
      child.send({ long: 'é0123456789abcdef'.repeat(9000), length: 9000 });
      child.send({ at: 2 });
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as { port: number };
    for (let round = 0; round < 6; round++) {
      const client = connect(port, '127.0.0.1');
      const [served, answer] = await Promise.all([once(client, 'data'), inbox.next()]);
      expect([String(served[0]), answer]).toEqual(['served', 'intact']);
      client.destroy();
    }
    server.close();
    child.disconnect();
  });
});

test.each(['that came together', 'that waited for a listener'])('E10: an async context that one listener call enters does not reach the other messages %s', async (when) => {
  const child = forkFixture(FILE, 'entersContexts');
  const inbox = new Inbox(child);
  await inbox.next();
  const internal = { cmd: 'NODE_UNIT_LISTEN' };
  if (when === 'that came together') child.send(internal);
  child.send({ count: 20 });
  for (let at = 0; at < 20; at++) child.send({ at });
  if (when !== 'that came together') child.send(internal);
  expect(await inbox.next()).toEqual(Array(20).fill(null));
  child.disconnect();
});

test('E3: after a listener has thrown for a kept message it gets the other kept messages, and later ones', async () => {
  const child = forkFixture(FILE, 'throwsAtWaitingOnes');
  const inbox = new Inbox(child);
  await inbox.next();
  for (const message of ['a', 'b', { cmd: 'NODE_UNIT_LISTEN' }, 'c']) child.send(message);
  await new Promise((resolve) => setImmediate(resolve));
  child.send('end');
  expect(await inbox.next()).toEqual(['a', 'at a', 'b', 'at b', 'c', 'at c', 'end']);
});

test('E4: if no socket can be built around an fd, because the app has replaced `net.Socket`, the fd is closed and an error is emitted', async () => {
  const child = forkFixture(FILE, 'cannotBuild');
  const inbox = new Inbox(child);
  await inbox.next();
  const { client, accepted } = await connection();
  const end = allOf(client); // Resolves when the last copy of the fd is closed.
  child.send('with a socket', accepted);
  child.send('behind it');
  expect(await inbox.take(2)).toEqual(['no Socket', 'behind it']);
  expect(await end).toBe('');
  child.disconnect();
});

test("E3: a 'disconnect' listener that throws does not suppress 'close'", async () => {
  const inbox = new Inbox(forkFixture(FILE, 'throwsAtTheEnd'));
  expect(await inbox.next()).toEqual(['disconnect', 'at the end', 'close']);
});

test.each([['json', 'SIGCONT'], ['json', 'SIGSTOP'], ['advanced', 'SIGSTOP']])('E3, E6: callbacks of send come in the order of their sends, each in its own context, also behind one that throws: %s, %s', async (serialization, signal) => {
  const inbox = new Inbox<{ log: unknown[]; kinds: string[] }>(forkFixture(FILE, `sendsWithCallbacks ${serialization} ${signal}`));
  const { log, kinds } = await inbox.next();
  expect(log).toEqual(Array.from({ length: 360 }, (_, at) => (at % 50 === 10 ? [at, `of ${at}`] : [at])).flat());
  // The same events as on Node's own channel, and no others.
  expect(kinds.filter((kind) => !['TickObject', 'WRITEWRAP', 'PIPEWRAP', 'TCPSERVERWRAP', 'TCPWRAP', 'Timeout', 'Immediate'].includes(kind))).toEqual([]);
});
