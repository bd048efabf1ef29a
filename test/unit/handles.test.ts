/** Handles on our own channel, when both processes use it. */
import net from 'node:net';
import tls from 'node:tls';
import { describe, expect, test } from 'vitest';
import { FauxHandle } from '../../internal/child/faux_handle';
import { Inbox, endChildrenAfterEachTest, forkFixture, thrownBy } from '../support/children';
import { handleSuite } from '../support/handle_suite';
import { allOf, connection } from '../support/handles';

endChildrenAfterEachTest();

describe.each(['json', 'advanced'] as const)('%s', (serialization) => {
  handleSuite(() => forkFixture('unit-handles-child.js', 'serve', { serialization }));
});

describe('these handles are refused with ERR_INVALID_HANDLE_TYPE, and the channel works on', () => {
  test.each<[name: string, make: (socket: net.Socket) => unknown]>([
    ['a TLS socket', (socket) => new tls.TLSSocket(socket)],
    ['the native handle of a TLS socket', (socket) => (new tls.TLSSocket(socket) as unknown as { _handle: unknown })._handle],
    ['W-24: a server on a faux handle', () => Object.assign(net.createServer(), { _handle: new FauxHandle(undefined, () => {}) })],
    ['W-24: a faux handle', () => new FauxHandle(undefined, () => {})],
    ['an object that looks like a handle', () => ({ fd: 1, close() {}, ref() {}, unref() {} })],
  ])('%s', async (_name, make) => {
    const child = forkFixture('unit-handles-child.js', 'serve');
    const inbox = new Inbox(child);
    const { client, accepted } = await connection();
    const end = allOf(client);
    const handle = make(accepted);
    const error = thrownBy(() => child.send({ ask: 'what' }, handle as never));
    expect([error.code, error.message]).toEqual(['ERR_INVALID_HANDLE_TYPE', 'This handle type cannot be sent']);
    child.send({ ask: 'what', text: 'works on' });
    expect(await inbox.next()).toEqual({ came: 'none', text: 'works on' });
    if (handle instanceof FauxHandle) handle.close();
    if (handle instanceof net.Server) (handle as unknown as { _handle: FauxHandle })._handle.close();
    if (handle instanceof net.Socket) handle.on('error', () => {}).destroy();
    accepted.destroy();
    await end;
  });

  test('a message that cannot be sent leaves its socket alone', async () => {
    const child = forkFixture('unit-handles-child.js', 'serve');
    const inbox = new Inbox(child);
    const { client, accepted } = await connection();
    const text = allOf(client);
    const circular: { self?: unknown; ask?: string } = { ask: 'answer' };
    circular.self = circular;
    expect(() => child.send(circular, accepted)).toThrow(/circular/i);
    child.send({ ask: 'answer', text: 'second attempt' }, accepted);
    expect(await inbox.next()).toEqual({ came: 'net.Socket' });
    expect(await text).toBe('second attempt');
  });
});
