// Covers: I-1
// A program given by -e is not inherited by what it forks.
'use strict';
const { see, registered } = require('../observe_fork');
const childProcess = require('node:child_process');

const quiet = `${__dirname}/programs/speaks.js`;
const flags = registered ? ['--require', registered] : [];

for (const [at, given] of [['-e'], ['--eval'], ['-p'], ['--no-warnings', '-e']].entries()) {
  const program = `const child = require('node:child_process').fork(${JSON.stringify(quiet)}, { silent: true });
    child.on('message', (value) => console.log(JSON.stringify(value)));
    child.on('exit', (code) => console.log('exit', code));
    child.send('hello');
    console.log(JSON.stringify(child.spawnargs.slice(1, -1)));
    child.pid > 0`;
  const { stdout, stderr, status } = childProcess.spawnSync(process.execPath, [...flags, ...given, program], { encoding: 'utf8' });
  see(`way ${at}`, 'printed', registered ? stdout.replace(new RegExp(`${JSON.stringify(flags).slice(1, -1)},?`), '') : stdout, stderr, status);
}
