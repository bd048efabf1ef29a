// What a runtime has to be able to do before any scenario: run a CommonJS program, and print.
'use strict';
const path = require('node:path');
if (path.basename(__filename) === 'probe.js' && module.exports !== undefined) process.stdout.write('runs CommonJS\n');
