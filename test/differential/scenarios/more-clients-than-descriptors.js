//
// A primary that may have 64 descriptors, a stopped worker, and more clients than that, in a process that
// has descriptors. Node accepts those that it has none for and closes them at once; ours leaves them in
// the kernel's backlog until connections have gone to the worker.
'use strict';
const cluster = require('node:cluster');
const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const net = require('node:net');
const { see, next, message, gone, turns } = require('../observe');

const CLIENTS = 60;
/** Kept for the records of what is sent and received. */
const SPARE = 4;

if (cluster.isPrimary) primary();
else if (cluster.worker.id === 1) process.once('message', () => net.createServer((socket) => socket.end('served')).listen(0, '127.0.0.1'));
else process.once('message', connectAll);

async function primary() {
  // Not watched: both leave, and at the same time.
  const [serving, clients] = [cluster.fork(), cluster.fork()];
  await Promise.all([next(serving, 'online'), next(clients, 'online')]);
  execFileSync('prlimit', [`--pid=${process.pid}`, '--nofile=64']); // The primary's alone.
  serving.send('listen');
  const [{ port }] = await next(serving, 'listening');
  serving.process.kill('SIGSTOP');
  const spare = Array.from({ length: SPARE }, () => fs.openSync('/dev/null'));
  clients.send(port);
  await message(clients);
  await turns(4 * CLIENTS); // One connection is accepted in each.
  for (const fd of spare) fs.closeSync(fd);
  serving.process.kill('SIGCONT');
  const [served] = await message(clients);
  see('client', 'all are served', served === CLIENTS);
  const ends = [gone(serving), gone(clients)];
  cluster.disconnect();
  await Promise.all(ends);
}

async function connectAll(port) {
  const answers = [];
  await Promise.all(Array.from({ length: CLIENTS }, () => {
    const socket = net.connect(port, '127.0.0.1');
    let answer = '';
    socket.on('data', (data) => { answer += data; }).on('error', () => {});
    answers.push(next(socket, 'close').then(() => answer));
    return next(socket, 'connect');
  }));
  process.send('connected');
  process.send((await Promise.all(answers)).filter((answer) => answer === 'served').length);
}
