/**
 * D60: the successor, or the primary that is replaced, is killed at each message between the two. Who is left serves on, and
 * before the successor accepts no client notices anything.
 */
import { expect, test } from 'vitest';
import { Clients } from '../moving/clients';
import { Kept } from '../moving/supervised';
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
    const clients = at <= COMMITTED ? new Clients(port, { get: 3, late: 2 }) : null;
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
    const app = new Upgraded({ options: { workers: 1 }, env: { DIES: `P ${at}` } });
    const port = await app.port();
    const { pid } = app;
    const kept = await Kept.open(port, 20);
    process.kill(pid, 'SIGUSR2');
    if (at < COMMITTED - 1) {
      await app.ended();
      await expect(ask(port)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    } else {
      const { successor } = await app.line((line) => line['upgrade'] === 'started').catch(() => ({ successor: 0 }));
      await app.line((line) => line.pid === successor && 'port' in line);
      await ask(port);
      process.kill(successor as number, 'SIGTERM');
      await app.ended();
      expect(app.lines.filter((line) => line.pid === successor && 'exit' in line)).toMatchObject([{ exit: 0 }]);
    }
    kept.end();
  }
});

/** One request over a connection of its own. */
async function ask(port: number): Promise<void> {
  const kept = await Kept.open(port, 1);
  kept.end();
}
