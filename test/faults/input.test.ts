/**
 * Bad input: each gives the error that Node gives, and leaves a cluster that works. Every case runs
 * under node:cluster too, so that what is expected here is what Node does.
 */
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { root, run } from '../support/program';

/** On the Node at hand, and the cases that depend on its version on each of TEST_NODES. */
const nodes = [process.execPath, ...(process.env['TEST_NODES'] ?? '').split(':').filter((node) => node !== '')];

const fixture = path.join(root, 'test/fixtures/faults_input.js');

const threw = (...codes: (string | undefined)[]): object[] =>
  codes.map((code) => ({ threw: 'TypeError', ...(code === undefined ? {} : { code }) }));
const healthy = ['healthy', 'are you well?'];
const argumentErrors = ['ERR_MISSING_ARGS', 'ERR_INVALID_ARG_TYPE', 'ERR_INVALID_ARG_TYPE', 'ERR_INVALID_ARG_TYPE'];
const handles = threw(...Array<string>(4).fill('ERR_INVALID_HANDLE_TYPE'));
const options = threw(...Array<string>(3).fill('ERR_INVALID_ARG_TYPE'));

function bad(unserialisable: object[]): unknown[] {
  const messages = [...threw(...argumentErrors), ...unserialisable];
  return [['primary', messages], ['primary', handles], ['primary', options], ['worker', { messages, handles, options }], healthy];
}

interface Case { readonly name: string; readonly env?: NodeJS.ProcessEnv; readonly kinds?: string[]; readonly expected: unknown[] }

const cannotListen = [
  ['TAKEN', ['EADDRINUSE', 'bind']], ['TAKEN', ['EADDRINUSE', 'bind']], ['HOST', ['EADDRNOTAVAIL', 'bind']],
  ['PATH', ['EACCES', 'bind']], ['free', true],
];

const cases: Case[] = [
  { name: 'unknownExec', expected: [[[['online'], ['disconnect'], ['exit', 1, null]], false, 0], healthy] },
  {
    name: 'noExec',
    expected: [
      ...threw('ERR_INVALID_ARG_TYPE', 'ERR_INVALID_ARG_TYPE', 'ERR_INVALID_ARG_VALUE'),
      { threw: 'Error', code: 'ERR_CHILD_PROCESS_IPC_REQUIRED' }, healthy,
    ],
  },
  { name: 'unknownDirectory', expected: [[[['error', 'ENOENT'], 'disconnect'], true, 0], healthy] },
  { name: 'throwsAtStart', expected: [['exit', 1, null, false], healthy] },
  {
    name: 'sendAfterDisconnect',
    expected: [
      ['with callback', { returned: false }], ['without', { returned: false }], ['twice', { returned: true }], ['destroyed', {}],
      ['callback', 'ERR_IPC_CHANNEL_CLOSED'], ['error event', 'ERR_IPC_CHANNEL_CLOSED'], healthy,
    ],
  },
  { name: 'badMessages', env: { SERIALIZATION: 'json' }, expected: bad(threw(undefined, undefined)) },
  {
    name: 'badMessages', env: { SERIALIZATION: 'advanced' },
    expected: bad(Array(2).fill(expect.objectContaining({ threw: expect.stringMatching(/^(DataClone)?Error$/) }))),
  },
  { name: 'twoServers', expected: [['EADDRINUSE', 'bind'], ['answered by', 'first']] },
  { name: 'twoServers', env: { POLICY: 'none' }, expected: [['EADDRINUSE', 'bind'], ['answered by', 'first']] },
  // Both servers name the same fixed port. Node 22 and later ends the worker by an assertion under SCHED_NONE.
  ...['rr', 'none'].map((POLICY) => ({
    name: 'twicePort', env: { POLICY }, kinds: ['ours'], expected: [{ second: 'EADDRINUSE', first: true }, ['afterwards', 'free']],
  })),
  { name: 'portTaken', expected: cannotListen },
  { name: 'portTaken', env: { POLICY: 'none' }, expected: cannotListen },
  // Node ends with a segmentation fault here (W-24, D8).
  { name: 'rrServer', kinds: ['ours'], expected: [{ server: threw('ERR_INVALID_HANDLE_TYPE')[0] }, healthy] },
];

describe.concurrent('bad input', () => {
  for (const { name, env = {}, kinds = ['ours', 'stock'], expected } of cases) {
    for (const [kind, node] of kinds.flatMap((one) => (name === 'twicePort' ? nodes : nodes.slice(0, 1)).map((node) => [one, node] as const))) {
      test(`${[name, ...Object.values(env)].join(' ')}, ${kind}, ${node}`, async () => {
        const { code, signal, stdout, stderr } = await run(fixture, { args: [kind, name], env, node });
        expect({ code, signal, stderr }).toEqual({ code: 0, signal: null, stderr: '' });
        const lines = stdout.trimEnd().split('\n').map((line) => JSON.parse(line) as unknown);
        // Four workers fail to listen at the same time: whose failure is told first is not ours to say.
        if (name === 'portTaken') expect(sorted(lines)).toEqual(sorted(expected));
        else expect(lines).toEqual(expected);
      });
    }
  }
});

const sorted = (values: unknown[]): string[] => values.map((value) => JSON.stringify(value)).sort();
