/** Releases of a fleet without processes: what a reload changes and keeps, rollback and recycle, in every order with other commands. */
import { describe, expect, test } from 'vitest';
import type { Report } from '../../internal/supervisor/states';
import { contradicts, isSameRelease, variablesOf } from '../../internal/supervisor/recipe';
import { thrownBy } from '../support/children';
import { dead, outcome, running, serve, World } from '../support/fleet_world';

/** The outcomes or the codes of promises. */
const outcomes = (...promises: Promise<Report>[]): Promise<string[]> => Promise.all(promises.map((promise) => outcome(promise)));

/** The scripts of the workers that serve, by place. */
const scripts = (world: World): string[] => [...world.serving].sort((one, other) => one.slot - other.slot).map(({ generation }) => generation.exec);
const stable = ({ fleet: { rollout: { stable: { number, exec, args } } } }: World): unknown[] => [number, exec, ...args];

describe('a reload with changes', () => {
  test('they hold for later restarts and reloads; each replaces what was there as a whole', async () => {
    const world = running(2);
    const one = world.fleet.reload({ args: ['--fast'], env: { A: '1', B: '1' } });
    world.clock.pass(5_000);
    const two = world.fleet.reload({ env: { B: '2' } });
    world.clock.pass(5_000);
    world.members.at(-1)?.die(dead);
    world.clock.pass(1_000);
    expect(await outcomes(one, two)).toEqual(['done', 'done']);
    expect(world.serving.map(({ generation: { args, env } }) => [args, env])).toEqual(Array(2).fill([['--fast'], { B: '2' }]));
  });

  test('the canary fails: nothing of the changes is kept, for restarts, reloads, scale and a new start', async () => {
    const world = running(2);
    world.nature = (exec) => (exec === '/bad' ? { does: 'die', after: 5 } : serve());
    const bad = world.fleet.reload({ exec: '/bad', args: ['x'] });
    world.clock.pass(100);
    expect(await outcome(bad)).toBe('ERR_RELOAD_ABORTED');
    expect([stable(world), world.fleet.rollout.earlier]).toEqual([[1, '/app/1'], null]);
    world.members[0]?.die(dead);
    void world.fleet.scale(3);
    world.clock.pass(100);
    expect(scripts(world)).toEqual(['/app/1', '/app/1', '/app/1']);
    const good = world.fleet.reload();
    world.clock.pass(5_000);
    expect([await outcome(good), scripts(world), world.serving[0]?.generation.args]).toEqual(['done', Array(3).fill('/app/1'), []]);
    void world.fleet.stop();
    void world.fleet.scale(1);
    world.clock.pass(100);
    expect(scripts(world)).toEqual(['/app/1']);
  });

  test('behind a running reload: changes that agree are one reload; of those that contradict each other the latest holds', async () => {
    const world = running(2);
    const first = world.fleet.reload({ exec: '/a' });
    const agreeing = [world.fleet.reload({ args: ['1'] }), world.fleet.reload(), world.fleet.reload({ args: ['1'], cwd: '/x' })];
    const last = world.fleet.reload({ args: ['2'] });
    world.clock.pass(20_000);
    expect(await outcomes(first, ...agreeing, last)).toEqual(['done', 'superseded', 'superseded', 'superseded', 'done']);
    expect(world.serving.map(({ generation: { exec, cwd, args } }) => [exec, cwd, args])).toEqual(Array(2).fill(['/a', '/x', ['2']]));
  });

  test('behind a reload that fails: the waiting one starts from the release that serves', async () => {
    const world = running(1);
    world.nature = (exec) => (exec === '/bad' ? { does: 'die', after: 5 } : serve());
    const all = [world.fleet.reload({ exec: '/bad' }), world.fleet.reload({ args: ['2'] })];
    world.clock.pass(10_000);
    expect(await outcomes(...all)).toEqual(['ERR_RELOAD_ABORTED', 'done']);
    expect(stable(world)).toEqual([3, '/app/1', '2']);
  });
});

