// A child that fails at once.
'use strict';
process.exitCode = 3;
throw new Error('at once');
