// execPath: the program of the child is another one than this. It gets the file's name, and nothing before it.
// Node 26.10.0 prints: a file
// Deno 2.9.6 (2026-11-29) prints: run -A --unstable-bare-node-builtins --unstable-detect-cjs a file
'use strict';
const { fork } = require('node:child_process');

fork('a file', { execPath: '/bin/echo', execArgv: [] });
