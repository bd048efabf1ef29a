// Covers: I-57
// Scripts that are missing, are directories, or fail at once.
'use strict';
const { see, watch, next } = require('../observe_fork');
const childProcess = require('node:child_process');
const fs = require('node:fs');

const directory = __dirname;

(async () => {
  fs.mkdirSync('empty');
  fs.mkdirSync('package');
  fs.writeFileSync('package/index.js', 'process.once("message", (value) => { process.send(value); });');
  for (const script of ['missing.js', 'empty', 'package', './package/', `${directory}/programs/throws.js`, '/dev/null', '.']) {
    const child = watch(childProcess.fork(script, { silent: true }));
    let text = '';
    child.stderr.setEncoding('utf8').on('data', (part) => { text += part; });
    child.stdout.resume();
    const closed = next(child, 'close');
    child.send('hello', () => {});
    await closed;
    see('said', script.replace(directory, ''), text.match(/^(Error|SyntaxError)[^\n]*/m)?.[0].replace(process.cwd(), ''));
  }
})();
