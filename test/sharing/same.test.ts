/** D63: a supervisor, stopped workers and workers without fds under `scheduling: 'shared'`. How even it is: sharing.test.ts. */
import { mkdtempSync, rmSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { readRecording } from '../../internal/recording/read';
import { tally } from '../interop/load';
import { withCluster } from '../faults/cluster';
import { Kept, Supervised } from '../moving/supervised';
import { dist, root, run } from '../support/program';
import { SteadyLoad } from '../support/steady_load';

const shared = { SETTINGS: JSON.stringify({ scheduling: 'shared' }) };

test('a supervisor under load: reload, recycle, scale to 4 and to 1. No request is lost, no kept connection closed, and the primary accepts none', { timeout: 120_000 }, async () => {
  // With the grace of a minute, a worker that waited for its idle connections would have to be killed.
  const app = new Supervised(2, { idleGraceMs: 60_000, leaveTimeoutMs: 25_000 }, { settings: { scheduling: 'shared' } });
  let kept: Kept | undefined;
  try {
    const port = await app.port();
    kept = await Kept.open(port, 40);
    const load = new SteadyLoad(port, { chosen: ['one-shot', 're-used', 'keepAlive agent'] });
    for (const command of ['reload', 'recycle', 'scale 4']) await app.command(command);
    const end = performance.now() + 20_000;
    // Rebalancing gives the new workers their share.
    while (!(await app.status()).workers.every(({ moved }) => Number(moved) > 0) && performance.now() < end);
    const { moved, workers } = await app.status();
    expect(workers.map((worker) => [worker.state.is, Number(worker.moved) > 0])).toEqual(Array(4).fill(['ready', true]));
    await app.command('scale 1');
    await load.stop();
    expect(load.failures).toEqual([]);
    expect(load.closed).toBe(0);
    expect(Object.values(tally((await kept.ask()).map((reply) => (reply === null ? 'closed' : `${reply.worker} ${reply.says}`))))).toEqual([40]);
    const counters = await app.counters();
    expect(counters['accepted']).toBe(0);
    expect(moved).toBeGreaterThanOrEqual(80);
    expect(counters['moved']).toBeGreaterThan(Number(moved));
  } finally {
    kept?.end();
    await app.end();
  }
});

// `watch` and the exports show what a recording has.
test('record: each report and each quota has its sender and receiver, and each pause is a state of its worker, with the reason', { timeout: 60_000 }, async () => {
  const directory = mkdtempSync(path.join(tmpdir(), 'sharing-'));
  try {
    const target = path.join(directory, 'shared.jsonl');
    const { code, stderr } = await run(dist('lib/cli.js'), { args: ['record', '-o', target, path.join(root, 'test/fixtures/sharing_cluster.js'), 'even'] });
    expect(code, stderr).toBe(0);
    const of = new Map<string, Set<string>>();
    const note = (what: string, value: string): void => void of.set(what, (of.get(what) ?? new Set()).add(value));
    for await (const event of (await readRecording(target)).events) {
      if (event.kind === 'message' && (event.act === 'progress' || event.act === 'quota')) note(event.act, `${event.way} ${event.from[0] as string} to ${event.to[0] as string}`);
      if (event.kind === 'state' && /^W\d at 127/.test(event.what)) note(`${event.of}: ${event.from} → ${event.to} (${String(event.why)})`, `${event.name[0] as string} ${String(event.source?.file)}`);
    }
    expect(of.get('progress')).toEqual(new Set(['sent W to P', 'received W to P']));
    expect(of.get('quota')).toEqual(new Set(['sent P to W', 'received P to W']));
    const place = new Set(['W internal/child/accept_pause.ts']);
    expect(of.get('acceptor: accepting → paused (quota)')).toEqual(place);
    expect(of.get('acceptor: paused → accepting (room)')).toEqual(place);
  } finally {
    rmSync(directory, { recursive: true });
  }
});

describe('a worker that does not accept', () => {
  /** Clients that connect at the same time, and stay until `end`. */
  class Held {
    readonly sockets: net.Socket[];
    readonly answers: Promise<string>[];

    constructor(port: number, count: number) {
      this.sockets = Array.from({ length: count }, () => net.connect(port, '127.0.0.1').setEncoding('utf8'));
      this.answers = this.sockets.map((socket) => new Promise((resolve) => {
        socket.once('data', (text) => resolve(/\r\n\r\n(\d+)/.exec(String(text))?.[1] ?? String(text))).once('error', ({ code }: NodeJS.ErrnoException) => resolve(String(code))).once('close', () => resolve('closed'));
        socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
      }));
    }
  }

  // The other one had to wait, 25 ms for each eight, until it had its share of the open connections.
  test('stopped, while 1,000 clients wait that stay: the other one serves all', { timeout: 60_000 }, async () => {
    await withCluster({ workers: 2, env: { ...shared, KEEP: '1' } }, async (cluster) => {
      const [first] = [await cluster.listens(1), await cluster.listens(2)];
      process.kill(first, 'SIGSTOP');
      try {
        const held = new Held(cluster.port, 1000);
        expect(tally(await Promise.all(held.answers))).toEqual({ 2: 1000 });
        for (const socket of held.sockets) socket.destroy();
      } finally {
        process.kill(first, 'SIGCONT');
      }
      await cluster.end();
    });
  });

  // libuv accepted with the last fd that it keeps, and closed: the clients of all workers, as long as one had no fd.
  test('its fds run out: clients wait for the other one, or until there are some again, and none is closed', { timeout: 60_000 }, async () => {
    const node = path.join(root, 'test/fixtures/faults_limited.sh');
    await withCluster({ workers: 2, env: { ...shared, KEEP: '1' }, node }, async (cluster) => {
      const held = new Held(cluster.port, 120);
      const answered: net.Socket[] = [];
      held.answers.forEach((answer, at) => void answer.then(() => answered.push(held.sockets[at] as net.Socket)));
      // Both workers together have fds for some 60. Those that are served stay for a while, and then make room for others.
      const leaving = setInterval(() => answered.splice(0).forEach((socket) => socket.destroy()), 300);
      const answers = tally(await Promise.all(held.answers));
      clearInterval(leaving);
      expect(Object.keys(answers).sort()).toEqual(['1', '2']);
      for (const socket of held.sockets) socket.destroy();
      await cluster.end();
    });
  });
});