describe('rollback', () => {
  test('goes to the generation before, and back, and forth, each with a canary', async () => {
    const world = running(2);
    const all = [world.fleet.reload({ exec: '/2', args: ['two'] })];
    world.clock.pass(5_000);
    for (const expected of [[1, '/app/1'], [2, '/2', 'two'], [1, '/app/1']]) {
      const starts = world.starts.length;
      all.push(world.fleet.rollback());
      world.clock.pass(1_000);
      expect(world.starts.length - starts, 'the canary alone').toBe(1);
      world.clock.pass(5_000);
      expect([stable(world), scripts(world)]).toEqual([expected, Array(2).fill(expected[1])]);
    }
    expect(await outcomes(...all)).toEqual(Array(4).fill('done'));
    expect(world.fleet.rollout.completed).toBe(4);
  });

  test('without another release before: rejected, and nothing changes; reloads of the same release are no other one', async () => {
    const world = running(2);
    const refused = [world.fleet.rollback()];
    refused.push(new World().fleet.rollback());
    const same = world.fleet.reload();
    refused.push(world.fleet.rollback(), world.fleet.rollback());
    world.clock.pass(10_000);
    refused.push(world.fleet.rollback());
    const [code, unstarted, ...rest] = await outcomes(...refused);
    expect([code, unstarted, rest]).toEqual(['ERR_NO_EARLIER_RELEASE', 'ERR_NO_EARLIER_RELEASE', ['done', 'done', 'ERR_NO_EARLIER_RELEASE']]);
    expect([await outcome(same), world.serving.length, world.clock.waiting]).toEqual(['superseded', 2, 0]);
  });

  test('the rollback does not work (its canary dies, its script was deleted): the release that serves goes on', async () => {
    const world = running(2);
    void world.fleet.reload({ exec: '/2' });
    world.clock.pass(5_000);
    world.nature = (exec) => (exec === '/app/1' ? { does: 'die', after: 5 } : serve());
    const dies = world.fleet.rollback();
    world.clock.pass(5_000);
    world.deleted.add('/app/1');
    const gone = world.fleet.rollback();
    await expect(gone).rejects.toMatchObject({ code: 'ERR_RELOAD_ABORTED', message: 'there is no script /app/1' });
    expect([await outcome(dies), stable(world), scripts(world)]).toEqual(['ERR_RELOAD_ABORTED', [2, '/2'], ['/2', '/2']]);
    expect(world.fleet.rollout.earlier?.exec).toBe('/app/1');
  });

  test('while the canary of a reload is on trial: the canary leaves, and the old workers serve on, untouched', async () => {
    const world = running(2);
    const reload = world.fleet.reload({ exec: '/2' });
    world.clock.pass(500);
    const rollback = world.fleet.rollback();
    expect(world.staying.map(({ id }) => id)).toEqual([1, 2]);
    expect(await outcome(rollback), 'the canary has not left yet').toBe('pending');
    world.clock.pass(100);
    expect(await outcomes(reload, rollback)).toEqual(['superseded', 'done']);
    expect([world.starts.length, stable(world), world.clock.waiting]).toEqual([3, [1, '/app/1'], 0]);
    expect(world.reloads).toEqual(['started', 'superseded', 'started', 'rolling', 'done']);
  });

  test('while a reload rolls: only workers of the new release are replaced, at once, and never fewer serve than desired', async () => {
    const world = running(4, { minReadyMs: 100 });
    const [reload, waiting] = [world.fleet.reload({ exec: '/2' }), world.fleet.reload({ args: ['3'] })];
    world.clock.pass(2_010 + 250);
    expect(scripts(world)).toContain('/2');
    expect(scripts(world).filter((exec) => exec === '/app/1').length).toBeGreaterThan(0);
    let least = Infinity;
    world.check = () => { least = Math.min(least, world.serving.length); };
    const rollback = world.fleet.rollback();
    const again = world.fleet.rollback();
    expect(again, 'a rollback that is asked for twice is one').toBe(rollback);
    world.clock.pass(1_500);
    expect(await outcomes(reload, waiting, rollback)).toEqual(['superseded', 'superseded', 'done']);
    expect([scripts(world), least, stable(world)]).toEqual([Array(4).fill('/app/1'), 4, [1, '/app/1']]);
    expect(world.serving.filter(({ id }) => id <= 4).length, 'some of the first workers serve still').toBeGreaterThan(0);
  });

  test('a reload that waits behind a rollback is forgotten when a rollback is asked for again', async () => {
    const world = running(1);
    void world.fleet.reload({ exec: '/2' });
    world.clock.pass(5_000);
    const [rollback, reload] = [world.fleet.rollback(), world.fleet.reload({ exec: '/3' })];
    void world.fleet.rollback();
    world.clock.pass(10_000);
    expect([await outcomes(rollback, reload), scripts(world)]).toEqual([['done', 'superseded'], ['/app/1']]);
  });

  test('stop ends it; without workers it is done at once; the release stays after a stop, until the next reload', async () => {
    const world = running(1);
    world.exec = '/app/2';
    void world.fleet.reload();
    world.clock.pass(5_000);
    const [rollback, stopped] = [world.fleet.rollback(), world.fleet.stop()];
    world.clock.pass(100);
    expect([await outcomes(rollback, stopped), stable(world)]).toEqual([['superseded', 'done'], [2, '/app/2']]);
    expect([await outcome(world.fleet.rollback()), stable(world), world.alive]).toEqual(['done', [1, '/app/1'], []]);
    void world.fleet.scale(1);
    world.clock.pass(100);
    expect(scripts(world), 'not the release as of now, which was rolled back').toEqual(['/app/1']);
    world.deleted.add('/app/1');
    void world.fleet.stop();
    world.clock.pass(100);
    expect(() => world.fleet.scale(1)).toThrow('there is no script /app/1');
    const reload = world.fleet.reload();
    world.clock.pass(5_000);
    void world.fleet.scale(1);
    world.clock.pass(5_000);
    expect([await outcome(reload), scripts(world)]).toEqual(['done', ['/app/2']]);
  });

  test('nobody but the canary serves: it stays until it is replaced', async () => {
    const world = running(1);
    world.nature = (exec) => (exec === '/2' ? serve() : { does: 'die', after: 5 });
    world.members[0]?.die(dead);
    world.clock.pass(100_000);
    expect(world.serving).toHaveLength(0);
    void world.fleet.reload({ exec: '/2' });
    world.clock.pass(500);
    expect(scripts(world)).toEqual(['/2']);
    world.nature = () => serve();
    const rollback = world.fleet.rollback();
    world.clock.pass(5);
    expect(scripts(world)).toEqual(['/2']);
    world.clock.pass(5_000);
    expect([await outcome(rollback), scripts(world)]).toEqual(['done', ['/app/1']]);
  });
});

