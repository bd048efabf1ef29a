/**
 * D60: the successor, or the primary that is replaced, is killed at each message between the two. Who is left serves on, and
 * before the successor accepts no client notices anything.
 */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import path from 'node:path';
import { expect, test } from 'vitest';
import { Clients } from '../moving/clients';
import { Kept } from '../moving/supervised';
import { freePort } from '../support/free_port';
import { root } from '../support/program';
import { MESSAGES, die } from './deaths';
import { Probe, Upgraded } from './upgraded';

/** The messages until the successor says that it accepts: hello, address, begin, ready, commit, serving. */
const COMMITTED = 6;
/** The rest with 20 idle connections: connection and taken for each, last, done. */
const ALL = COMMITTED + 2 * 20 + 2;

test('the successor dies at each message until it accepts, and at some of those after: the old primary serves on', { timeout: 240_000 }, async () => {
  for (const at of [1, 2, 3, 4, 5, 6, 7, 8, 9, 25, ALL - 1]) {
    const app = new Upgraded({ options: { workers: 1 }, env: { DIES: `S ${at}` } });
    const port = await app.port();
    const { pid } = app;
    const kept = await Kept.open(port, 20);
    const clients = at <= COMMITTED ? new Clients(port, { get: 3, late: 2 }, Math.random, 1) : null;
    const probe = new Probe(port);
    expect(await app.upgrade(), `at ${at}`).toMatchObject({ pid, upgrade: 'failed', reason: expect.stringMatching(/it was killed by SIGKILL/) as string });
    await ask(port);
    await probe.stop();
    expect([at, probe.failures]).toEqual([at, []]);
    if (clients !== null) {
      const { failed, closed, wrong } = await clients.stop();
      expect({ at, failed, closed, wrong, kept: kept.closed }).toEqual({ at, failed: [], closed: [], wrong: [], kept: 0 });
      expect((await kept.ask()).every((reply) => reply !== null)).toBe(true);
    }
    kept.end();
    await app.end();
    expect(app.lines.filter((line) => line.pid === pid && 'exit' in line)).toMatchObject([{ exit: 0 }]);
  }
});

test('the old primary dies at each message: before the commit the successor ends, afterwards it serves on', { timeout: 240_000 }, async () => {
  for (const at of [1, 2, 3, 4, 6, 7, 12, ALL]) {
    const port = await freePort();
    const app = new Upgraded({ options: { workers: 1 }, env: { DIES: `P ${at}` }, port });
    await app.port();
    const { pid } = app;
    const kept = await Kept.open(port, 20);
    process.kill(pid, 'SIGUSR2');
    if (at < COMMITTED - 1) {
      await app.ended();
      await expect(ask(port)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    } else {
      const { successor } = await app.line((line) => line['upgrade'] === 'started').catch(() => ({ successor: 0 }));
      await app.line((line) => line.pid === successor && 'port' in line);
      await app.firstEnded; // Until then it accepts, and a connection that no worker has yet would die with it.
      await ask(port);
      process.kill(successor as number, 'SIGTERM');
      await app.ended();
      expect(app.lines.filter((line) => line.pid === successor && 'exit' in line)).toMatchObject([{ exit: 0 }]);
    }
    kept.end();
  }
});

test('a death of the successor after the commit costs no request, also at its last messages; after that of the old primary the new one serves', { timeout: 240_000 }, async () => {
  for (const death of [{ who: 'S', at: 'serving' }, { who: 'S', at: 'taken' }, { who: 'S', at: 'last' }, { who: 'S', at: 'done' }] as const) {
    const { serves, failed, refused, reason, requests } = await die(death);
    expect({ death, serves, failed, refused }).toEqual({ death, serves: 'P', failed: [], refused: [] });
    expect(reason).toMatch(/it was killed by SIGKILL/);
    expect(requests).toBeGreaterThan(20);
  }
  for (const death of [{ who: 'P', at: 'serving' }, { who: 'P', at: 'done' }] as const) {
    const { serves, refused } = await die(death);
    expect({ death, serves, refused }).toEqual({ death, serves: 'S', refused: [] });
  }
});

test('every message of the protocol is one of the deaths, or one that can come at any time', () => {
  const source = readFileSync(path.join(root, 'internal/upgrade/messages.ts'), 'utf8');
  const acts = new Set([...source.matchAll(/readonly act: '(\w+)'/g)].map(([, act]) => act));
  expect([...acts].filter((act) => !['state', 'stop', 'failed', 'socket'].includes(act as string)).sort()).toEqual([...MESSAGES].sort());
});

test('a primary that is killed: its workers finish the requests in progress, and end', { timeout: 60_000 }, async () => {
  const app = new Upgraded({ options: { workers: 1 } });
  const port = await app.port();
  const kept = await Kept.open(port, 2);
  const socket = connect(port, '127.0.0.1');
  let text = '';
  socket.setEncoding('latin1').on('data', (data: string) => { text += data; });
  socket.write('PUT /first HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 4\r\n\r\n');
  await once(socket, 'data'); // A worker has the request.
  process.kill(app.pid, 'SIGKILL');
  await app.firstEnded;
  socket.write('body');
  await once(socket, 'close');
  expect(text).toMatch(/HTTP\/1.1 200 [^]*"length":4/);
  await app.ended();
  expect(kept.closed).toBe(2);
  kept.end();
});

/** One request over a connection of its own. */
async function ask(port: number): Promise<void> {
  const kept = await Kept.open(port, 1);
  kept.end();
}
