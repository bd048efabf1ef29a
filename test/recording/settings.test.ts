/** What the recorder puts into the environment of a program, and takes out of it. */
import { expect, test } from 'vitest';
import { recordedEnvironment, recordedPairs, readSettings, takeWorkerId } from '../../internal/recording/settings';

test('the environment of a recorded program: its own NODE_OPTIONS stay, a worker learns its id once, nonsense is no setting', () => {
  const settings = { directory: '/tmp/a "b', base: '123', limit: 1, payloads: false };
  const env = recordedEnvironment({ NODE_OPTIONS: '--no-deprecation' }, settings);
  expect(env['NODE_OPTIONS']).toMatch(/^--require ".*recorder\.js" --no-deprecation$/);
  expect(readSettings(env)).toEqual(settings);
  const pairs = recordedPairs(['A=1', 'NODE_OPTIONS=--trace-warnings', 'CLUSTER_INTERNALS_RECORDING=old'], settings, '3');
  const worker = Object.fromEntries(pairs.map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]));
  expect(worker['NODE_OPTIONS']).toMatch(/recorder\.js" --trace-warnings$/);
  expect([readSettings(worker), takeWorkerId(worker), takeWorkerId(worker)]).toEqual([settings, 3, null]);
  for (const text of ['', '{}', '[]', 'null', '{"directory":1}', '{"directory":"","base":"x","limit":1,"payloads":true}']) expect(readSettings({ CLUSTER_INTERNALS_RECORDING: text })).toBeNull();
});
