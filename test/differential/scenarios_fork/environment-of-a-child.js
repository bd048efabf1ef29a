// Covers: I-2, I-1
// No variable of the channel is left for the program, its threads and its own children.
'use strict';
const { see } = require('../observe_fork');
const childProcess = require('node:child_process');
const { Worker, isMainThread } = require('node:worker_threads');

const { pid } = process;
const left = (env) => Object.keys(env).filter((name) => /CHANNEL|SERIALIZATION|UNIQUE|IPC|CLUSTER/.test(name) || (/^NODE_/.test(name) && name !== 'NODE_V8_COVERAGE'));

if (process.argv[2] !== 'child') childProcess.fork(__filename, ['child']);
else if (isMainThread) {
  see('self', 'left', left(process.env), process.connected);
  const { stdout } = childProcess.spawnSync(process.execPath, ['-p', 'JSON.stringify([Object.keys(process.env).filter((name) => /CHANNEL|NODE_/.test(name)), typeof process.send])'], { encoding: 'utf8' });
  see('self', 'grandchild', stdout);
  const thread = new Worker('require("node:worker_threads").parentPort.postMessage([typeof process.send, process.channel, process.connected, Object.keys(process.env).filter((name) => /CHANNEL|NODE_/.test(name))])', { eval: true });
  thread.on('message', (value) => see('self', 'thread', value));
  thread.on('error', (error) => see('self', 'error of the thread', error));
}
