// Covers: I-55
// A second disconnect is an uncaught exception where nobody listens to errors.
'use strict';
const { see } = require('../observe_fork');
const childProcess = require('node:child_process');

process.on('uncaughtException', (error) => see('uncaught', '', error));

const child = childProcess.fork(__filename.replace('disconnect-without-a-listener-for-errors', 'programs/quiet'));
child.disconnect();
see('main', 'once');
child.disconnect();
see('main', 'does not come here');
