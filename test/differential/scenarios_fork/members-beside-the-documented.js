// Covers: I-3
// Members that Node adds beside the documented ones, for its own use.
'use strict';
const { see } = require('../observe_fork');
const childProcess = require('node:child_process');

const members = (target) => ['_handleQueue', '_pendingMessage', '_send', '_disconnect', '_channel'].filter((key) => key in target);

if (process.argv[2] === 'child') see('self', 'members', members(process));
else {
  const child = childProcess.fork(__filename, ['child']);
  see('C1', 'members', members(child), Object.getOwnPropertySymbols(child).map(({ description }) => description).filter((name) => /hannel/.test(name)));
}
