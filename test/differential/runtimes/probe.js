// What a runtime has to be able to do before any scenario: run a CommonJS program, and print. Its second line is the path
// of the runtime's program, which some scenarios see.
'use strict';
const path = require('node:path');
if (path.basename(__filename) === 'probe.js' && module.exports !== undefined) process.stdout.write(`runs CommonJS\n${process.execPath}\n`);
