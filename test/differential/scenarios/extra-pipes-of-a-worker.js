// Covers: C-26, C-33, C-35
// stdio of setupPrimary: a pipe beside the channel carries bytes both ways, is closed alone, and the worker goes on.
'use strict';
const cluster = require('node:cluster');
const fs = require('node:fs');
const net = require('node:net');
const { see, next, gone } = require('../observe');

if (cluster.isPrimary) {
  (async () => {
    cluster.setupPrimary({ stdio: ['ignore', 'pipe', 'inherit', 'pipe', 'ipc', 'overlapped'] });
    const worker = cluster.fork();
    const { stdio, stdin, stdout, stderr } = worker.process;
    see('main', 'stdio', stdio.map((stream) => stream && stream.constructor.name), stdin, stdout === stdio[1], stderr);
    stdio[3].setEncoding('utf8').on('data', (text) => see('pipe 3', 'data', text)).on('close', () => see('pipe 3', 'closed'));
    stdio[5].setEncoding('utf8').on('data', (text) => see('pipe 5', 'data', text));
    stdio[3].write('to the worker');
    // The pipe and the channel are two ways: which of them is read first is open.
    await Promise.all([next(worker, 'message'), next(stdio[3], 'data')]);
    stdio[3].destroy();
    await next(stdio[3], 'close');
    worker.send('still there?');
    see('main', 'message', await next(worker, 'message'));
    worker.disconnect();
    await gone(worker);
  })();
} else {
  fs.writeSync(5, 'from the worker');
  const pipe = new net.Socket({ fd: 3 });
  pipe.setEncoding('utf8').on('data', (text) => {
    see('pipe', 'data', text);
    pipe.write('back', () => process.send('wrote'));
  });
  pipe.on('error', ({ code }) => see('pipe', 'error', code));
  process.on('message', () => process.send('yes'));
}
