/** What becomes of workers that die, hang, become too old or want to end; and what wrong options do. */
import { once } from 'node:events';
import { createServer, connect } from 'node:net';
import { describe, expect, test } from 'vitest';
import type { SuperviseOptions } from '../../lib/supervisor';
import { storm } from '../support/storm';
import { SteadyLoad } from '../support/steady_load';
import { thrownBy } from '../support/children';
import { freePort } from '../support/free_port';
import { get } from '../interop/load';
import { ours, stock, supervise, withApp, type Mode } from './app';

const quick = { max: 3, minDelayMs: 10, maxDelayMs: 50 };

describe.each([['ours', ours], ['node:cluster', stock]])('%s', (_name, cluster) => {
  test('one death causes one replacement', async () => {
    await withApp({ cluster }, 'serve', async (app) => {
      await app.supervisor.started;
      const [first] = app.pids;
      process.kill(first as number, 'SIGKILL');
      await app.until(() => app.supervisor.status().ready === 2 && !app.pids.includes(first as number), 'the replacement');
      await app.until(() => app.transitions.some(({ pid, state }) => pid === first && state.is === 'gone'), 'its end');
      expect(app.transitions.filter(({ state }) => state.is === 'starting')).toHaveLength(3);
      expect(app.transitions.find(({ pid, state }) => pid === first && state.is === 'gone')?.state).toMatchObject({ signal: 'SIGKILL' });
    });
  });

  test('a worker that disconnects itself is replaced, too', async () => {
    await withApp({ cluster, workers: 1 }, 'serve', async (app) => {
      await app.supervisor.started;
      const [first] = app.pids;
      await get(app.port, '/leave');
      await app.until(() => app.supervisor.status().ready === 1 && app.pids[0] !== first, 'the replacement');
    });
  });
});

// On our cluster only; `npm run storm -- --stock` runs a longer one on node:cluster.
test('a storm of commands and kills ends in the state that the last command asked for', async () => {
  await withApp({ cluster: ours, restarts: { max: 1000 }, canaryMs: 20 }, 'serve', async (app) => {
    await app.supervisor.started;
    const { alive, placed, wanted } = await storm(app.supervisor, 40, 7, 4);
    expect(alive).toEqual(placed);
    expect(placed).toHaveLength(wanted);
  });
});

describe('a slot whose script never serves is given up; the event has the exits and the stderr of its workers', () => {
  test.each<[Mode, number, RegExp]>([
    ['throws', 1, /Error: version 1 throws/],
    ['exits', 0, /^$/],
  ])('%s', async (mode, code, words) => {
    await withApp({ workers: 1, restarts: quick }, mode, async (app) => {
      await expect(app.supervisor.started).rejects.toMatchObject({ code: 'ERR_GIVEN_UP' });
      await app.until(() => app.giveups.length > 0, 'the event');
      expect(app.giveups).toEqual([{
        place: 1, what: 'place', reason: 'place 1 is given up: it would take more than 3 restarts in 60000 ms', retryAt: null, exits: Array(4).fill({ code, signal: null }), stderr: expect.stringMatching(words),
      }]);
      expect(app.supervisor.status().workers).toMatchObject([{ place: 1, worker: null, state: { is: 'given up', stderr: expect.stringMatching(words) } }]);
    });
  });

  test('a port that another process uses', async () => {
    const port = await freePort();
    const taken = createServer().listen(port, '127.0.0.1');
    await once(taken, 'listening');
    await withApp({ workers: 1, restarts: quick, env: { APP_PORT: String(port) } }, 'serve', async (app) => {
      await app.until(() => app.giveups.length > 0, 'the event');
      expect(app.giveups[0]?.stderr).toMatch(/EADDRINUSE/);
      taken.close();
      // The port is free now, and a command tries the slot again.
      expect(await app.supervisor.scale(1)).toMatchObject({ outcome: 'done' });
    });
  });

  test("when a slot is given up the other workers serve on; with onGiveUp: 'stop' all stop", async () => {
    await withApp({ workers: 1, restarts: quick }, 'serve', async (app) => {
      await app.supervisor.started;
      app.write(1, 'throws');
      await expect(app.supervisor.scale(2)).rejects.toMatchObject({ code: 'ERR_GIVEN_UP' });
      expect(await get(app.port)).toMatch(/^1 /);
      expect(app.supervisor.status()).toMatchObject({ desired: 2, ready: 1 });
    });
    await withApp({ workers: 1, restarts: quick, onGiveUp: 'stop' }, 'serve', async (app) => {
      await app.supervisor.started;
      app.write(1, 'throws');
      await expect(app.supervisor.scale(2)).rejects.toMatchObject({ code: 'ERR_GIVEN_UP' });
      await app.until(() => app.supervisor.status().workers.length === 0, 'the end of all');
    });
  });
});

