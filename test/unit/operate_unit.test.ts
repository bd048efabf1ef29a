/** The text of the systemd unit: what it says, and that systemd accepts it where that is installed. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, test } from 'vitest';
import { argument, unitText } from '../../internal/operate/daemon/unit';

const options = { user: 'root', node: process.execPath, stopSeconds: 90, env: { PATH: '/usr/bin:/bin', HOME: '/home/a b%c"d', XDG_RUNTIME_DIR: '/run/user/0', COLOUR: 'red' } };

test('the daemon may end alone, the apps are stopped by the daemon, and the directories are those of `save`', () => {
  const text = unitText({ ...options, isUser: false });
  for (const line of ['KillMode=process', 'User=root', 'Environment=XDG_RUNTIME_DIR=/run/user/0', 'Environment="HOME=/home/a b%%c\\"d"', 'After=user-runtime-dir@0.service', 'TimeoutStopSec=90', 'WantedBy=multi-user.target']) expect(text.split('\n')).toContain(line);
  expect(text).toMatch(/^ExecStart=\S+ \S+\/daemon\/main\.js --resurrect$/m);
  expect(text).not.toContain('COLOUR');
  expect(unitText({ ...options, isUser: true })).not.toMatch(/^User=|^After=network/m);
});

test('a dollar sign is doubled in an argument of an Exec line, and not in the program, where systemd replaces no variable', () => {
  expect(unitText({ ...options, isUser: true, node: '/opt/$x/node' })).toMatch(/^ExecStart="\/opt\/\$x\/node" /m);
  expect(argument('/opt/$x/main.js')).toBe('"/opt/$$x/main.js"');
});

const hasSystemd = spawnSync('systemd-analyze', ['--version']).status === 0;

test.skipIf(!hasSystemd)('systemd accepts it', () => {
  const directory = mkdtempSync(path.join(tmpdir(), 'operate-unit-'));
  try {
    const file = path.join(directory, 'cluster-internals.service');
    writeFileSync(file, unitText({ ...options, isUser: false }));
    const { stderr } = spawnSync('systemd-analyze', ['verify', file], { encoding: 'utf8' });
    expect(stderr.split('\n').filter((line) => line.includes('cluster-internals.service'))).toEqual([]);
  } finally {
    rmSync(directory, { recursive: true });
  }
});
