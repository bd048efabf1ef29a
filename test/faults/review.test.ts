/** Regression tests of what a cold review found: hand-offs whose worker leaves, comes back or is cut off. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { dist, root, run } from '../support/program';

async function play(what: string): Promise<string[]> {
  const directory = mkdtempSync(path.join(tmpdir(), 'cluster-review-'));
  try {
    const { code, stdout, stderr } = await run(path.join(root, 'test/fixtures/faults_review.js'), {
      args: [what], execArgv: ['--require', dist('lib/register.js')], env: { RELEASE: path.join(directory, 'released') },
    });
    expect([code, stderr]).toEqual([0, '']);
    return stdout.trimEnd().split('\n');
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

describe.concurrent('a connection in flight', () => {
  test('goes to an idle worker when its own was told to leave and is killed then', async () => {
    expect(await play('leftThenKilled')).toEqual(["clients [ '2', '2', '2', '2', '2', '2' ]"]);
  });
  test('does not count for the new seat of a worker that listens again: the turns go on', async () => {
    expect(await play('listensAgain')).toEqual(['turns 2 true']);
  });
  test('is served at most once when the primary ends the channel', async () => {
    expect(await play('endedHere')).toEqual(['clients true']);
  });
});

test('D38: sockets for a primary in which nobody listens to messages stay until their clients end them, and are closed then', async () => {
  expect(await play('unwantedSockets')).toEqual(['fds 10', 'fds 0']);
});

test('a socket that comes with a senseless cluster message is closed', async () => {
  expect(await play('unaskedSockets')).toEqual(['fds 0']);
});
