/**
 * Guards E8 and E12: an app, a test framework or fake timers may replace any global function and any builtin method
 * after our code was loaded. Each of them is replaced in turn by one that throws, in a parent, a child, a primary and
 * a worker, while a message or a connection passes. What stock Node does not survive is left out, by name, in the fixture.
 */
import { describe, expect, test } from 'vitest';
import path from 'node:path';
import { Program, dist, root, run } from '../support/program';

const fixture = path.join(root, 'test/fixtures/replaced_globals.js');

describe.concurrent('each function that an app can replace', () => {
  const doors = {
    parent: ['register_fork', 'json'], child: ['register_fork', 'json'], primary: ['register', 'json'], worker: ['register', 'json'],
    'parent, advanced': ['register_fork', 'advanced'], 'child, advanced': ['register_fork', 'advanced'],
  };
  for (const [name, [door, serialization]] of Object.entries(doors)) {
    test(`is replaced in a ${name}`, async () => {
      const program = new Program(fixture, { args: [name.split(',')[0] as string, serialization as string], execArgv: ['--require', dist(`lib/${door}.js`)] });
      const { stdout, stderr, code } = await program.ended;
      expect(stdout + stderr).toMatch(/^done \d{3,}\n$/);
      expect(code).toBe(0);
    });
  }
});

test('the shared state, supervise with its control socket, and graceful go on with the real timers and clocks', async () => {
  const { code, stdout, stderr } = await run(path.join(root, 'test/fixtures/replaced_timers.js'));
  expect(stderr).toBe('');
  expect(stdout.trimEnd().split('\n')).toEqual(['worker starting', 'set', 'not twice: ERR_SHARED_STATE_TIMEOUT', 'released: true', 'worker ready', 'asked three times: 3', 'drained', 'worker gone', 'stopped']);
  expect(code).toBe(0);
});
