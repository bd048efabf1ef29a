// The app of every peer: one short answer to each connection. 'tcp' writes one byte and ends the connection; 'http'
// answers one request and closes; 'mixed' writes one byte and ends the connection, of one in ten after ten seconds. All peers run this file, so they differ only in how a connection gets here.
'use strict';

let served = 0;
let open = 0;

/** A server of that kind, which does not listen yet. */
function createServer(kind) {
  if (kind === 'http') {
    return require('node:http').createServer((_request, response) => {
      served++;
      response.writeHead(200, { 'Content-Length': 2, Connection: 'close' });
      response.end('ok');
    });
  }
  if (kind === 'mixed') {
    return require('node:net').createServer((socket) => {
      open++;
      socket.on('close', () => open--);
      socket.write('x');
      if (served++ % 10 === 0) setTimeout(() => socket.end(), 10_000);
      else socket.end();
    });
  }
  return require('node:net').createServer((socket) => {
    served++;
    socket.end('x');
  });
}

/** Answers the benchmark's questions (connections served, whose cluster this is) and obeys its commands (spin, sleep). */
function answerQuestions() {
  process.on('message', ({ id, question, milliseconds }) => {
    if (question === 'served') process.send({ id, answer: served });
    if (question === 'open') process.send({ id, answer: open });
    if (question === 'ours') process.send({ id, answer: Symbol.for('cluster-internals.taken-over') in require('node:cluster') });
    if (question === 'spin') spin(milliseconds);
    if (question === 'sleep') Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
  });
}

function spin(milliseconds) {
  const end = performance.now() + milliseconds;
  while (performance.now() < end);
}

module.exports = { createServer, answerQuestions };
