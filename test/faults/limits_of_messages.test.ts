/**
 * A worker that sends too much, or fds that no message speaks of: it is cut off and reported on its
 * Worker, the primary lives on and the other workers serve.
 */
import { describe, expect, test } from 'vitest';
import { DEFAULT_LIMITS } from '../../internal/limits';
import { get, many, tally } from '../interop/load';
import { withCluster, type FaultyCluster, type Options } from './cluster';

/** One of two workers does `path`, and is cut off for `code`. */
async function cutOff(path: string, code: string, options: Partial<Options> = {}, settings: object = {}): Promise<void> {
  const env = { REFORK: 'no', LISTEN: 'error', SETTINGS: JSON.stringify(settings) };
  await withCluster({ workers: 2, ...options, env }, async (cluster) => {
    const { fds } = cluster;
    await get(cluster.port, path).catch(() => undefined); // Cut off before or after it has answered.
    const [, offender] = await cluster.program.prints(new RegExp(`^worker error (\\d) ${code}$`, 'm'));
    await cluster.program.prints(new RegExp(`^exit ${offender} 0`, 'm'));
    await goesOn(cluster, offender === '1' ? '2' : '1', fds - 1);
  });
}

async function goesOn(cluster: FaultyCluster, other: string, fds: number): Promise<void> {
  await cluster.alive();
  expect(tally(await many(4, 2, () => get(cluster.port)))).toEqual({ [other]: 4 });
  await cluster.until(() => cluster.fds === fds, 'the channel and what came on it is closed');
  await cluster.end();
}

describe.concurrent('a message that is too long', () => {
  const messageBytes = 1 << 20;
  test('a line, by the default limit: 600 MB', async () => {
    expect(DEFAULT_LIMITS.messageBytes).toBeLessThan(600 << 20);
    await cutOff(`/line?bytes=${600 << 20}`, 'ERR_IPC_MESSAGE_TOO_LONG');
  });
  test.each(['pipelined', 'node'] as const)('a line, by a limit that is set, %s', async (dialect) => {
    await cutOff(`/line?bytes=${2 * messageBytes}`, 'ERR_IPC_MESSAGE_TOO_LONG', { dialect }, { limits: { messageBytes } });
  });
  test('a length of 4 GiB: at once', async () => {
    await cutOff('/write?bytes=ffffffff', 'ERR_IPC_MESSAGE_TOO_LONG', {}, { serialization: 'advanced' });
  });
  test('a length in two pieces, behind a whole message', async () => {
    await cutOff('/write?bytes=00000003ff0f5fff&bytes=ffffff', 'ERR_IPC_MESSAGE_TOO_LONG', {}, { serialization: 'advanced' });
  });
  test('one below the limit is none', async () => {
    await withCluster({ workers: 2, env: { REFORK: 'no', SETTINGS: JSON.stringify({ limits: { messageBytes: 1 << 20 } }) } }, async (cluster) => {
      await get(cluster.port, `/send?messages=${encodeURIComponent(JSON.stringify(['x'.repeat(7000)]))}`);
      await cluster.alive();
      expect(tally(await many(4, 1, () => get(cluster.port)))).toEqual({ 1: 2, 2: 2 });
      await cluster.end();
    });
  });
});

describe.concurrent('a worker that asks and does not read the answers', () => {
  test.each(['pipelined', 'node'] as const)('%s', async (dialect) => {
    await cutOff('/ask', 'ERR_IPC_NOT_READ', { dialect }, { limits: { unreadBytes: 1 << 20 } });
  });
});

describe.concurrent('fds that nobody asked for', () => {
  test.each([['node', 'rr'], ['node', 'none'], ['pipelined', 'rr']] as const)('are closed, and who sends them is cut off, %s, %s', async (dialect, policy) => {
    await cutOff('/strays?count=3', 'ERR_IPC_STRAY_HANDLE', { dialect, policy });
  });
});
