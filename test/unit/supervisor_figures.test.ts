/** What a worker reports about itself (memory, CPU time, delay of its event loop), how that is checked, and how it knows its place. */
import { expect, test } from 'vitest';
import { Health } from '../../internal/supervisor/health';
import { checkOptions } from '../../internal/supervisor/options';
import type { Generation } from '../../internal/supervisor/states';
import { readAgentMessage, SUPERVISOR, type Pong } from '../../internal/supervisor/wire';
import { settingsOf } from '../../internal/supervisor/worker_settings';
import { Usage } from '../../internal/supervisor/worker/usage';
import { TestClock } from '../support/fleet_world';

const pong: Pong = { act: 'pong', seq: 1, inspected: false, connections: 2, requests: 3, rss: 4, cpu: 0.5, eventLoopDelayMs: 6 };

test('a pong is taken only if each figure is an amount', () => {
  const read = (more: object): unknown => readAgentMessage({ cmd: SUPERVISOR, ...pong, ...more });
  expect(read({})).toMatchObject(pong);
  for (const name of ['seq', 'connections', 'requests', 'rss', 'cpu', 'eventLoopDelayMs']) {
    for (const value of [undefined, null, '1', -1, NaN, Infinity, {}]) expect([name, value, read({ [name]: value })]).toEqual([name, value, null]);
  }
  for (const inspected of [undefined, 0, 'false']) expect(read({ inspected })).toBeNull();
});

test('the figures are those of the last answer; an answer to another ping, or one that nobody asked for, changes nothing', () => {
  const clock = new TestClock();
  const health = new Health(checkOptions({ pingMs: 100, pingTimeoutMs: 500 }), {
    clock, random: () => 0.5, ping: () => undefined, tooOld: () => undefined, isDebugged: () => undefined, silent: () => undefined,
  });
  health.start(false);
  health.pong(pong);
  expect(health.figures, 'no ping was sent').toBeNull();
  clock.pass(100);
  health.pong({ ...pong, seq: 2 });
  expect(health.figures).toBeNull();
  health.pong(pong);
  const { connections, requests, rss, cpu, eventLoopDelayMs } = pong;
  expect(health.figures).toEqual({ connections, requests, rss, cpu, eventLoopDelayMs });
  health.pong({ ...pong, requests: 99 });
  expect(health.figures?.requests, 'a second answer to one ping').toBe(3);
});

/** Uses this much CPU time, and blocks the event loop meanwhile. Returns how long it took. */
function burn(ms: number): number {
  const [from, before] = [performance.now(), process.cpuUsage()];
  for (let used = 0; used < ms;) {
    const { user, system } = process.cpuUsage(before);
    used = (user + system) / 1000;
  }
  return performance.now() - from;
}
const turns = (ms: number): Promise<void> => new Promise((resolve) => { setTimeout(resolve, ms); });

test('usage: memory, the CPU time since the last look as a share of the time, and the longest delay of the event loop since then', async () => {
  const usage = new Usage();
  // The time between two looks is within these bounds: another program may run between a look and a clock.
  let [before, after] = [0, 0];
  const look = (): { figures: ReturnType<Usage['read']>; least: number; most: number } => {
    const [least, earlier] = [performance.now() - after, before];
    before = performance.now();
    const figures = usage.read();
    after = performance.now();
    return { figures, least, most: after - earlier };
  };
  expect(look().figures.eventLoopDelayMs, 'nothing was measured yet').toBe(0);
  await turns(250); // Two samples.
  const tookMs = burn(400);
  await turns(150);
  const first = look();
  const busy = first.figures;
  expect(busy.rss).toBeGreaterThan(10e6);
  expect(busy.cpu * first.most).toBeGreaterThan(390);
  expect(busy.cpu * first.least).toBeLessThan(400 + 250);
  // The block began at some moment between two samples, so up to one interval of it is not seen.
  expect(busy.eventLoopDelayMs).toBeGreaterThan(tookMs - 110);
  await turns(250);
  const second = look();
  const idle = second.figures;
  expect(idle.cpu * second.least, 'the time before the last look does not count again').toBeLessThan(200);
  expect(idle.eventLoopDelayMs, 'nor does the delay').toBeLessThan(busy.eventLoopDelayMs);
  burn(200);
  const third = look();
  expect(third.figures.cpu * third.most, 'nor does the time that has passed').toBeGreaterThan(190);
});

test('NODE_APP_INSTANCE is the place, from 0; the variables of the program win, and no variable of the program hides the agent\'s', () => {
  const options = checkOptions({});
  const generation = (env: Generation['env']): Generation => ({ exec: '/app.js', cwd: '/', args: [], execArgv: [], env, number: 1 } as unknown as Generation);
  const instance = (env: Generation['env'], place: number): unknown => settingsOf(generation(env), place, false, options).env?.['NODE_APP_INSTANCE'];
  expect([instance({}, 1), instance({}, 3), instance(() => ({}), 2)]).toEqual(['0', '2', '1']);
  expect([instance({ NODE_APP_INSTANCE: 'own' }, 1), instance((place) => ({ NODE_APP_INSTANCE: `own ${place}` }), 2)]).toEqual(['own', 'own 2']);
  expect(settingsOf(generation({ CLUSTER_INTERNALS_SUPERVISED: 'x' }), 1, true, options).env?.['CLUSTER_INTERNALS_SUPERVISED']).toMatch(/^\{"trial":true,/);
});
