/** What a primary starts its workers with. Where it matters, stock Node is asked what it does. */
import { EventEmitter } from 'node:events';
import { beforeAll, describe, expect, test } from 'vitest';
import { installPrimary, type PrimaryCluster } from '../../internal/master/index';
import { InspectPorts, checkPolicy, mergeSettings, ownSettings, type ClusterSettings } from '../../internal/master/settings';
import { cleanEnvironment, fixture, thrownBy } from '../support/children';
import { run, type ProgramOptions } from '../support/program';

const file = fixture('unit-settings.js');

/** What a program of unit-settings.js prints with Node's cluster, and with ours. */
async function bothPrint(program: string, options: ProgramOptions = {}): Promise<{ stock: unknown; ours: unknown }> {
  const env = cleanEnvironment(options.env);
  const [stock, ours] = await Promise.all([run(file, { ...options, env, args: [program] }), run(file, { ...options, env, args: [program, 'ours'] })]);
  expect([stock.code, ours.code], `${stock.stderr}${ours.stderr}`).toEqual([0, 0]);
  return { stock: JSON.parse(stock.stdout), ours: JSON.parse(strip(ours.stdout)) };
}

/** The program's own argument is no difference. */
const strip = (text: string): string => text.replaceAll(',"ours"]', ']').replaceAll('"args":["merge","ours"]', '"args":["merge"]');

test('C-20 to C-24: settings accumulate over calls of setupPrimary as they do in stock Node', async () => {
  const { stock, ours } = await bothPrint('merge', { execArgv: ['--no-warnings'] });
  const { states, emitted } = stock as { states: unknown[][]; emitted: unknown[] };
  expect(states.length).toBe(16);
  expect(emitted.length).toBeGreaterThan(10);
  expect(ours).toEqual(stock);
});

test('C-13: the policy is looked at by the first call of setupPrimary and by no later one', async () => {
  const { stock, ours } = await bothPrint('policies');
  const [initial, first, ...later] = ours as [name: string, result?: { code: string; message: string }][];
  expect(initial).toEqual((stock as unknown[])[0]);
  expect(first?.[1]?.code).toBe('ERR_INTERNAL_ASSERTION');
  expect(first?.[1]?.message).toContain('Bad cluster.schedulingPolicy: 0');
  expect(later.slice(-2)).toEqual((stock as unknown[]).slice(-2)); // a good one, and one that comes too late
});

test.each([['rr'], ['none'], ['RR'], ['None'], [''], ['nonsense'], ['1'], ['2'], [undefined]])('C-12: NODE_CLUSTER_SCHED_POLICY %j', async (policy) => {
  const { stock, ours } = await bothPrint('initialPolicy', { env: { NODE_CLUSTER_SCHED_POLICY: policy } });
  expect([1, 2]).toContain(stock);
  expect(ours).toBe(stock);
});

describe('C-32: inspector ports, as stock Node gives them', () => {
  type Step = [name: string, started: unknown];
  let stock: Step[];
  let ours: Step[];
  beforeAll(async () => {
    const printed = await bothPrint('inspect');
    stock = printed.stock as Step[];
    ours = printed.ours as Step[];
  });
  const refused = ([, started]: Step): boolean => !Array.isArray(started);
  const odd = ([name]: Step): boolean => name === '--inspect-publish-uid=stderr';

  test('each flag that asks for an inspector, numbers, functions, the count, its wrap at 65535, NODE_OPTIONS', () => {
    const expected = stock.filter((step) => !refused(step) && !odd(step));
    expect(expected.length).toBeGreaterThan(24);
    expect(ours.filter(([name]) => expected.some(([other]) => other === name))).toEqual(expected);
  });

  /** Name and one field of each error that fork threw where stock Node's did. */
  const errors = (steps: Step[], field: 'code' | 'message'): unknown[] => steps.filter(([name]) => stock.some((other) => other[0] === name && refused(other)))
    .map(([name, started]) => [name, (started as Record<string, unknown>)[field]]);

  test('bad ports are refused from fork', () => {
    expect(stock.filter(refused).length).toBe(17);
    expect(errors(ours, 'code')).toEqual(errors(stock, 'code'));
  });

  test('bad ports are refused in the words of Node', () => {
    const both = errors(ours, 'message').filter((one) => (one as unknown[])[1] !== undefined);
    const names = both.map((one) => (one as unknown[])[0]);
    expect(both).toEqual(errors(stock, 'message').filter((one) => names.includes((one as unknown[])[0])));
  });

  test('any argument that begins with --inspect counts', () => {
    expect(ours.filter(odd).map(([, started]) => (started as string[]).length)).toEqual(stock.filter(odd).map(([, started]) => (started as string[]).length));
  });
});