describe('recycle', () => {
  test('replaces one worker, or all, one after another, uncharged, and never fewer serve than desired', async () => {
    const world = running(3, { restarts: { max: 1, maxAll: 1, retryAfterMs: 60_000, withinMs: 60_000, healthyMs: 5_000, minDelayMs: 100, maxDelayMs: 10_000, jitter: 0 } });
    let least = Infinity;
    let most = 0;
    world.check = () => {
      least = Math.min(least, world.serving.length);
      most = Math.max(most, world.staying.length);
    };
    const one = world.fleet.recycle(2);
    world.clock.pass(70);
    expect(world.serving.map(({ id }) => id)).toEqual([1, 3, 4]);
    const all = [world.fleet.recycle(null), world.fleet.recycle(null)];
    world.clock.pass(200);
    expect(await outcomes(one, ...all)).toEqual(['done', 'done', 'done']);
    expect(world.serving.map(({ id, generation }) => [id, generation.number])).toEqual([[5, 1], [6, 1], [7, 1]]);
    expect([least, most, world.fleet.restarted, world.giveups, world.clock.waiting]).toEqual([3, 4, 0, [], 0]);
  });

  test('the successor does not become ready: rejected, the old worker serves on, and no later try follows', async () => {
    const world = running(1);
    world.nature = () => ({ does: 'die', after: 5 });
    const recycled = world.fleet.recycle(1);
    world.clock.pass(100_000);
    await expect(recycled).rejects.toMatchObject({ code: 'ERR_GIVEN_UP', message: expect.stringMatching(/^worker 1 is to be recycled, and is not replaced: it would take more than 10 restarts/) });
    const starts = world.starts.length;
    world.clock.pass(10_000_000);
    expect([world.starts.length, world.serving.map(({ id }) => id), world.clock.waiting]).toEqual([starts, [1], 0]);
    expect(world.giveups).toMatchObject([{ what: 'recycling' }]);
  });

  test.each<[string, (world: World) => unknown, string]>([
    ['the worker dies', (world) => world.members[0]?.die(dead), 'done'],
    ['its place is removed', (world) => world.fleet.scale(1), 'done'],
    ['stop', (world) => world.fleet.stop(), 'superseded'],
    ['a reload', (world) => world.fleet.reload({ exec: '/2' }), 'done'],
    ['a reload and a rollback', (world) => [world.fleet.reload({ exec: '/2' }), world.fleet.rollback()], 'done'],
  ])('and meanwhile: %s', async (_name, meanwhile, expected) => {
    const world = running(2);
    world.nature = () => serve(100);
    const recycled = [world.fleet.recycle(2), world.fleet.recycle(null)];
    world.clock.pass(5);
    meanwhile(world);
    world.clock.pass(10_000);
    expect(await outcomes(...recycled)).toEqual([expected, expected]);
    expect([world.serving.length, world.clock.waiting]).toEqual([world.fleet.desired, 0]);
  });

  test('a place that was given up is tried again; without workers it is done at once', async () => {
    const world = running(2);
    world.nature = () => ({ does: 'die', after: 5 });
    world.members[1]?.die(dead);
    world.clock.pass(50_000);
    expect([world.giveups.length, world.fleet.slots.all[1]?.restarts, world.fleet.restarted]).toEqual([1, 10, 10]);
    world.nature = () => serve();
    const recycled = world.fleet.recycle(2);
    world.clock.pass(100);
    expect([await outcome(recycled), world.serving.length]).toEqual(['done', 2]);
    expect(await outcome(new World().fleet.recycle(null))).toBe('done');
  });
});

