/** D60: which kinds of addresses go over to the primary that replaces another one, and what is said of those that do not. */
import dgram from 'node:dgram';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import net, { type AddressInfo } from 'node:net';
import path from 'node:path';
import { expect, onTestFailed, onTestFinished, test } from 'vitest';
import type { ListeningHandle } from '../../internal/native/bindings';
import { handleOf } from '../../internal/native/handles';
import { makePausable, setAccepting } from '../../internal/native/listening';
import { freePort } from '../support/free_port';
import { claimPrivilegedPort } from '../support/own_port';
import { Asking } from './asking';
import { Probe, Upgraded, type Start } from './upgraded';

const file = path.join(__dirname, 'kinds_app.js');
const start = (kind: object, more: Start = {}): Upgraded => startAs({ 1: [kind] }, more);
function startAs(kinds: object, more: Start = {}): Upgraded {
  const app = new Upgraded({ file, ...more, env: { KINDS: JSON.stringify(kinds), ...more.env } });
  onTestFailed(() => app.kill());
  return app;
}

/** Ends with a test that fails, too: otherwise it would go on during the next ones. */
function ending<Load extends { stop(): Promise<unknown> }>(load: Load): Load {
  onTestFailed(() => void load.stop());
  return load;
}

/** Two upgrades under load: nobody is refused, and no request fails. */
async function upgradedTwice(app: Upgraded, at?: number): Promise<void> {
  const line = await app.port();
  const port = at ?? line;
  const asking = ending(new Asking(port, 4));
  const probe = ending(new Probe(port));
  await asking.answered(20);
  for (let time = 0; time < 2; time++) expect(await app.upgrade()).toMatchObject({ upgrade: 'done', reason: '' });
  await asking.answered(20);
  await probe.stop();
  const { failed } = await asking.stop();
  await app.end();
  expect({ failed, refused: probe.failures, stderr: app.stderr }).toEqual({ failed: [], refused: [], stderr: '' });
}

test("scheduling 'shared': the workers of both accept from one socket", { timeout: 60_000 }, async () => {
  await upgradedTwice(start({ port: 0, host: '127.0.0.1' }, { settings: { scheduling: 'shared' } }));
});

test('SCHED_NONE', { timeout: 60_000 }, async () => {
  await upgradedTwice(start({ port: 0, host: '127.0.0.1' }, { env: { NODE_CLUSTER_SCHED_POLICY: 'none' } }));
});

test('listen({ fd }): a socket that the first primary was started with', { timeout: 60_000 }, async () => {
  const { fd, port, close } = await listening();
  const app = start({ fd: 3 }, { fds: [fd] });
  await app.port();
  await close();
  await upgradedTwice(app, port);
});

test('UDP: each datagram is answered', { timeout: 60_000 }, async () => {
  const app = start({ udp: 0 });
  const port = await app.port();
  const socket = dgram.createSocket('udp4');
  onTestFailed(() => {
    clearInterval(timer);
    socket.close();
  });
  const open = new Set<string>();
  let count = 0;
  socket.on('message', (text) => open.delete(String(text)));
  const timer = setInterval(() => {
    open.add(String(++count));
    socket.send(String(count), port, '127.0.0.1');
  }, 10); // The kernel drops datagrams when some 250 of them wait.
  for (let time = 0; time < 2; time++) expect(await app.upgrade()).toMatchObject({ upgrade: 'done', reason: '' });
  clearInterval(timer);
  socket.send('last', port, '127.0.0.1'); // The worker that reads it has read all that came before.
  for (let text = ''; text !== 'last' || open.size > 0;) [text] = (await once(socket, 'message', { signal: AbortSignal.timeout(10_000) })).map(String) as [string];
  expect(count).toBeGreaterThan(20); // How many there are depends on how long the upgrades take.
  socket.close();
  await app.end();
});

/** Are there ports that this user, who is root, may bind, and others not? */
const hasPrivileged = process.getuid?.() === 0 && Number(readFileSync('/proc/sys/net/ipv4/ip_unprivileged_port_start', 'utf8')) > 1000;

test.skipIf(!hasPrivileged)('a port that the successor may not bind: it gets the socket', { timeout: 60_000 }, async () => {
  const nobody = 65534;
  const app = start({ port: await freePort(onTestFinished, claimPrivilegedPort), host: '127.0.0.1' }, { settings: { uid: nobody }, env: { DROPS_TO: String(nobody) } });
  await upgradedTwice(app);
});

test('exclusive: true: the workers bind for themselves, so those of the successor cannot, and the upgrade fails with that reason', { timeout: 60_000 }, async () => {
  const port = await freePort();
  const app = start({ port, host: '127.0.0.1', exclusive: true }, { options: { workers: 1, ready: 'message', restarts: { max: 1 } } });
  await app.port();
  const asking = ending(new Asking(port, 2));
  expect(await app.upgrade()).toMatchObject({ upgrade: 'failed', reason: expect.stringMatching(/EADDRINUSE/) as string });
  await asking.answered(10);
  expect((await asking.stop()).failed).toEqual([]);
  await app.end();
});