test("ready: 'message': a release that sends no message in time is not ready although it listens", async () => {
  await withApp({ workers: 1, ready: 'message', readyTimeoutMs: 4_000 }, 'ready by message', async (app) => {
    await app.supervisor.started;
    expect(app.messages).toEqual(['ready']);
    app.write(2, 'serve');
    await expect(app.supervisor.reload()).rejects.toThrow('not ready within 4000 ms');
  });
});

test('a worker with an uncaught exception asks for a successor: it is ready before the worker leaves, and no request fails', async () => {
  // The worker waits for its successor for half of APP_TIMEOUT, and a busy machine needs some seconds for that.
  await withApp({ restarts: { max: 100 }, idleGraceMs: 1_500, env: { APP_TIMEOUT: '20000' } }, 'graceful', async (app) => {
    await app.supervisor.started;
    const load = new SteadyLoad(app.port);
    app.least = Infinity;
    for (let death = 1; death <= 2; death++) {
      await get(app.port, '/throw');
      await app.until(() => app.transitions.filter(({ state }) => state.is === 'gone').length === death, 'its end');
    }
    await load.stop();
    expect(load.failures).toEqual([]);
    expect(app.least).toBe(2);
    expect(app.transitions.filter(({ state }) => state.is === 'gone').map(({ state }) => state)).toMatchObject(
      Array(2).fill({ reason: 'uncaught exception: a bug', code: 1, signal: null }));
  });
});

test('SIGTERM to a worker: it asks for a successor and leaves when that one is ready', async () => {
  await withApp({ workers: 1 }, 'serve', async (app) => {
    await app.supervisor.started;
    app.least = Infinity;
    process.kill(app.pids[0] as number, 'SIGTERM');
    await app.until(() => app.transitions.some(({ state }) => state.is === 'gone'), 'its end');
    expect(app.transitions.find(({ state }) => state.is === 'gone')?.state).toMatchObject({ reason: 'SIGTERM', code: 0 });
    expect(app.least).toBe(1);
  });
});

