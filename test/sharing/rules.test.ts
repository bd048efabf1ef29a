/** D63: what holds under the other rules holds under `scheduling: 'shared'`, at each kind of address, and where one cluster has two rules. */
import { once } from 'node:events';
import net from 'node:net';
import path from 'node:path';
import { expect, test } from 'vitest';
import { root, run } from '../support/program';

async function seenUnder(rule: 'shared' | 'round-robin'): Promise<Record<string, unknown[]>> {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { fd } = (server as unknown as { _handle: { fd: number } })._handle;
  const ended = run(path.join(root, 'test/fixtures/sharing_rules.js'), { args: [rule, String((server.address() as net.AddressInfo).port)], fds: [fd] });
  server.close(); // The program has the socket, and nobody here accepts.
  const { code, stdout, stderr } = await ended;
  expect({ code, stderr }, stdout).toEqual({ code: 0, stderr: '' });
  return Object.fromEntries(stdout.trim().split('\n').map((line) => JSON.parse(line) as [string, ...unknown[]]).map(([step, ...what]) => [step, what]));
}

/** The lines that both rules must print. */
const common = {
  'a value that does not exist': ['ERR_INVALID_ARG_VALUE', true],
  'not allowed': [Array(2).fill({ code: 'EACCES', syscall: 'bind' })],
  'an fd': [true, 'served', ['closed', 'closed']],
  'exclusive': [true, [['served', 'served'], 0], ['closed', 'closed']],
  'UDP': [true],
  'it disconnects': [Array(2).fill([0, null])],
};

// The rule; how many of 20 connections the primary accepts at the first address, and at one with the other rule; and what sending a server does.
test.each([
  ['shared', 0, 20, 'sent'], ['round-robin', 20, 0, 'TypeError'],
] as const)('%s: errors, addresses of every kind, another rule for another address, an address that keeps its rule until all have left', { timeout: 60_000 }, async (rule, first, other, sent) => {
  expect(await seenUnder(rule)).toEqual({
    ...common,
    'the primary accepts': [['served', first]],
    'its server is sent': [sent],
    'at another address with another rule': [['served', other], 'at the first one', ['served', first]],
    'all have left the first one, and one has come back, with the other rule': [['closed', 'closed'], true, ['served', other]],
  });
});
