/**
 * D27: under Node's permission model, which denies `process.binding`, our cluster works as
 * Node's does: on Node's own channel. It said ERR_ACCESS_DENIED at load.
 */
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { dist, root, run, type Ended } from '../support/program';

/** This Node, and each of TEST_NODES. */
const nodes = [process.execPath, ...(process.env['TEST_NODES'] ?? '').split(':').filter((node) => node !== '')];
const register = ['--require', dist('lib/register.js'), '--require', dist('lib/register_fork.js')];

function play(node: string, what: string, preload: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Ended> {
  const major = Number(/\/\.nodes\/(\d+)/.exec(node)?.[1] ?? Number.parseInt(process.versions.node, 10));
  const net = major >= 25 ? ['--allow-net'] : [];
  return run(path.join(root, 'test/fixtures/permission.js'), {
    args: [what], node, env: { NODE_NO_WARNINGS: '1', ...env },
    execArgv: [major < 22 ? '--experimental-permission' : '--permission', `--allow-fs-read=${root}/`, '--allow-child-process', ...net, ...preload],
  });
}

describe.concurrent.each(nodes)('under the permission model, %s', (node) => {
  test.each(['rr', 'none'])('12: our cluster and our fork do what Node\'s do: %s', async (policy) => {
    const env = { NODE_CLUSTER_SCHED_POLICY: policy };
    const [stock, ours] = await Promise.all([play(node, 'all', [], env), play(node, 'all', register, env)]);
    expect(stock).toMatchObject({ code: 0, stderr: '' });
    expect(stock.stdout).toContain("served by [ '1', '2' ]");
    expect(ours).toEqual(stock);
  });

  test('12: what our layer mends holds there too, and one warning says what is missing', async () => {
    const { code, stdout, stderr } = await play(node, 'frozen', register.slice(0, 2), { NODE_NO_WARNINGS: '' });
    expect(code).toBe(0);
    expect(stdout).toContain('killed ["2","2","2","2"]');
    expect(stdout).toContain('ended here ["2","2","2","ECONNRESET"]');
    expect(stderr.match(/CLUSTER_INTERNALS_NODES_CHANNEL/g)).toHaveLength(1);
    expect(stderr).toContain('limits.messageBytes');
  });
});
