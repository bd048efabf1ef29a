// Covers: I-1
// Which arguments `fork` takes, and its errors.
'use strict';
const { see, gone, attempt } = require('../observe_fork');
const childProcess = require('node:child_process');
const { pathToFileURL } = require('node:url');
const fs = require('node:fs');

const quiet = __filename.replace('arguments-of-fork', 'programs/speaks');

(async () => {
  see('fork', childProcess.fork.length, childProcess.fork.name === '' || typeof childProcess.fork.name);
  const good = [
    [quiet], [pathToFileURL(quiet)], [Buffer.from(quiet)], [quiet.slice(0, -3)], [quiet, []], [quiet, null], [quiet, undefined], [quiet, {}], [quiet, [], {}],
    [quiet, null, {}], [quiet, undefined, undefined], [quiet, [], null], [quiet, [], undefined], [quiet, ['a', 5, true, null]], [quiet, null, null],
  ];
  for (const [at, values] of good.entries()) {
    const child = attempt(`good ${at}`, 'fork', () => childProcess.fork(...values));
    if (!child) continue;
    child.on('message', (value) => see(`good ${at}`, 'message', value));
    const end = gone(child);
    child.send('hello');
    await end;
    see(`good ${at}`, 'ended', child.exitCode);
  }
  const { execPath } = process;
  const bad = [
    [], [undefined], [null], [5], [{}], [[]], [true], [() => {}], [''], ['a\0b'], [Buffer.from('a\0b')], [new URL('http://example.com/a.js')], [new URL('file://host/a.js')],
    [quiet, 'text'], [quiet, 5], [quiet, true], [quiet, () => {}], [quiet, ['a\0b'], { execArgv: [] }], [quiet, [Symbol('s')]], [quiet, [], 'text'], [quiet, [], 5], [quiet, [], []], [quiet, [], () => {}], [quiet, [], true],
    ...[
      { execPath: 5 }, { execPath: 'a\0b' }, { execArgv: 'text' }, { execArgv: ['a\0b'] }, { cwd: 5 }, { cwd: 'a\0b' }, { cwd: new URL('http://example.com/') }, { detached: 'x' }, { uid: 'x' }, { uid: -1 }, { uid: 1.5 }, { gid: 'x' }, { gid: -1 },
      { argv0: 5 }, { argv0: 'a\0b' }, { windowsHide: 'x' }, { windowsVerbatimArguments: 'x' }, { env: 5 }, { env: 'x' }, { env: { A: 'a\0b' } }, { env: { 'A\0': 'b' } }, { serialization: 'x' }, { serialization: null }, { serialization: 5 }, { serialization: '' }, { shell: 5 },
    ].map((options) => [quiet, [], options]),
  ];
  for (const [at, values] of bad.entries()) {
    if (values.length === 3 && values[2]?.constructor === Object) values[2].silent = true;
    const child = attempt(`bad ${at}`, 'fork', () => childProcess.fork(...values));
    if (child === undefined) continue;
    child.on('error', (error) => see(`bad ${at}`, 'error', error));
    child.on('message', (value) => see(`bad ${at}`, 'message', value));
    const end = gone(child);
    if (child.connected && child.pid !== undefined) child.send('hello', () => {});
    await end;
    see(`bad ${at}`, 'ended', child.exitCode > 0);
  }
  process.exit(0); // A spawn that throws leaves Node with an open pipe.
})();
