// Covers: I-1
// A program that is no Node and ignores its channel.
'use strict';
const { see, next } = require('../observe_fork');
const childProcess = require('node:child_process');

(async () => {
  const child = childProcess.fork(`${__dirname}/programs/quiet.js`, { execPath: '/bin/cat', execArgv: [], silent: true });
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (part) => { text += part; });
  child.stderr.resume();
  await next(child, 'close');
  see('C1', 'ended', child.exitCode, text.split('\n')[0]);
})();
