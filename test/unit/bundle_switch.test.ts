// Guards that CLUSTER_INTERNALS_BUNDLE=off runs a primary and its workers from single files, and that they serve.
import { expect, test } from 'vitest';
import { fixture } from '../support/children';
import { root, run } from '../support/program';

interface Seen {
  readonly primary: string;
  readonly worker: string;
  readonly served: string;
  readonly inWorker: string | null;
}

async function seen(env: NodeJS.ProcessEnv, execArgv: readonly string[] = []): Promise<Seen> {
  const { code, stdout, stderr } = await run(fixture('bundle_switch.js'), { env, execArgv });
  expect([code, stderr]).toEqual([0, '']);
  return JSON.parse(stdout) as Seen;
}

test('without the variable the stack traces of a primary and of a worker name the bundles', async () => {
  const { primary, worker, served } = await seen({ CLUSTER_INTERNALS_BUNDLE: '' });
  expect(primary).toMatch(/dist\/internal\/startup\/role\.bundle\.js:\d+/);
  expect(worker).toMatch(/dist\/internal\/startup\/preload\.bundle\.js:\d+/);
  expect(served).toBe('served');
});

test('CLUSTER_INTERNALS_BUNDLE=off: the stack traces of both name single files, and no bundle', async () => {
  const { primary, worker, served, inWorker } = await seen({ CLUSTER_INTERNALS_BUNDLE: 'off' });
  expect(primary).toMatch(/dist\/internal\/master\/index\.js:\d+/);
  expect(primary).toMatch(/dist\/internal\/channel\/incoming\.js:\d+/);
  expect(worker).toMatch(/dist\/internal\/child\/deliveries\.js:\d+/);
  expect(primary + worker).not.toContain('.bundle.js');
  expect([served, inWorker]).toEqual(['served', 'off']);
});

test('--enable-source-maps: the stack traces of both name the TypeScript', async () => {
  const { primary, worker, served } = await seen({}, ['--enable-source-maps']);
  expect(primary).toContain(`(${root}/internal/master/index.ts:`);
  expect(worker).toContain(`(${root}/internal/child/deliveries.ts:`);
  expect(served).toBe('served');
});
