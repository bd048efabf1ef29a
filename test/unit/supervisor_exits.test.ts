/** Slots that end: a worker that exits with a code of stopExitCodes, a worker that cannot be started. Without processes. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { FleetOptions } from '../../internal/supervisor/convergence';
import { GiveUpReports } from '../../internal/supervisor/give_up_reports';
import { checkOptions } from '../../internal/supervisor/options';
import { thrownBy } from '../support/children';
import { outcome, running as runningWorld, World } from '../support/fleet_world';

const exit = (code: number): { code: number; signal: null } => ({ code, signal: null });

const running = (count: number, options: Partial<FleetOptions> = {}): World => runningWorld(count, { stopExitCodes: [0, 17], ...options });

test('a code of stopExitCodes: the slot is given up at once, for good, without a restart; another code is a death as ever', () => {
  const world = running(3);
  world.members[0]?.die(exit(17));
  world.members[1]?.die(exit(1));
  world.clock.pass(10_000_000);
  expect(world.giveups).toEqual([{ at: 10, slot: 1, what: 'place', reason: 'place 1 is given up: worker 1 exited with 17, which is one of stopExitCodes' }]);
  expect(world.serving.map(({ slot }) => slot)).toEqual([3, 2]);
  expect([world.starts.length, world.exhausted, world.clock.waiting, world.fleet.restarted]).toEqual([4, 0, 0, 1]);
  expect(world.fleet.vacancy(world.fleet.slots.all[0] as never)).toMatchObject({ is: 'given up', retryAt: null, exits: [exit(17)] });
});

test('all workers end so: exhausted, as done; if one was given up for another reason, not as done', () => {
  for (const last of [0, 1]) {
    const world = running(2);
    world.nature = () => ({ does: 'die', after: 5 });
    world.members[0]?.die(exit(0));
    world.members[1]?.die(exit(last));
    world.clock.pass(100_000);
    expect([world.exhausted, world.isDone, world.alive, world.clock.waiting]).toEqual([1, last === 0, [], 0]);
  }
});

test.each(['scale', 'reload', 'recycle'] as const)('%s starts it again', async (command) => {
  const world = running(2);
  world.members[0]?.die(exit(17));
  const { fleet } = world;
  const done = { scale: () => fleet.scale(2), reload: () => fleet.reload(), recycle: () => fleet.recycle(1) }[command]();
  world.clock.pass(10_000);
  expect([await outcome(done), world.serving.map(({ slot }) => slot).sort(), fleet.slots.all[0]?.isDone]).toEqual(['done', [1, 2], false]);
});

test('of a worker that starts: the command rejects; of a canary: the reload is aborted; of a successor: a failure like any other', async () => {
  const starting = new World({ stopExitCodes: [17] });
  const started = starting.fleet.scale(1, 'start');
  starting.members[0]?.die(exit(17));
  expect(await outcome(started)).toBe('ERR_GIVEN_UP');

  const world = running(2);
  const reload = world.fleet.reload();
  world.members[2]?.die(exit(17));
  expect([await outcome(reload), world.serving.length, world.giveups]).toEqual(['ERR_RELOAD_ABORTED', 2, []]);
  const recycled = world.fleet.recycle(1);
  world.members[3]?.die(exit(17));
  world.clock.pass(1_000);
  expect([await outcome(recycled), world.serving.map(({ slot }) => slot)]).toEqual(['done', [2, 1]]);
});

test('while a reload rolls: the reload is aborted, since the place will never be served', async () => {
  const world = running(3);
  const reload = world.fleet.reload();
  world.clock.pass(2_015);
  expect(world.fleet.rollout.is).toBe('rolling');
  world.members[2]?.die(exit(17));
  world.clock.pass(10_000);
  expect([await outcome(reload), world.fleet.rollout.is, world.clock.waiting]).toEqual(['ERR_RELOAD_ABORTED', 'idle', 0]);
});

test("onGiveUp: 'stop': all stop", () => {
  const world = running(3, { onGiveUp: 'stop' });
  world.members[0]?.die(exit(17));
  world.clock.pass(100);
  expect([world.alive, world.stops]).toEqual([[], [0]]);
});

test('a worker that was told to leave may exit with it', () => {
  const world = running(2);
  void world.fleet.scale(1);
  world.clock.pass(100);
  expect([world.serving.length, world.giveups]).toEqual([1, []]);
});

test('the option is checked', () => {
  expect([checkOptions({}).stopExitCodes, checkOptions({ stopExitCodes: [0, 255] }).stopExitCodes]).toEqual([[], [0, 255]]);
  const code = (stopExitCodes: unknown): unknown => thrownBy(() => checkOptions({ stopExitCodes } as never)).code;
  expect([1, '0', {}, [null], ['0']].map(code)).toEqual(Array(5).fill('ERR_INVALID_ARG_TYPE'));
  expect([[256], [-1], [0.5], [NaN]].map(code)).toEqual(Array(4).fill('ERR_OUT_OF_RANGE'));
});

const warnings: string[] = [];
const warned = ({ code, message }: Error & { code?: string }): void => void (code === 'CLUSTER_INTERNALS_START' && warnings.push(message));
beforeEach(() => { process.on('warning', warned); });
afterEach(() => {
  process.off('warning', warned);
  warnings.length = 0;
});

test('a start that fails: one warning until one succeeds; giveup has the error, also where it has no text', async () => {
  const reports = new GiveUpReports();
  const { fleet } = running(1);
  const [slot] = fleet.slots.all;
  for (const error of [new TypeError('no variables'), new TypeError('no variables')]) reports.notStarted(1, error);
  expect((await reports.report(slot as never, 'place', 'x')).stderr).toMatch(/^TypeError: no variables\n +at /);
  expect(reports.lastOutput(1)).toMatch(/^TypeError/);
  reports.started(1);
  expect(reports.lastOutput(1)).toBe('');
  reports.notStarted(1, { get stack() { throw new Error('no'); } });
  await new Promise((resolve) => { setImmediate(resolve); });
  expect(warnings).toEqual(['No worker could be started in place 1: TypeError: no variables', 'No worker could be started in place 1: an error that has no text']);
  expect((await reports.report(slot as never, 'recycling', 'x')).stderr).toBe('');
});
