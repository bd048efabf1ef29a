/** Guards F 30: 'elected' comes with a lease that is held; one that was lost before anybody could be told is no election. */
import { expect, test } from 'vitest';
import { Election } from '../../internal/shared_state/client/election';
import type { Lease } from '../../internal/shared_state/client/lock';

/** As much of a lease as an election looks at. */
const leaseThatIs = (held: boolean): Lease => ({ held, signal: held ? new AbortController().signal : AbortSignal.abort(), release: async () => true }) as unknown as Lease;

test('a lease that was lost before it could be told is not told, and the next one is', async () => {
  const leases = [leaseThatIs(false), leaseThatIs(true)];
  const heard: unknown[] = [];
  const election = new Election({
    name: 'job',
    lock: async () => leases.shift() ?? (await new Promise<never>(() => undefined)),
    pause: async () => undefined,
    over: () => false,
  });
  election.on('deposed', () => heard.push('deposed'));
  const lease = await new Promise<Lease>((resolve) => election.on('elected', resolve));
  expect([lease.held, heard]).toEqual([true, []]);
  await election.close();
});