describe('leaving', () => {
  test('an app that does not answer a request and ignores SIGTERM goes through every phase, and gets SIGKILL at the deadline', async () => {
    await withApp({ workers: 1, leaveTimeoutMs: 3_000, killMs: 500, idleGraceMs: 100 }, 'ignores SIGTERM', async (app) => {
      await app.supervisor.started;
      const held = connect(app.port, '127.0.0.1').on('error', () => undefined);
      held.write('GET /hold HTTP/1.1\r\nHost: app\r\n\r\nGET / HT');
      await get(app.port);
      const { workers: [fate] } = await app.supervisor.stop();
      const worker = fate?.worker as number;
      expect(app.life(worker)).toEqual(['starting', 'ready', 'told', 'out of rotation', 'finishing', 'disconnecting', 'terminating', 'killing', 'gone']);
      expect(fate).toMatchObject({ became: 'left', reason: 'stopped', signal: 'SIGKILL' });
      expect(fate?.ms).toBeGreaterThanOrEqual(2_999);
      held.destroy();
    });
  });

  test('an idle connection may send one more request, whose response says close; a connection that never sent a byte is closed', async () => {
    await withApp({ workers: 1, idleGraceMs: 1_000 }, 'serve', async (app) => {
      await app.supervisor.started;
      const [idle, silent] = [connect(app.port, '127.0.0.1').setEncoding('utf8'), connect(app.port, '127.0.0.1')];
      const closed = Promise.all([once(idle, 'close'), once(silent, 'close')]);
      silent.resume();
      idle.write('GET / HTTP/1.1\r\nHost: app\r\n\r\n');
      expect((await once(idle, 'data'))[0]).toMatch(/Connection: keep-alive\r\n/);
      const stopped = app.supervisor.stop();
      await app.until(() => app.transitions.some(({ state }) => state.is === 'leaving' && state.phase === 'out of rotation'), 'out of rotation');
      idle.write('GET / HTTP/1.1\r\nHost: app\r\n\r\n');
      expect((await once(idle, 'data'))[0]).toMatch(/^HTTP\/1.1 200 OK\r\n(.*\r\n)*Connection: close\r\n/);
      await closed;
      expect((await stopped).workers).toMatchObject([{ became: 'left', code: 0 }]);
    });
  });

  test('a worker without connections leaves at once, however long the deadline is', async () => {
    await withApp({ workers: 1, leaveTimeoutMs: 60_000, idleGraceMs: 30_000 }, 'serve', async (app) => {
      await app.supervisor.started;
      await get(app.port);
      const { workers: [fate] } = await app.supervisor.stop();
      expect(fate?.ms).toBeLessThan(25_000);
    });
  });
});

describe('a worker that serves is replaced by a successor first', () => {
  test.each<[string, SuperviseOptions['recycle'], RegExp]>([
    ['requests', { requests: 20, jitter: 0 }, /^served \d+ requests, more than 20$/],
    ['memory', { rssBytes: 1 }, /^holds \d+ bytes, more than 1$/],
    ['age', { ageMs: 200, jitter: 0.5 }, /^is older than \d+ ms$/],
  ])('%s', async (_name, recycle, reason) => {
    await withApp({ workers: 2, pingMs: 20, recycle: recycle ?? {} }, 'serve', async (app) => {
      await app.supervisor.started;
      const [first] = app.pids;
      app.least = Infinity;
      while (app.pids.includes(first as number)) await get(app.port);
      await app.until(() => app.transitions.some(({ pid, state }) => pid === first && state.is === 'gone'), 'its end');
      expect(app.least).toBe(2);
      expect(app.transitions.find(({ pid, state }) => pid === first && state.is === 'gone')?.state).toMatchObject({ reason: expect.stringMatching(reason), code: 0 });
    });
  });

  test('a worker whose event loop is blocked gets no connections, is replaced and ended', async () => {
    await withApp({ workers: 2, pingMs: 50, pingTimeoutMs: 2_500, leaveTimeoutMs: 1_000, killMs: 500 }, 'serve', async (app) => {
      await app.supervisor.started;
      const blocked = Number((await get(app.port, '/block?ms=60000')).split(' ')[2]);
      await app.until(() => app.transitions.some(({ pid, state }) => pid === blocked && state.is === 'gone'), 'its end');
      expect(app.transitions.find(({ pid, state }) => pid === blocked && state.is === 'gone')?.state).toMatchObject({ reason: 'did not answer for 2500 ms', signal: 'SIGKILL' });
      await app.until(() => app.supervisor.status().ready === 2, 'its replacement');
      expect(app.transitions.filter(({ state }) => state.is === 'starting')).toHaveLength(3);
    });
  });

  test('a worker that opens its inspector and stands still before its next answer is left alone', async () => {
    await withApp({ workers: 1, pingMs: 50, pingTimeoutMs: 1_000 }, 'serve', async (app) => {
      await app.supervisor.started;
      const [pid] = app.pids;
      await get(app.port, '/debug?ms=3000');
      expect(await get(app.port), 'answered when it goes on').toMatch(new RegExp(`^1 \\d+ ${pid}$`));
      expect(app.transitions.map(({ state }) => state.is)).toEqual(['starting', 'ready']);
    });
  });
});

