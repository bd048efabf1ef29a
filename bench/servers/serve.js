// The app of every peer: one short answer to each connection. 'tcp' writes one byte and ends the connection; 'http'
// answers one request and closes. All peers run this file, so they differ only in how a connection gets here.
'use strict';

let served = 0;

/** A server of that kind, which does not listen yet. */
function createServer(kind) {
  if (kind === 'http') {
    return require('node:http').createServer((_request, response) => {
      served++;
      response.writeHead(200, { 'Content-Length': 2, Connection: 'close' });
      response.end('ok');
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
