/** Our end of a channel whose other end is Node's own, or a child that imitates it. */
import type { ChildProcess } from 'node:child_process';
import type net from 'node:net';
import { describe, expect, test } from 'vitest';
import { Channel } from '../../internal/channel/channel';
import type { ChannelSink } from '../../internal/channel/channel_types';
import type { ChannelForkOptions } from '../../internal/channel/spawn';
import { kLastWriteWasAsync, kReadBytesOrError, streamBaseState, type NativePipe } from '../../internal/native/bindings';
import { handleOf } from '../../internal/native/handles';
import { Inbox, cleanEnvironment, endChildrenAfterEachTest, event, fixture, forkFixture, within } from '../support/children';
import { handleSuite } from '../support/handle_suite';
import { allOf, connection } from '../support/handles';
import { expectedWarnings } from '../support/warnings';

endChildrenAfterEachTest();

const stock = (options: ChannelForkOptions = {}): ChildProcess =>
  forkFixture('unit-handles-child.js', 'serve', { dialect: 'node', ...options });

/** The pipe of a channel, without a process: it takes everything, unless it `fails`, and reads what is fed. */
class FakePipe {
  readonly writeQueueSize = 0;
  readonly texts: string[] = [];
  fails = false;
  onread: () => void = () => undefined;
  #room: Buffer = Buffer.alloc(0);
  useUserBuffer(room: Buffer): void { this.#room = room; }
  readStart(): number { return 0; }
  readStop(): void {}
  close(): void {}

  writeUtf8String(_request: object, text: string, handle: unknown): number {
    if (this.fails && handle !== undefined) return -109; // ETOOMANYREFS
    this.texts.push(text);
    streamBaseState[kLastWriteWasAsync] = 0;
    return 0;
  }

  feed(text: string): void {
    streamBaseState[kReadBytesOrError] = this.#room.write(text);
    this.onread();
  }
}

/** A child that writes the bytes of Node's dialect itself, without Node's channel. */
const raw = (program: string): ChildProcess => forkFixture('unit-raw-child.js', program, {
  dialect: 'node', execPath: fixture('unit-raw-node.sh'), env: cleanEnvironment({ UNIT_NODE: process.execPath }),
});

describe.each(['json', 'advanced'] as const)('a stock child, %s', (serialization) => {
  handleSuite(() => stock({ serialization }));

  test('1000 messages come back in order', async () => {
    const child = stock({ serialization });
    const inbox = new Inbox<{ order: number }>(child);
    for (let at = 0; at < 1000; at++) child.send(at);
    expect((await inbox.take(1000)).map(({ order }) => order)).toEqual(Array.from({ length: 1000 }, (_, at) => at));
  });
});

test('I-1: a stock child runs without our preload', async () => {
  const child = stock();
  expect(child.spawnargs.slice(1)).toEqual([fixture('unit-handles-child.js'), 'serve']);
});

describe('one handle in flight (I-29)', () => {
  test('I-23: behind an un-acked handle send returns true for the first waiting message and false for the others; their callbacks wait', async () => {
    const child = raw('ignores');
    const inbox = new Inbox<{ seen?: true; lines?: unknown[] }>(child);
    const { client, accepted } = await connection();
    const end = allOf(client);
    const called: string[] = [];
    const callback = (name: string) => (): void => void called.push(name);
    expect(child.send('before')).toBe(true);
    child.send('with a socket', accepted, {}, callback('socket'));
    expect([child.send('one', callback('one')), child.send('two', callback('two')), child.send('three')]).toEqual([true, false, false]);
    await inbox.next(); // it has seen the handle, and sends nothing more
    await new Promise((resolve) => setImmediate(resolve));
    expect(called).toEqual(['socket']);

    child.kill('SIGKILL');
    await event(child, 'disconnect');
    await end;
  });

  test.each(['node', 'pipelined'] as const)('a message that waits behind it arrives as it was when it was sent, even if the object changes: %s', async (dialect) => {
    const child = stock({ dialect });
    const inbox = new Inbox<{ text: string }>(child);
    const { client, accepted } = await connection();
    child.send({ ask: 'what', text: 'first' }, accepted);
    const message = { ask: 'what', text: 'as it was' };
    child.send(message);
    message.text = 'as it is';
    expect((await inbox.take(2)).map(({ text }) => text)).toEqual(['first', 'as it was']);
    client.destroy();
  });

  test('messages and handles behind it are sent in order, one handle after the other', async () => {
    const child = raw('refusesTwice');
    const inbox = new Inbox<{ lines: unknown[] }>(child);
    const first = await connection();
    const second = await connection();
    const ends = [allOf(first.client), allOf(second.client)];
    child.send({ order: 1 }, first.accepted);
    child.send({ order: 2 });
    child.send({ order: 3 }, second.accepted);
    child.send({ order: 4 });
    child.send('report');
    const { lines } = await inbox.next();
    const orders = (lines as { cmd?: string; msg?: { order: number }; order?: number }[]).map((line) => line.msg?.order ?? line.order);
    expect(orders).toEqual([1, 1, 1, 2, 3, 4]); // the first handle was refused twice
    await Promise.all(ends); // acknowledged, so this process has no copy any more
  });

  test('disconnect() waits until the messages behind it are sent (I-44, I-56)', async () => {
    const child = stock();
    const first = await connection();
    const second = await connection();
    const texts = Promise.all([allOf(first.client), allOf(second.client)]);
    child.send({ ask: 'answerQuietly', text: 'first' }, first.accepted);
    const written = within<Error | null>(30_000, 'callback', (resolve) => {
      child.send({ ask: 'answerQuietly', text: 'second' }, second.accepted, {}, resolve);
    });
    child.disconnect();
    expect(child.connected).toBe(false);
    expect(await written).toBe(null);
    expect(await texts).toEqual(['first', 'second']);
    await event(child, 'exit');
  });
});

describe('a receiver that reports that no fd came (I-41)', () => {
  test('four sends in all of the same envelope, then a warning, and the queue goes on; its callback is called once', async () => {
    const child = raw('refuses');
    const inbox = new Inbox<{ lines: unknown[] }>(child);
    const { client, accepted } = await connection();
    const end = allOf(client);
    let called = 0;
    const warnings = expectedWarnings('SentHandleNotReceivedWarning');
    const warned = event<[Error]>(process, 'warning');
    child.send({ text: 'never comes' }, accepted, {}, () => { called++; });
    child.send('after');
    child.send('report');
    const { lines } = await inbox.next();
    const envelope = { cmd: 'NODE_HANDLE', type: 'net.Socket', msg: { text: 'never comes' }, key: expect.any(String) as string };
    expect(lines).toEqual([envelope, envelope, envelope, envelope, 'after']);
    const [warning] = await warned;
    expect([warning.name, warning.message]).toEqual(['SentHandleNotReceivedWarning', 'Handle did not reach the receiving process correctly']);
    expect(warnings).toEqual([warning.message]);
    expect(called).toBe(1);
    await end; // the sender has given up and closed its copy
  });

  // The kernel bounds the fds that are on their way (ETOOMANYREFS). The queue waited for ever for an acknowledgement of what was never written.
  test('it is sent again and cannot be written: what waits behind it goes on, and the handle is closed', async () => {
    const { client, accepted } = await connection();
    const end = allOf(client);
    const pipe = new FakePipe();
    const sink = { pending: () => undefined, socketSent: () => undefined, ending: () => undefined, closed: () => undefined } as unknown as ChannelSink;
    const channel = new Channel(pipe as unknown as NativePipe, { serialization: 'json', dialect: 'node', name: 'P' }, sink);
    channel.start();
    channel.send('with a socket', accepted, {}, undefined);
    channel.send('behind it', undefined, {}, undefined);
    pipe.fails = true;
    pipe.feed('{"cmd":"NODE_HANDLE_NACK"}\n');
    await end;
    expect(pipe.texts.map((text) => JSON.parse(text) as unknown)).toEqual([expect.objectContaining({ msg: 'with a socket' }), 'behind it']);
    channel.abort();
  });

  test.each<[name: string, send: (child: ChildProcess, accepted: net.Socket) => void]>([
    ['a native handle', (child, accepted) => void child.send('borrowed', handleOf(accepted) as never)],
    ['a socket that is kept open', (child, accepted) => void child.send('borrowed', accepted, { keepOpen: true })],
  ])('%s is borrowed, so it is not sent again: its owner may have closed it', async (_name, send) => {
    const child = raw('refuses');
    const inbox = new Inbox<{ lines: unknown[] }>(child);
    const { client, accepted } = await connection();
    send(child, accepted);
    child.send('report');
    const { lines } = await inbox.next();
    client.destroy();
    accepted.destroy();
    expect(lines.length).toBe(1);
  });
});

describe('forgeries', () => {
  test('I-33, I-43: announced handles that never came and acknowledgements of nothing are answered or ignored', async () => {
    const child = raw('forges');
    const errors: unknown[] = [];
    child.on('error', (error) => errors.push(error));
    const inbox = new Inbox<{ done?: true; lines?: unknown[] } | boolean | null>(child);
    child.send('go');
    expect(await inbox.take(3)).toEqual([true, null, { done: true }]);
    child.send('report');
    const report = await inbox.next() as { lines: unknown[] };
    // Each announced handle is refused, because no fd came.
    const nack = { cmd: 'NODE_HANDLE_NACK' };
    expect(report.lines.filter((line) => (line as { cmd?: string }).cmd === 'NODE_HANDLE_NACK')).toEqual([nack, nack, nack]);
    expect(errors).toEqual([]);
    expect(child.connected).toBe(true);
  });

  test('I-43: {cmd: NODE_HANDLE} from a stock child ends at most that child', async () => {
    const child = stock({ stdio: ['ignore', 'ignore', 'ignore', 'ipc'] });
    const inbox = new Inbox(child);
    child.send({ ask: 'forge' });
    const ended = event(child, 'exit');
    expect(await inbox.next()).toBe('after the forgery');
    child.disconnect();
    await ended;
  });

  test.each<[name: string, envelope: object]>([
    ['I-34: an unknown type', { cmd: 'NODE_HANDLE', type: 'nonsense', msg: 1 }],
    ['a type from Object.prototype', { cmd: 'NODE_HANDLE', type: 'constructor', msg: 1 }],
    ['no type', { cmd: 'NODE_HANDLE', msg: 1 }],
    ['a TCP fd called a datagram socket', { cmd: 'NODE_HANDLE', type: 'dgram.Socket', dgramType: 'udp4', msg: 1 }],
    ['a TCP fd called a native datagram socket', { cmd: 'NODE_HANDLE', type: 'dgram.Native', msg: 1 }],
    ['a datagram socket of no family', { cmd: 'NODE_HANDLE', type: 'dgram.Socket', msg: 1 }],
  ])('%s is acknowledged and closed, and emits an error of the child; the channel works on', async (_name, envelope) => {
    const child = stock();
    const inbox = new Inbox(child);
    const failed = event<[Error]>(child, 'error');
    child.send({ ask: 'mislabel', envelope });
    expect((await failed)[0]).toBeInstanceOf(TypeError);
    expect(await inbox.next()).toBe('after the mislabelled');
    child.send('still here');
    expect(await inbox.next()).toEqual({ order: 'still here', came: 'none' });
    child.disconnect();
    await event(child, 'exit');
  });
});

test('I-45: a child dies with a handle un-acked: disconnect, exit and close are emitted, the socket is closed, callbacks of waiting messages get an error', async () => {
  const child = raw('diesOfAHandle');
  const { client, accepted } = await connection();
  const end = allOf(client);
  const events: string[] = [];
  for (const name of ['disconnect', 'exit', 'close']) child.on(name, () => events.push(name));
  const closing = event(child, 'close');
  child.send('with a socket', accepted);
  const told = within<NodeJS.ErrnoException | null>(30_000, 'callback', (resolve) => void child.send('waits', resolve));
  expect((await told)?.code).toBe('ERR_IPC_CHANNEL_CLOSED');
  expect(await closing).toEqual([9, null]);
  expect([...events].sort()).toEqual(['close', 'disconnect', 'exit']);
  expect(events.at(-1)).toBe('close');
  expect(await end).toBe('');
});
