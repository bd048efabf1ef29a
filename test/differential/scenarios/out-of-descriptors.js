//
// The primary has no descriptor left to accept with: that client is lost, the next one is served.
'use strict';
const cluster = require('node:cluster');
const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const net = require('node:net');
const { see, next, message, gone } = require('../observe');

if (cluster.isWorker) {
  const server = net.createServer((socket) => socket.end('served')).listen(0, '127.0.0.1');
  process.on('message', () => {
    const socket = net.connect(server.address().port, '127.0.0.1');
    let answer = '';
    socket.on('data', (data) => { answer += data; });
    socket.on('error', () => {});
    socket.on('close', () => process.send(answer));
  });
} else if (process.argv[2] !== 'limited') {
  const limited = [...process.execArgv, __filename, 'limited'].map((argument) => `'${argument}'`).join(' ');
  execFileSync('sh', ['-c', `ulimit -n 60; exec '${process.execPath}' ${limited}`], { env: { ...process.env, DIFF_NAME: 'P1' }, stdio: 'inherit' });
} else primary();

async function primary() {
  // Not watched: a record needs a descriptor.
  const worker = cluster.fork();
  await next(worker, 'listening');
  const opened = [];
  const connect = async () => {
    const answer = message(worker);
    worker.send('connect');
    return (await answer)[0];
  };
  const answers = [await connect()];
  for (;;) {
    try {
      opened.push(fs.openSync('/dev/null'));
    } catch {
      break;
    }
  }
  answers.push(await connect());
  for (const fd of opened) fs.closeSync(fd);
  answers.push(await connect());
  see('client', 'got', answers);
  const end = gone(worker);
  worker.disconnect();
  await end;
}
