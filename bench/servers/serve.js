// The app of every process that serves: one short answer to each connection. 'tcp' writes one byte
// and ends; 'http' answers one request and closes. It is the same object under every peer, so that
// what differs is only how a connection reaches it.
'use strict';

let served = 0;

/** A server for the connections of `kind`, not listening yet. */
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

/** Answers what the benchmark asks a worker: how many it served, whose cluster it runs, to block. */
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