test('the same release: paths, arguments, flags and variables are compared by what is in them, functions by identity', () => {
  const { stable: release } = running(1).fleet.rollout;
  const env = (): NodeJS.ProcessEnv => ({});
  expect([{}, { args: [] }, { env: {} }].map((more) => isSameRelease(release, { ...release, ...more }))).toEqual([true, true, true]);
  expect([{ exec: 'x' }, { cwd: '' }, { args: ['1'] }, { execArgv: ['-r'] }, { env: { A: '1' } }, { env }].map((more) => isSameRelease(release, { ...release, ...more }))).toEqual(Array(6).fill(false));
  expect(isSameRelease({ ...release, env }, { ...release, env })).toBe(true);
  expect([contradicts({ exec: 'a' }, { args: [] }), contradicts({ env: { A: '1' } }, { env: { A: '1' } }), contradicts({ env: { A: '1' } }, { env: { A: '1', B: '1' } })]).toEqual([false, false, true]);
});

test('env as a function: it must return an object', () => {
  expect(variablesOf((place) => ({ PORT: String(8000 + place) }), 3)).toEqual({ PORT: '8003' });
  for (const nonsense of [undefined, null, 1, 'A=1', ['A=1'], Promise.reject(new Error('lost'))]) {
    expect(thrownBy(() => variablesOf((() => nonsense) as never, 2))).toMatchObject({ code: 'ERR_INVALID_RETURN_VALUE', message: expect.stringMatching(/for place 2 but got/) });
  }
});
