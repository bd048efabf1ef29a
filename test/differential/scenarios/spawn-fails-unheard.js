// Covers: C-34, C-63
// The same without a listener for the worker's 'error': the primary dies of it.
// Dies: P of ENOENT
'use strict';
const cluster = require('node:cluster');
const { see } = require('../observe');

cluster.setupPrimary({ cwd: 'no/such/directory' });
process.on('uncaughtExceptionMonitor', ({ code, syscall }) => see('main', 'uncaught', code, syscall));
cluster.fork();
