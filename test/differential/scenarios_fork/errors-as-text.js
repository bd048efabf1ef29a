// Covers: I-22, I-21, I-55
// How the errors of a channel look as text, where they come from, and what they carry.
'use strict';
const { see } = require('../observe_fork');
const childProcess = require('node:child_process');

function tell(what, error) {
  see(what, String(error), error.constructor.name, error.stack.split('\n')[0], Object.keys(error), error instanceof TypeError);
}

const child = childProcess.fork(`${__dirname}/programs/quiet.js`);
const thrown = (what, call) => {
  try {
    call();
  } catch (error) {
    tell(what, error);
  }
};
thrown('missing', () => child.send());
thrown('bad message', () => child.send(1n));
thrown('bad handle', () => child.send('a', {}));
thrown('bad options', () => child.send('a', undefined, 5));
thrown('no ipc', () => childProcess.fork('x', { stdio: [] }));
thrown('two', () => childProcess.fork('x', { stdio: ['ipc', 'ipc'] }));
thrown('bad stdio', () => childProcess.fork('x', { stdio: 'x' }));
child.on('error', (error) => tell('disconnected', error));
child.disconnect();
child.disconnect();
child.send('late', (error) => tell('closed', error));
