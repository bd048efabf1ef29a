// Covers: I-1
// The forms of `stdio` and `silent`: what of the child is a stream here.
'use strict';
const { see, gone, attempt } = require('../observe_fork');
const childProcess = require('node:child_process');
const { Writable } = require('node:stream');

const program = __filename.replace('stdio-forms', 'programs/speaks');

(async () => {
  const forms = [
    {}, { silent: true }, { silent: false }, { stdio: 'pipe' }, { stdio: 'ignore' }, { stdio: 'inherit' }, { stdio: 'overlapped' },
    { silent: true, stdio: 'inherit' }, { stdio: null }, { stdio: undefined, silent: true },
    { stdio: ['ignore', 'pipe', 'pipe', 'ipc'] }, { stdio: [null, 'pipe', undefined, 'ipc'] }, { stdio: ['pipe', 'pipe', 'ignore', 'pipe', 'ipc'] },
    { silent: true, stdio: ['ignore', 'ignore', 'ignore', 'ipc'] }, { stdio: [0, 1, 2, 'ipc', 'pipe', 'ignore'] }, { stdio: ['ignore', 'ipc'] },
    { stdio: ['ipc', 'pipe', 'ignore'] }, { stdio: ['ignore', 'pipe', 'ipc'] }, { stdio: ['ignore', 'ipc', 'ignore'] },
    { stdio: ['ignore', 'pipe', 'pipe', 'ignore', 'ignore', 'ignore', 'ignore', 'ipc'] },
  ];
  for (const [at, options] of forms.entries()) {
    const subject = `form ${at}`;
    see(subject, 'asked for', options);
    const child = childProcess.fork(program, options);
    see(subject, 'has', child.stdio.map((stream) => (stream === null ? null : stream === undefined ? undefined : stream instanceof Writable)),
      [child.stdin, child.stdout, child.stderr].map((stream) => stream === child.stdio[[child.stdin, child.stdout, child.stderr].indexOf(stream)]));
    const streams = child.stdio.map((stream, index) => {
      if (index === 0 || !stream) return null;
      let text = '';
      stream.setEncoding('utf8').on('data', (part) => { text += part; });
      return new Promise((resolve) => stream.on('end', () => resolve([index, text])));
    });
    child.on('message', (value) => see(subject, 'message', value));
    const end = gone(child);
    child.send('hello');
    await end;
    see(subject, 'ended', child.exitCode, await Promise.all(streams));
  }
  for (const stdio of ['x', '', 'ipc', [], ['pipe', 'pipe', 'pipe'], ['ipc', 'ipc'], ['pipe', 'pipe', 'pipe', 'ipc', 'ipc'], ['x', 'ipc'], [{}, 'ipc'], 5, {}, true]) {
    const child = attempt('bad', JSON.stringify(stdio), () => childProcess.fork(program, { stdio }));
    if (child) child.kill('SIGKILL');
  }
})();
