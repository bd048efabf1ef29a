/**
 * `node --require cluster-internals/register app`: an unmodified program that uses node:cluster runs on our cluster. The
 * tests run on this Node, and on each one in TEST_NODES (paths, separated by colons).
 */
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { dist, root, run, type Ended, type ProgramOptions } from '../support/program';

const fixture = (file: string): string => path.join(root, 'test/fixtures', file);
const register = ['--require', dist('lib/register.js')];
const nodes = [process.execPath, ...(process.env['TEST_NODES'] ?? '').split(':').filter((node) => node !== '')];

/** The output of an app, which must exit with 0. */
async function output(file: string, options: ProgramOptions): Promise<unknown> {
  return parsed(await run(file, options));
}

function parsed({ code, signal, stdout, stderr }: Ended): unknown {
  expect({ code, signal, stderr }).toEqual({ code: 0, signal: null, stderr: '' });
  return JSON.parse(stdout);
}

describe.concurrent.each(nodes)('%s', (node) => {
  for (const app of ['register_app.js', 'register_app_default.mjs', 'register_app_named.mjs']) {
    test(`${app}: http, net and dgram`, async () => {
      expectServed(await output(fixture(app), { node, execArgv: register }));
    });
  }

  test('registered twice, and by NODE_OPTIONS', async () => {
    const [twice, byOptions, both] = await Promise.all([
      output(fixture('register_app.js'), { node, execArgv: [...register, ...register] }),
      output(fixture('register_app.js'), { node, env: { NODE_OPTIONS: register.join(' ') } }),
      output(fixture('register_app.js'), { node, execArgv: register, env: { NODE_OPTIONS: register.join(' ') } }),
    ]);
    expectServed(twice);
    expectServed(byOptions);
    expectServed(both);
  });

  test('the package is node:cluster itself where it has taken that over: everywhere with register, else in workers', async () => {
    const seat = (isPrimary: boolean, isOfNode: boolean): object => ({ isPrimary, isOfNode, sameAsBare: true });
    const file = fixture('register_package.js');
    expect(await output(file, { node, execArgv: register })).toEqual({ primary: seat(true, true), worker: seat(false, true) });
    expect(await output(file, { node })).toEqual({ primary: seat(true, false), worker: seat(false, true) });
  });

  test('ESM imports every name from the package, with and without register', async () => {
    const expected = { primary: { wrong: [], worker: 'undefined' }, worker: { wrong: [], fork: 'undefined', id: 1 } };
    const file = fixture('register_package.mjs');
    expect(await output(file, { node })).toEqual(expected);
    expect(await output(file, { node, execArgv: register })).toEqual(expected);
  });

  test('a thread in a worker sees a primary, as under node:cluster', async () => {
    const file = fixture('register_thread.js');
    const [stock, ours] = await Promise.all([output(file, { node }), output(file, { node, execArgv: register })]);
    expect(ours).toEqual(stock);
    expect(ours).toEqual({
      isPrimary: true, isWorker: false, worker: 'undefined', fork: 'function', send: 'undefined', answer: 'thread', code: 0, listening: 0,
    });
  });

  test('node -e with register', async () => {
    const program = `
      const cluster = require('cluster');
      cluster.setupPrimary({ exec: ${JSON.stringify(fixture('register_echo.js'))}, execArgv: [] });
      const worker = cluster.fork();
      worker.on('message', (message) => console.log(JSON.stringify({ message, ours: Symbol.for('cluster-internals.taken-over') in cluster })));
      worker.send('to and fro');`;
    // `run` puts its first argument behind the flags: here that is the program text of -e.
    const ended = await run(program, { node, execArgv: [...register, '-e'] });
    expect(parsed(ended)).toEqual({ message: 'to and fro', ours: true });
  });
});

/** Checks that there were two workers, that they shared their ports, and that both answered; under round robin in turn. */
function expectServed(seen: unknown): void {
  const served = [{ id: 1, ours: true, same: true }, { id: 2, ours: true, same: true }];
  const someone = expect.objectContaining({ ours: true, same: true, id: expect.toBeOneOf([1, 2]) });
  expect(seen).toEqual({
    ours: true,
    names: { isWorker: false, SCHED_RR: 2, workers: 'object' },
    http: expect.toSatisfy((answers) => sameMembers(answers, served)),
    net: expect.toSatisfy((answers) => sameMembers(answers, served)),
    udp: [someone, someone],
    exits: ['0 true', '0 true'],
    samePorts: true,
  });
}

const sameMembers = (left: object[], right: object[]): boolean => {
  const sorted = (objects: object[]): string => objects.map((one) => JSON.stringify(one)).sort().join();
  return sorted(left) === sorted(right);
};
