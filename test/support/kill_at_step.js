/**
 * Preload of a daemon: kills the process, by SIGKILL, just before the n-th thing that it does to the world outside: to a
 * file, to a process, to a socket. The number comes from the variable KILL_AT, and counts from the start; or from the
 * file ARM, and counts from the moment in which SIGUSR2 arrives. The file is removed then.
 */
'use strict';
const fs = require('node:fs');
const childProcess = require('node:child_process');
const net = require('node:net');

const { readFileSync, rmSync } = fs;
const { kill } = process;
let left = Number(process.env.KILL_AT || Infinity);

function step() {
  if (--left === 0) kill.call(process, process.pid, 'SIGKILL');
}

function interpose(object, name) {
  const original = object[name];
  object[name] = function (...args) {
    step();
    return original.apply(this, args);
  };
}

for (const name of ['openSync', 'writeFileSync', 'appendFileSync', 'writeSync', 'fsyncSync', 'renameSync', 'rmSync', 'mkdirSync', 'symlinkSync', 'unlinkSync', 'chmodSync']) interpose(fs, name);
interpose(childProcess, 'spawn');
interpose(childProcess.ChildProcess.prototype, 'kill');
interpose(process, 'kill');
interpose(net.Socket.prototype, 'write');
interpose(net.Socket.prototype, 'connect');
interpose(process, 'exit');

process.on('SIGUSR2', () => {
  const number = Number(readFileSync(process.env.ARM, 'utf8'));
  rmSync(process.env.ARM);
  left = number;
});
