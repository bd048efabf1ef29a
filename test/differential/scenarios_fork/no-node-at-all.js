// Covers: I-1, I-2
// A program that is no Node gets an fd and its number, and speaks JSON on it.
'use strict';
const { see, watch, next } = require('../observe_fork');
const childProcess = require('node:child_process');

(async () => {
  const child = watch(childProcess.fork(`${__dirname}/programs/says.sh`, { execPath: '/bin/sh', execArgv: [], silent: true }));
  let text = '';
  child.stderr.setEncoding('utf8').on('data', (part) => { text += part; });
  child.stdout.resume();
  child.on('error', (error) => see('C1 errors', error.code));
  const closed = next(child, 'close');
  child.send({ hello: 'shell' }, () => {});
  await closed;
  see('said', text);
})();
