// Guards that the command line, the primary of an app and the agent start from one file with compiled code, not from dozens: `start` waits for each of them.
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { expect, test } from 'vitest';
import { root } from '../support/program';

const load = "require(process.argv[1]); console.log(JSON.stringify(Object.keys(require.cache)))";

const filesOf = (program: string, env: NodeJS.ProcessEnv = {}): string[] => {
  const { stdout, stderr } = spawnSync(process.execPath, ['-e', load, path.join(root, 'dist/internal', program)], { encoding: 'utf8', env: { ...process.env, ...env } });
  expect(stderr).toBe('');
  return (JSON.parse(stdout) as string[]).map((file) => path.relative(path.join(root, 'dist/internal'), file)).sort();
};

test.each(['operate/cli/main.js', 'supervisor/worker/agent.js'])('%s runs from its bundle', (program) => {
  expect(filesOf(program)).toEqual([program, 'startup/bundle_loader.js', 'startup/module_instances.js', 'startup/program.js'].sort());
});

test('CLUSTER_INTERNALS_BUNDLE=off: a program runs from its own files', () => {
  const files = filesOf('supervisor/worker/agent.js', { CLUSTER_INTERNALS_BUNDLE: 'off' });
  expect(files).toContain('supervisor/worker/drain.js');
});

test.each(['operate-cli-main', 'operate-app-app_primary', 'supervisor-worker-agent'])('V8 accepts the code cache of %s', (name) => {
  const file = path.join(root, 'dist/internal/startup', `${name}.bundle.js`);
  const look = 'const { bundleScript } = require(process.argv[1]); console.log(bundleScript(process.argv[2]).cachedDataRejected)';
  const { stdout } = spawnSync(process.execPath, ['-e', look, path.join(root, 'dist/internal/startup/bundle_loader.js'), file], { encoding: 'utf8' });
  expect(stdout).toBe('false\n');
});
