/** D60: the shared state goes over to the new primary: no increment is lost or done twice, locks exclude each other, watches see each event. */
import { get } from 'node:http';
import path from 'node:path';
import { expect, test } from 'vitest';
import { Upgraded } from './upgraded';

const file = path.join(__dirname, 'state_app.js');

test('two upgrades under increments, locks and watches: each increment once, in order; a lock has one holder; a watch misses nothing', { timeout: 120_000 }, async () => {
  const app = new Upgraded({ file, options: { workers: 2 } });
  const port = await app.port();
  let isOver = false;
  const results: Record<string, unknown>[] = [];
  const leases: { token: number; from: number; to: number }[] = [];
  const clients = ['/increment', '/increment', '/increment', '/lock', '/lock'].map(async (url) => {
    while (!isOver) {
      const answer = await ask(port, url);
      if (url === '/increment' || answer['token'] === undefined) results.push(answer);
      else leases.push(answer as unknown as (typeof leases)[number]);
    }
  });
  for (let at = 0; at < 2; at++) expect(await app.upgrade()).toMatchObject({ upgrade: 'done' });
  const count = results.length;
  isOver = true;
  await Promise.all(clients);
  expect(results.filter((result) => 'code' in result)).toEqual([]);
  const sorted = [...results].sort((one, other) => (one['value'] as number) - (other['value'] as number));
  expect(sorted.map((result) => result['value'])).toEqual(sorted.map((_, at) => at + 1));
  expect(sorted.every((result, at) => at === 0 || (result['version'] as number) > (sorted[at - 1]?.['version'] as number))).toBe(true);
  leases.sort((one, other) => one.token - other.token);
  for (const [at, { token, from }] of leases.entries()) {
    const before = leases[at - 1];
    if (before !== undefined) expect([token > before.token, from >= before.to]).toEqual([true, true]);
  }
  expect(count).toBeGreaterThan(50);
  expect(leases.length).toBeGreaterThan(20);
  const missed: Record<string, unknown> = {};
  for (let tries = 0; Object.keys(missed).length < 2 && tries < 100; tries++) {
    const answer = await ask(port, '/watched');
    missed[String(answer['worker'])] = { missed: answer['missed'], last: answer['last'] };
  }
  expect(missed).toEqual({ 1: { missed: [], last: results.length }, 2: { missed: [], last: results.length } });
  await app.end();
  expect(app.stderr).toBe('');
});

test('the old primary dies after the commit: the shared state begins anew, its clients get an error that says so, and go on', { timeout: 60_000 }, async () => {
  const app = new Upgraded({ file, options: { workers: 1 }, env: { DIES: 'P 6' } });
  const port = await app.port();
  expect(await ask(port, '/increment')).toMatchObject({ value: 1 });
  process.kill(app.pid, 'SIGUSR2');
  const { successor } = await app.line((line) => line['upgrade'] === 'started');
  await app.firstEnded;
  // The first call may be one that nobody has answered.
  const answers = [await ask(port, '/increment'), await ask(port, '/increment'), await ask(port, '/increment')];
  for (const answer of answers.slice(1)) expect(answer).toMatchObject({ value: expect.any(Number) as number });
  process.kill(successor as number, 'SIGTERM');
  await app.ended();
});

test('the successor dies with the whole state, before the old primary has ended: that goes on from what it has given away', { timeout: 60_000 }, async () => {
  const app = new Upgraded({ file, options: { workers: 1 }, env: { DIES: 'S done' } });
  const port = await app.port();
  const before = [await ask(port, '/increment'), await ask(port, '/lock'), await ask(port, '/increment')];
  expect(before[2]).toMatchObject({ value: 2 });
  expect(await app.upgrade()).toMatchObject({ upgrade: 'failed' });
  const after = [await ask(port, '/increment'), await ask(port, '/lock')];
  expect(after[0]).toMatchObject({ value: 3 });
  expect(after[0]?.['version']).toBeGreaterThan(before[2]?.['version'] as number);
  expect(after[1]?.['token']).toBeGreaterThan(before[1]?.['token'] as number);
  await app.end();
});

/** Asks over a connection of its own, so that no answer is lost with a connection that was about to be closed. */
function ask(port: number, url: string): Promise<Record<string, unknown>> {
  return new Promise((resolve, reject) => {
    get({ port, path: url, agent: false, host: '127.0.0.1' }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (text: string) => { body += text; }).on('end', () => resolve(JSON.parse(body) as Record<string, unknown>)).on('error', reject);
    }).on('error', reject);
  });
}
