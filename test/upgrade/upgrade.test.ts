/** D60: another process becomes the primary. Nobody is refused, and if the other one cannot be taken, nothing has happened. */
import { once } from 'node:events';
import { chmodSync, existsSync, statSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import path from 'node:path';
import { expect, onTestFailed, test } from 'vitest';
import { Clients } from '../moving/clients';
import { ownDirectories } from '../operate/own_directories';
import { Kept } from '../moving/supervised';
import { Probe, Upgraded } from './upgraded';

const directory = ownDirectories();

test('two upgrades under load: the port is never closed, no request fails, idle connections stay open, and the old primary exits with 0', { timeout: 120_000 }, async () => {
  const app = new Upgraded();
  const port = await app.port();
  const kept = await Kept.open(port, 50);
  const clients = new Clients(port, { get: 5, late: 5, body: 5 }, Math.random, 1);
  const probe = new Probe(port);
  const pids = [app.pid];
  for (let at = 0; at < 2; at++) {
    expect(await app.upgrade()).toMatchObject({ upgrade: 'done', reason: '' });
    pids.push(app.pid);
  }
  await probe.stop();
  const { failed, wrong, requests } = await clients.stop();
  expect({ failed, wrong, refused: probe.failures, closed: kept.closed }).toEqual({ failed: [], wrong: [], refused: [], closed: 0 });
  expect((await kept.ask()).every((reply) => reply !== null)).toBe(true);
  expect(requests).toBeGreaterThan(20);
  kept.end();
  await app.end();
  expect(new Set(pids).size).toBe(3);
  expect(app.lines.filter((line) => 'exit' in line).map(({ pid, exit }) => [pid, exit])).toEqual(pids.map((pid) => [pid, 0]));
  expect(app.lines.filter((line) => 'port' in line).map((line) => line['port'])).toEqual([port, port, port]);
  expect(app.stderr).toBe('');
});

test('a successor that cannot be taken is ended, the old primary serves on, and the reason is told', { timeout: 120_000 }, async () => {
  const app = new Upgraded({ commands: true, options: { workers: 1 } });
  const port = await app.port();
  const clients = new Clients(port, { get: 3 }, Math.random, 1);
  const as = (what: string, settings: object = {}) => ({ args: ['{"workers":1}', JSON.stringify(settings), '0', what], readyTimeoutMs: 20_000 });
  const bad: [argument: object, message: RegExp][] = [
    [as('exits'), /it exited with 3/],
    [as('throws'), /it exited with 1/],
    [{ ...as('is stock'), readyTimeoutMs: 1_000 }, /it did not load cluster-internals within 1000 ms/],
    [{ ...as('hangs'), readyTimeoutMs: 2_000 }, /it did not load cluster-internals within 2000 ms|its workers were not ready within 2000 ms/],
    [{ ...as('supervises nothing'), readyTimeoutMs: 5_000 }, /its workers were not ready within 5000 ms/],
    [{ ...as('never listens'), readyTimeoutMs: 5_000 }, /its workers were not ready within 5000 ms/],
    [as('listens elsewhere'), /its workers do not listen at 127\.0\.0\.1:0, where workers of this one do/],
    [{ script: path.join(__dirname, 'other_version.js') }, /it speaks version 3 of the protocol of upgrades, and this one 2/],
    [{ execPath: '/nowhere/node' }, /it could not be started \(spawn \/nowhere\/node ENOENT\)/],
    [{ script: '/nowhere/app.js', args: [] }, /it exited with 1/],
  ];
  for (const [argument, message] of bad) {
    expect(await app.command('upgrade', argument), String(message)).toMatchObject({ code: 'ERR_UPGRADE_FAILED', message: expect.stringMatching(message) as string });
  }
  for (const [argument, code] of [[{ script: 5 }, 'ERR_INVALID_ARG_TYPE'], [{ args: 'a' }, 'ERR_INVALID_ARG_TYPE'], [{ readyTimeoutMs: 0 }, 'ERR_OUT_OF_RANGE'], [{ scipt: 'a' }, 'ERR_INVALID_ARG_VALUE']] as const) {
    expect(await app.command('upgrade', argument)).toMatchObject({ code });
  }
  const { failed, closed, wrong } = await clients.stop();
  expect({ failed, closed, wrong }).toEqual({ failed: [], closed: [], wrong: [] });
  expect(app.lines.filter((line) => line.pid === app.pid && 'exit' in line)).toEqual([]);
  await app.end();
});

test('during an upgrade other commands are refused, and a stop calls it off', { timeout: 60_000 }, async () => {
  const app = new Upgraded({ commands: true, options: { workers: 1 } });
  await app.port();
  const pid = app.pid;
  app.send('upgrade', { args: ['{"workers":1}', '{}', '0', 'never listens'] });
  await app.line((line) => line['upgrade'] === 'started');
  for (const [method, argument] of [['upgrade', undefined], ['reload', undefined], ['scale', 2], ['recycle', undefined], ['rollback', undefined]] as const) {
    expect(await app.command(method, argument), method).toMatchObject({ code: 'ERR_UPGRADE_RUNNING' });
  }
  app.send('stop');
  expect(await app.line((line) => line['upgrade'] === 'failed')).toMatchObject({ reason: expect.stringMatching(/this primary was told to stop/) as string });
  await app.ended().catch(() => undefined);
  expect(app.lines.filter((line) => line.pid === pid && 'exit' in line)).toMatchObject([{ exit: 0 }]);
});

test('an upgrade is refused during a reload, a scale, a recycling and a stop, and these go on', { timeout: 60_000 }, async () => {
  const app = new Upgraded({ commands: true, options: { workers: 1 } });
  await app.port();
  for (const [method, argument] of [['reload', {}], ['scale', 2], ['recycle', undefined], ['stop', undefined]] as const) {
    const from = app.lines.length;
    app.sendAll([{ method, argument }, { method: 'upgrade' }]);
    expect(await app.line((line) => line['method'] === 'upgrade', from)).toMatchObject({ code: 'ERR_UPGRADE_REFUSED', message: expect.stringContaining(method === 'stop' ? '' : `the command ${method} is not done`) as string });
    expect(await app.line((line) => line['method'] === method, from), method).toMatchObject({ outcome: 'done' });
  }
  await app.end();
});

test('SIGUSR2 twice is one upgrade; SIGTERM during the next one ends both primaries', { timeout: 60_000 }, async () => {
  const app = new Upgraded({ options: { workers: 1 } });
  await app.port();
  const first = app.pid;
  process.kill(first, 'SIGUSR2');
  await app.line((line) => line['upgrade'] === 'started');
  process.kill(first, 'SIGUSR2');
  await app.line((line) => line.pid === first && 'exit' in line);
  const second = app.pid;
  process.kill(second, 'SIGUSR2');
  await app.line((line) => line.pid === second && line['upgrade'] === 'started');
  process.kill(second, 'SIGTERM');
  await app.ended();
  expect(app.lines.filter((line) => [first, second].includes(line.pid) && ('upgrade' in line || 'exit' in line)).map((line) => [line.pid === first ? 1 : 2, line['upgrade'] ?? line['exit']])).toEqual([
    [1, 'started'], [1, 'leaving'], [1, 'done'], [1, 0], [2, 'started'], [2, 'failed'], [2, 0],
  ]);
});

test('a listener of the event that throws, and a pid file that cannot be written, do not stop an upgrade', { timeout: 60_000 }, async () => {
  const app = new Upgraded({ options: { workers: 1, pidFile: '/dev/full/pid' }, env: { THROWS: 'yes' } });
  await app.port();
  const { pid } = app;
  expect(await app.upgrade()).toMatchObject({ upgrade: 'done' });
  expect(app.lines.filter((line) => line.pid === pid && 'thrown' in line).map((line) => line['thrown'])).toEqual(['started', 'leaving', 'done'].map((state) => `a listener throws at ${state}`));
  await app.end();
  expect(app.stderr.match(/PidFileWarning/g)?.length).toBeGreaterThanOrEqual(2); // Each of the two primaries.
});

test('a successor that lies or floods: it is ended with a reason or not taken, and the old primary serves on', { timeout: 120_000 }, async () => {
  const app = new Upgraded({ commands: true, options: { workers: 1 } });
  const port = await app.port();
  const clients = new Clients(port, { get: 3 }, Math.random, 1);
  const script = path.join(__dirname, 'liar.js');
  const lies: [how: string, message: RegExp][] = [
    ['flood', /its workers do not listen at/],
    ['ids', /its workers do not listen at 127\.0\.0\.1:0/],
    ['garbage', /the channel to it has failed|closed the channel|did not load cluster-internals within/],
    ['endless', /the channel to it has failed/],
    ['answers first', /its workers were not ready within|did not load cluster-internals within/],
    ['takes all', /it exited with 5/],
  ];
  for (const [how, message] of lies) {
    expect(await app.command('upgrade', { script, args: [how], readyTimeoutMs: ['garbage', 'answers first'].includes(how) ? 3_000 : 20_000 }), how).toMatchObject({ code: 'ERR_UPGRADE_FAILED', message: expect.stringMatching(message) as string });
  }
  const { failed, wrong } = await clients.stop();
  expect({ failed, wrong }).toEqual({ failed: [], wrong: [] });
  await app.end();
});

test('a second upgrade is refused while the workers leave; the successor dies then: as many workers as before serve again', { timeout: 60_000 }, async () => {
  const app = new Upgraded({ commands: true, options: { workers: 2 } });
  const port = await app.port();
  const busy = await unfinishedRequest(port);
  app.send('upgrade');
  const { successor } = await app.line((line) => line['upgrade'] === 'leaving');
  expect(await app.command('upgrade')).toMatchObject({ code: 'ERR_UPGRADE_RUNNING' });
  process.kill(successor as number, 'SIGKILL');
  await app.line((line) => line['upgrade'] === 'failed');
  const kept = await Kept.open(port, 1);
  kept.end();
  busy.destroy();
  await app.end();
});

test('a stop while the workers leave ends both primaries, also if the new one is the first to end', { timeout: 60_000 }, async () => {
  const app = new Upgraded({ options: { workers: 1 } });
  const port = await app.port();
  const { pid } = app;
  const busy = await unfinishedRequest(port);
  process.kill(pid, 'SIGUSR2');
  const { successor } = await app.line((line) => line['upgrade'] === 'leaving');
  process.kill(pid, 'SIGTERM');
  await app.line((line) => line.pid === successor && 'exit' in line);
  await app.line((line) => line['upgrade'] === 'failed');
  busy.end('rest');
  await app.ended();
  expect(app.lines.filter((line) => 'exit' in line).map((line) => [line.pid, line['exit']])).toEqual([[successor, 0], [pid, 0]]);
});

test('stop({ now: true }) while the workers leave kills those of both primaries', { timeout: 60_000 }, async () => {
  const app = new Upgraded({ commands: true, options: { workers: 1, leaveTimeoutMs: 120_000 } });
  const port = await app.port();
  const { pid } = app;
  await unfinishedRequest(port);
  app.send('upgrade');
  const { successor } = await app.line((line) => line['upgrade'] === 'leaving');
  await unfinishedRequest(port); // This one is with a worker of the successor.
  app.send('stop', { now: true });
  await app.ended();
  expect(app.lines.filter((line) => 'exit' in line).map((line) => [line.pid, line['exit']]).sort()).toEqual([[successor, 0], [pid, 0]].sort());
});

test('a unix socket: its path leads to a listener all the time, and the last primary removes it', { timeout: 60_000 }, async () => {
  const at = path.join(directory, 'public.sock');
  const app = new Upgraded({ port: at, options: { workers: 1 } });
  await app.port();
  const { ino } = statSync(at);
  const probe = new Probe(at);
  onTestFailed(() => void probe.stop());
  for (let time = 0; time < 2; time++) {
    expect(await app.upgrade()).toMatchObject({ upgrade: 'done', reason: '' });
    expect(statSync(at).ino).toBe(ino);
  }
  await probe.stop();
  expect(probe.failures).toEqual([]);
  await app.end();
  expect(existsSync(at)).toBe(false);
  expect(app.stderr).toBe('');
  expect(app.lines.filter((line) => 'last' in line)).toHaveLength(2); // All listeners of 'exit' are called.
});

// Only root has rights to give up.
test.skipIf(process.getuid?.() !== 0)('a primary that has given up its rights is replaced, though it may not bind or remove its unix socket any more', { timeout: 60_000 }, async () => {
  const at = path.join(directory, 'private.sock');
  chmodSync(directory, 0o755);
  const nobody = 65534;
  const app = new Upgraded({ port: at, options: { workers: 1 }, settings: { uid: nobody }, env: { DROPS_TO: String(nobody) } });
  await app.port();
  const { ino } = statSync(at);
  expect(await app.upgrade()).toMatchObject({ upgrade: 'done', reason: '' });
  await app.end();
  expect(statSync(at).ino).toBe(ino); // It could not be removed, and that hurts nobody.
  expect(app.lines.filter((line) => 'exit' in line)).toMatchObject([{ exit: 0 }, { exit: 0 }]);
  expect(app.stderr).toBe('');
});

/** A worker waits for the last four bytes of this request, so it does not leave. */
async function unfinishedRequest(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1').on('error', () => undefined);
  await once(socket, 'connect');
  socket.write('POST /first HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\nab');
  await once(socket, 'data'); // A worker has the connection.
  socket.write('POST /second HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: 6\r\n\r\nab');
  await once(connect(port, '127.0.0.1').end('GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n').resume(), 'close'); // It is read by then.
  return socket;
}