test('app and program see nothing of the supervisor: no flags, no messages, unchanged settings', async () => {
  const { exec, execArgv, args, stdio } = ours.settings;
  await withApp({ workers: 1, pingMs: 10 }, 'serve', async (app) => {
    expect(ours.settings).toMatchObject({ exec, execArgv, args });
    expect(ours.settings.stdio).toBe(stdio);
    await app.supervisor.started;
    expect(JSON.parse(await get(app.port, '/execargv'))).toMatchObject({ execArgv: [] });
    await app.supervisor.reload();
    expect(app.messages).toEqual([]);
  });
});

describe('what makes no sense is an error at once', () => {
  test.each<[string, unknown, string]>([
    ['workers', 0, 'ERR_OUT_OF_RANGE'], ['workers', -1, 'ERR_OUT_OF_RANGE'], ['workers', 1e6, 'ERR_OUT_OF_RANGE'], ['workers', 1.5, 'ERR_OUT_OF_RANGE'],
    ['workers', '2', 'ERR_INVALID_ARG_TYPE'], ['workers', NaN, 'ERR_OUT_OF_RANGE'], ['exec', '', 'ERR_INVALID_ARG_VALUE'], ['exec', 5, 'ERR_INVALID_ARG_TYPE'],
    ['exec', '/no/such/script', 'ENOENT'], ['ready', 'soon', 'ERR_INVALID_ARG_VALUE'], ['onGiveUp', 'weep', 'ERR_INVALID_ARG_VALUE'],
    ['leaveTimeoutMs', -1, 'ERR_OUT_OF_RANGE'], ['leaveTimeoutMs', Infinity, 'ERR_OUT_OF_RANGE'], ['killMs', 60_000, 'ERR_OUT_OF_RANGE'],
    ['maxSurge', 0, 'ERR_OUT_OF_RANGE'], ['args', 'a b', 'ERR_INVALID_ARG_TYPE'], ['signals', 'yes', 'ERR_INVALID_ARG_TYPE'],
    ['recycle', { rss: 5 }, 'ERR_INVALID_ARG_VALUE'], ['recycle', { jitter: 2 }, 'ERR_OUT_OF_RANGE'], ['restarts', { max: 0 }, 'ERR_OUT_OF_RANGE'],
    ['restarts', 5, 'ERR_INVALID_ARG_TYPE'], ['graceMs', 5, 'ERR_INVALID_ARG_VALUE'],
  ])('%s: %o', (name, value, code) => {
    expect(thrownBy(() => supervise({ exec: __filename, [name]: value } as SuperviseOptions)).code).toBe(code);
  });

  test('supervise() in a worker', () => {
    expect(thrownBy(() => supervise({ exec: __filename, cluster: { isPrimary: false } as never })).code).toBe('ERR_INVALID_STATE');
  });

  test('scale(0), scale(-1), scale(1e6) and others: rejected, and nothing changes', async () => {
    await withApp({ workers: 1 }, 'serve', async (app) => {
      await app.supervisor.started;
      for (const count of [0, -1, 1e6, 1.5, NaN]) await expect(app.supervisor.scale(count)).rejects.toMatchObject({ code: 'ERR_OUT_OF_RANGE' });
      await expect(app.supervisor.scale('2' as never)).rejects.toMatchObject({ code: 'ERR_INVALID_ARG_TYPE' });
      expect(app.supervisor.status()).toMatchObject({ desired: 1, ready: 1 });
    });
  });
});

test('supervise() installs the signal handlers, and they are removed with the last worker; importing installs none', async () => {
  const counts = (): number[] => (['SIGHUP', 'SIGTERM', 'SIGINT', 'SIGTTIN', 'SIGTTOU'] as const).map((signal) => process.listenerCount(signal));
  const before = counts();
  await withApp({ workers: 1, signals: true }, 'serve', async (app) => {
    expect(counts()).toEqual(before.map((count) => count + 1));
    await app.supervisor.started;
    await app.supervisor.stop();
    expect(counts()).toEqual(before);
    await app.supervisor.scale(1);
    expect(counts()).toEqual(before.map((count) => count + 1));
  });
  expect(counts()).toEqual(before);
});