test('reusePort: the workers bind for themselves, all at one port', { timeout: 60_000 }, async (context) => {
  // Skipped on Node 20, whose listen() knows no reusePort.
  if (Number(process.versions.node.split('.')[0]) < 22) return context.skip('Node 20 has no reusePort');
  const port = await freePort();
  const app = start({ port, host: '127.0.0.1', reusePort: true }, { options: { workers: 1, ready: 'message' } });
  await app.port();
  const probe = ending(new Probe(port));
  for (let time = 0; time < 2; time++) expect(await app.upgrade()).toMatchObject({ upgrade: 'done', reason: '' });
  await probe.stop();
  // The kernel has a queue for each of these sockets, and resets what waits in one that is closed. It refuses nobody.
  expect(probe.failures.filter((failure) => !failure.includes('ECONNRESET'))).toEqual([]);
  await app.end();
});

test('a socket of systemd at which no worker listens goes over, too, and a later worker can listen there', { timeout: 60_000 }, async () => {
  const [web, spare] = [await listening(), await listening()];
  const listens = { port: web.port, host: '127.0.0.1' };
  const app = startAs({ 1: [listens], 3: [listens, { fd: 4 }] }, { options: { workers: 1 }, activated: 'web:spare', fds: [web.fd, spare.fd] });
  await app.port();
  await web.close();
  await spare.close();
  const client = net.connect(spare.port, '127.0.0.1').on('error', () => undefined);
  await once(client, 'connect');
  client.write('GET /waits HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n');
  let text = '';
  client.on('data', (data) => { text += String(data); });
  const ended = once(client, 'close');
  for (let time = 0; time < 2; time++) expect(await app.upgrade()).toMatchObject({ upgrade: 'done', reason: '' });
  await ended;
  expect(text).toMatch(/^HTTP\/1.1 200 [^]*"\/waits"/);
  // From now on it is an address of workers, and goes over as one.
  expect(await app.upgrade()).toMatchObject({ upgrade: 'done', reason: '' });
  const asking = ending(new Asking(spare.port, 1));
  await asking.answered(3);
  expect((await asking.stop()).failed).toEqual([]);
  await app.end();
  expect(app.stderr.match(/No worker listens at/g)).toHaveLength(1); // The primary that systemd has started says it.
});

test('an address that is kept without a worker goes over with its clients, and the new workers need not listen there', { timeout: 60_000 }, async () => {
  const [port, other] = [await freePort(), await freePort()];
  const both = [{ port, host: '127.0.0.1' }, { port: other, host: '127.0.0.1' }];
  const app = startAs({ '1.1': both, 1: both.slice(0, 1), '2.1': both.slice(0, 1), 2: both }, {
    options: { workers: 1 }, settings: { keepListening: { deadlineMs: 60_000 } },
  });
  await app.port();
  const asking = ending(new Asking(port, 1));
  await asking.answered(1);
  await killWorker(port); // The next one does not listen at the other port.
  await asking.answered(3);
  const texts = ['', ''];
  const clients = texts.map((_, at) => net.connect(other, '127.0.0.1').on('error', () => undefined).on('data', (data) => { texts[at] += String(data); }));
  for (const client of clients) client.write('GET /waits HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n');
  const ended = Promise.all(clients.map((client) => once(client, 'close')));
  expect(await app.upgrade()).toMatchObject({ upgrade: 'done', reason: '' });
  await killWorker(port);
  await ended;
  expect(texts).toEqual(texts.map(() => expect.stringMatching(/^HTTP\/1.1 200 [^]*"\/waits"/) as string));
  await asking.stop();
  await app.end();
});

test('at an address without a worker no more connections wait in the new primary than limits.queuedConnections', { timeout: 60_000 }, async () => {
  const [port, other] = [await freePort(), await freePort()];
  const both = [{ port, host: '127.0.0.1' }, { port: other, host: '127.0.0.1' }];
  const app = startAs({ '1.1': both, 1: both.slice(0, 1), '2.1': both.slice(0, 1), 2: both }, {
    options: { workers: 1 }, settings: { keepListening: { deadlineMs: 60_000 }, limits: { queuedConnections: 2 } },
  });
  await app.port();
  await killWorker(port); // The next one does not listen at the other port.
  const asking = ending(new Asking(port, 1));
  await asking.answered(3);
  const texts = ['', '', '', '', ''];
  const clients = texts.map((_, at) => net.connect(other, '127.0.0.1').on('error', () => undefined).on('data', (data) => { texts[at] += String(data); }));
  for (const client of clients) client.write('GET /waits HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n');
  const ended = Promise.all(clients.map((client) => new Promise((resolve) => client.once('close', resolve)))); // `once` rejects if one is reset.
  expect(await app.upgrade()).toMatchObject({ upgrade: 'done', reason: '' });
  await asking.stop();
  await killWorker(port);
  await ended;
  expect(texts.map((text) => text.slice(0, 12)).sort()).toEqual(['', '', '', 'HTTP/1.1 200', 'HTTP/1.1 200']);
  await app.end();
});

/** A socket that listens, as a service manager has it. */
async function listening(): Promise<{ readonly fd: number; readonly port: number; close(): Promise<void> }> {
  const server = net.createServer();
  makePausable(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const handle = handleOf(server) as ListeningHandle;
  setAccepting(handle, false);
  return { fd: handle.fd as number, port: (server.address() as AddressInfo).port, close: async () => void await new Promise((resolve) => server.close(resolve)) };
}

/** Kills the worker that answers there. */
async function killWorker(port: number): Promise<void> {
  const socket = net.connect(port, '127.0.0.1').on('error', () => undefined);
  socket.write('GET /exit HTTP/1.1\r\nhost: a\r\n\r\n');
  await once(socket, 'close');
}