test('C-30, C-31, C-33: what a worker starts with, and what fork returns', async () => {
  const { stock, ours } = await bothPrint('fork');
  expect((stock as unknown[]).length).toBe(3);
  expect(ours).toEqual(stock);
});

describe('as functions', () => {
  test('C-20: a new object each time; the later ones win, shallowly', () => {
    const current = { exec: 'a.js', mine: { a: 1 } };
    const merged = mergeSettings(current as never, { mine: { b: 2 }, silent: true } as never);
    expect(merged).not.toBe(current);
    expect(merged).toEqual({ args: process.argv.slice(2), exec: 'a.js', execArgv: process.execArgv, silent: true, mine: { b: 2 } });
    expect(merged.execArgv).toBe(process.execArgv);
    expect(current).toEqual({ exec: 'a.js', mine: { a: 1 } });
  });

  test('C-22: --logfile is added to a copy', () => {
    const flags = ['--prof'];
    expect(mergeSettings({}, { execArgv: flags }).execArgv).toEqual(['--prof', '--logfile=v8-%p.log']);
    expect(flags).toEqual(['--prof']);
  });

  test('C-13: 1 and 2 are policies, nothing else is', () => {
    for (const policy of [1, 2]) expect(() => checkPolicy(policy)).not.toThrow();
    expect(thrownBy(() => checkPolicy('2')).code).toBe('ERR_INTERNAL_ASSERTION');
  });

  test('C-32: two primaries of one process count apart; a port given does not count', () => {
    const [one, other] = [new InspectPorts(), new InspectPorts()];
    const execArgv = ['--inspect'];
    expect(one.flagsFor({ execArgv })).toEqual(['--inspect', `--inspect-port=${process.debugPort + 1}`]);
    expect(one.flagsFor({ execArgv, inspectPort: 5 })).toEqual(['--inspect', '--inspect-port=5']);
    expect(one.flagsFor({ execArgv })).toEqual(['--inspect', `--inspect-port=${process.debugPort + 2}`]);
    expect(other.flagsFor({ execArgv })).toEqual(['--inspect', `--inspect-port=${process.debugPort + 1}`]);
  });
});

test('a misspelled dialect is refused with the valid ones, at setupPrimary and not at a fork', () => {
  const error = thrownBy(() => mergeSettings({}, { dialect: 'pipelind' as 'node' }));
  expect([error.code, error.message]).toEqual(['ERR_INVALID_ARG_VALUE', expect.stringMatching(/'options\.dialect'.*'pipelined'.*'node'.*'pipelind'/)]);
  for (const dialect of ['pipelined', 'node', undefined] as const) expect(mergeSettings({}, { dialect }).dialect).toBe(dialect);
});

test('9, D45: what stands on Object.prototype is no setting; an object of another class is read as it is', () => {
  const polluted: ClusterSettings = { stdio: 'ignore', cwd: '/no/such', uid: 1, dialect: 'node', limits: { messageBytes: -1 }, weight: -1, keepListening: { limit: -1 } };
  const seen = (settings: ClusterSettings): unknown[] => Object.keys(polluted).map((name) => settings[name as 'stdio']);
  Object.assign(Object.prototype, polluted);
  try {
    const settings = mergeSettings({}, {});
    expect(seen(ownSettings(settings))).toEqual(seen({ __proto__: null } as ClusterSettings));
  } finally {
    for (const name of Object.keys(polluted)) Reflect.deleteProperty(Object.prototype, name);
  }
  expect(ownSettings(Object.create({ exec: 'x' }) as ClusterSettings).exec).toBe('x');
});

test.each([[1], [[2 ** 30]]])('9: allowedFds %j on Object.prototype is no setting of anybody', (polluted) => {
  const cluster = new EventEmitter() as PrimaryCluster;
  installPrimary(cluster);
  Object.defineProperty(Object.prototype, 'allowedFds', { value: polluted, configurable: true });
  try {
    cluster.setupPrimary();
    cluster.setupPrimary({ args: [] });
    cluster.setupPrimary(Object.defineProperty({}, 'allowedFds', { value: [1], enumerable: false }));
    expect(Object.keys(cluster.settings)).not.toContain('allowedFds');
  } finally {
    delete (Object.prototype as { allowedFds?: unknown }).allowedFds;
  }
});
