/** Guards that names of options on Object.prototype are no options of the shared state, of supervise and of graceful. */
import { expect, test } from 'vitest';
import { fixture } from '../support/children';
import { run } from '../support/program';

test('what stands on Object.prototype is no option; what an object of another class has is one', async () => {
  const { code, stdout, stderr } = await run(fixture('polluted_options.js'));
  expect(stderr).toBe('');
  expect(stdout.trimEnd().split('\n')).toEqual([
    'set: "set"', 'get: 1', 'increment: 1', 'delete: true', 'lock: true', 'watch: "reset"', 'graceful: "function"', 'options of a class: true',
    'worker: none []', 'worker: none []', 'supervise: "done, "', // reload(), then stop(): no signal killed a worker
  ]);
  expect(code).toBe(0);
});
