/** What a release consists of, with real workers: script, arguments, flags, variables, the place of a worker; rollback, recycle, figures, exit codes. */
import { renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { fixture } from '../support/children';
import { get } from '../interop/load';
import { ours, stock, withApp, type App } from './app';

/** What the workers say about how they were started, by the path of their answers: one line for each worker, sorted. */
async function started(app: App, count = 2): Promise<unknown[]> {
  const said = new Set<string>();
  // Each connection goes to the next worker in turn, so a few times `count` are enough.
  for (let asked = 0; said.size < count && asked < 8 * count; asked++) said.add(await get(app.port, '/started'));
  return [...said].sort().map((text) => JSON.parse(text) as unknown);
}

const pidAt = (app: App, place: number): number | null | undefined => app.supervisor.status().workers.find((worker) => worker.place === place && worker.role === 'current')?.pid;

test.each([['ours', ours], ['node:cluster', stock]])('%s: reload with changes, a reload that fails, restart, rollback, recycle: each worker keeps its place and its release', async (_name, cluster) => {
  await withApp({ cluster, args: ['one'], env: { COLOUR: 'green' }, pingMs: 50, stopExitCodes: [17] }, 'serve', async (app) => {
    await app.supervisor.started;
    const first = [[['one'], '0', 'green', []], [['one'], '1', 'green', []]];
    expect(await started(app)).toEqual(first);

    const other = path.join(app.directory, 'other.js');
    writeFileSync(other, `require(${JSON.stringify(fixture('supervised_app.js'))})(2);`);
    const change = { exec: other, args: ['two'], execArgv: ['--no-warnings'], env: (place: number) => ({ COLOUR: `blue ${place}` }) };
    expect(await app.supervisor.reload(change)).toMatchObject({ command: 'reload', outcome: 'done' });
    const second = [[['two'], '0', 'blue 1', ['--no-warnings']], [['two'], '1', 'blue 2', ['--no-warnings']]];
    expect(await started(app)).toEqual(second);

    const bad = path.join(app.directory, 'bad.js');
    writeFileSync(bad, 'throw new Error("bad")');
    await expect(app.supervisor.reload({ exec: bad, args: ['three'], env: {} })).rejects.toMatchObject({ code: 'ERR_RELOAD_ABORTED' });
    await expect(app.supervisor.reload({ env: () => { throw new Error('no colour'); } })).rejects.toMatchObject({ message: expect.stringMatching(/could not be started: Error: no colour/) });
    const before = pidAt(app, 1) as number;
    process.kill(before, 'SIGKILL');
    await app.until(() => app.supervisor.status().ready === 2 && pidAt(app, 1) !== before, 'the replacement');
    expect(await started(app), 'after a reload that failed, a restart has the release that serves').toEqual(second);

    expect(await app.supervisor.rollback()).toMatchObject({ command: 'rollback', outcome: 'done' });
    expect(await started(app)).toEqual(first);
    const [one, two] = [pidAt(app, 1), pidAt(app, 2)];
    expect(await app.supervisor.recycle(1)).toMatchObject({ command: 'recycle', outcome: 'done' });
    expect([pidAt(app, 1) === one, pidAt(app, 2) === two]).toEqual([false, true]);
    expect(await started(app), 'the successor has the place of its predecessor').toEqual(first);

    await app.until(() => app.supervisor.status().workers.every(({ requests }) => requests !== null && requests > 0), 'figures of both workers', 50);
    const { workers, restarts, reloads, generation, earlier, args, stopping } = app.supervisor.status();
    expect([restarts, reloads, generation, earlier?.args, args, stopping]).toEqual([1, 2, 1, ['two'], ['one'], false]);
    for (const { rss, cpu, eventLoopDelayMs, connections, uptimeMs, readyAt } of workers) {
      expect(rss).toBeGreaterThan(10e6);
      expect([cpu, eventLoopDelayMs, connections].every((figure) => typeof figure === 'number' && figure >= 0), JSON.stringify(workers)).toBe(true);
      expect([uptimeMs !== null && uptimeMs > 0, Math.abs(Date.now() - Number(readyAt)) < 60_000]).toEqual([true, true]);
    }

    const starts = app.transitions.filter(({ state }) => state.is === 'starting').length;
    await get(app.port, '/exit?code=17');
    await app.until(() => app.giveups.length > 0, 'the end of one place');
    expect(app.giveups).toMatchObject([{ what: 'place', retryAt: null, reason: expect.stringMatching(/exited with 17, which is one of stopExitCodes$/) }]);
    expect(app.transitions.filter(({ state }) => state.is === 'starting')).toHaveLength(starts);
    expect(await app.supervisor.scale(2)).toMatchObject({ outcome: 'done' });
    await app.supervisor[Symbol.asyncDispose]();
    expect(app.supervisor.status()).toMatchObject({ desired: 0, workers: [] });
  });
});

describe('env as a function that fails', () => {
  test.each<[string, () => unknown, RegExp]>([
    ['throws', () => { throw new Error('no colour'); }, /^Error: no colour\n/],
    ['returns a promise', async () => Promise.reject(new Error('late')), /ERR_INVALID_RETURN_VALUE.* function for place 1 but got an instance of Promise/],
  ])('%s: giveup has the error, and a reload with other variables serves', async (_name, env, error) => {
    await withApp({ workers: 1, restarts: { max: 2, minDelayMs: 1, maxDelayMs: 1 }, env: env as never }, 'serve', async (app) => {
      await expect(app.supervisor.started).rejects.toMatchObject({ code: 'ERR_GIVEN_UP' });
      await app.until(() => app.giveups.length > 0, 'the event');
      expect(app.giveups[0]).toMatchObject({ stderr: expect.stringMatching(error), exits: [] });
      expect(await app.supervisor.reload({ env: { COLOUR: 'red' } })).toMatchObject({ outcome: 'done' });
      expect(await started(app, 1)).toEqual([[[], '0', 'red', []]]);
    });
  });
});

test('wrong arguments reject; a command that fails and is not awaited does not end the process', async () => {
  const codeOf = (promise: Promise<unknown>): Promise<unknown> => promise.then(() => 'done', (error: { code: string }) => error.code);
  await withApp({ workers: 1, restarts: { max: 1, minDelayMs: 1 } }, 'serve', async (app) => {
    const { supervisor, script } = app;
    await supervisor.started;
    const wrong: unknown[] = [{ exec: 1 }, { exec: '' }, { args: 'x' }, { args: [1] }, { env: 'A=1' }, { cwd: 'a\0b' }, { execs: 'x' }, 1];
    expect(await Promise.all(wrong.map((change) => codeOf(supervisor.reload(change as never))))).toEqual([
      'ERR_INVALID_ARG_TYPE', 'ERR_INVALID_ARG_VALUE', 'ERR_INVALID_ARG_TYPE', 'ERR_INVALID_ARG_TYPE', 'ERR_INVALID_ARG_TYPE', 'ERR_INVALID_ARG_VALUE', 'ERR_INVALID_ARG_VALUE', 'ERR_INVALID_ARG_TYPE',
    ]);
    expect(await Promise.all([0, 2, 1.5, '1', null].map((place) => codeOf(supervisor.recycle(place as never))))).toEqual([
      'ERR_OUT_OF_RANGE', 'ERR_OUT_OF_RANGE', 'ERR_OUT_OF_RANGE', 'ERR_INVALID_ARG_TYPE', 'ERR_INVALID_ARG_TYPE',
    ]);
    renameSync(script, `${script}.gone`);
    void supervisor.reload();
    void supervisor.rollback();
    void supervisor.scale(2); // Its worker finds no script.
    expect([await codeOf(supervisor.reload()), await codeOf(supervisor.rollback())]).toEqual(['ERR_RELOAD_ABORTED', 'ERR_NO_EARLIER_RELEASE']);
    await app.until(() => app.giveups.length > 0, 'the end of the second place');
    expect(supervisor.status()).toMatchObject({ ready: 1, generation: 1 });
  });
});
