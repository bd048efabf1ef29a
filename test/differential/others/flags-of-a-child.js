// execArgv: the child knows the flags that it was started with.
// Node 26.10.0 prints: ["--no-warnings"]
// Deno 2.9.6 (2026-11-29) prints: []
'use strict';
const { fork } = require('node:child_process');

if (process.argv[2] !== 'child') {
  fork(__filename, ['child'], { execArgv: ['--no-warnings'] });
} else {
  console.log(JSON.stringify(process.execArgv));
}
