/**
 * Both ends of the wire, ours and Node's own, in all four pairs and under both policies: that we
 * speak Node's protocol, and not something like it, shows where the other end is Node.
 */
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { openFds } from '../support/leaks';
import { Program, root } from '../support/program';
import { get, keptAlive, many, tally } from './load';

const REQUESTS = 1000;
const KEPT_ALIVE = 300;
const AT_ONCE = 16;

const kinds = ['ours', 'stock'] as const;
const policies = ['rr', 'none'] as const;

describe.concurrent('interop', () => {
  for (const primary of kinds) {
    for (const worker of kinds) {
      for (const policy of policies) {
        test(`${primary} primary, ${worker} workers, ${policy}: ${REQUESTS} requests`, () => serve(primary, worker, policy));
      }
    }
  }
});

async function serve(primary: string, worker: string, policy: string): Promise<void> {
  const program = new Program(path.join(root, 'test/fixtures/interop_primary.js'), { args: [primary, worker, policy] });
  try {
    const port = Number((await program.prints(/^port (\d+)$/m))[1]);
    const pid = program.child.pid as number;
    const idle = openFds(pid).length;

    const single = await many(REQUESTS - KEPT_ALIVE, AT_ONCE, () => get(port));
    const kept = await keptAlive(port, KEPT_ALIVE, AT_ONCE);
    const served = tally([...single, ...kept]);
    expect(Object.keys(served).sort(), 'both workers served, and are what they should be').toEqual([`1 ${worker}`, `2 ${worker}`]);
    expect(served[`1 ${worker}`]! + served[`2 ${worker}`]!).toBe(REQUESTS);
    if (policy === 'rr') expect(Math.min(...Object.values(tally(single))), 'in turn').toBeGreaterThan(single.length * 0.25);

    await get(port, '/end');
    const { code, signal, stdout, stderr } = await program.ended;
    expect(stderr).toBe('');
    const exits = stdout.split('\n').filter((line) => line.startsWith('exit')).sort();
    expect(exits).toEqual([1, 2].map((id) => `exit ${id} code=0 signal=null exitedAfterDisconnect=true`));
    const [, before, after] = stdout.match(/^fds (\d+) (\d+)$/m) ?? [];
    expect(Number(after), 'sockets and pipes of the primary').toBe(Number(before));
    expect(idle, 'what it had while it served: a channel each, and the listening socket').toBe(Number(before) + 3);
    expect({ code, signal }).toEqual({ code: 0, signal: null });
  } finally {
    await program.stop('SIGKILL');
  }
}
