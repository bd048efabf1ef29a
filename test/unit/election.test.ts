/** Guards F 30: 'elected' is emitted only with a lease that is held; a lease that is lost before the event is no election. */
import { expect, test } from 'vitest';
import { Election } from '../../internal/shared_state/client/election';
import type { Lease } from '../../internal/shared_state/client/lock';

/** The parts of a lease that an election uses. */
const leaseThatIs = (held: boolean): Lease => ({ held, signal: held ? new AbortController().signal : AbortSignal.abort(), release: async () => true }) as unknown as Lease;

test('no event for a lease that is lost before the event; the next lease has one', async () => {
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
