// Covers: N-12, R-5, Q-3
// HTTP requests with bodies of several lengths, served by two workers in turn.
'use strict';
const cluster = require('node:cluster');
const http = require('node:http');
const { see, forkListening, gone, turns } = require('../observe');

if (cluster.isPrimary) primary();
else {
  http.createServer((request, response) => {
    response.setHeader('x-worker', cluster.worker.id);
    request.pipe(response);
  }).listen(0, '127.0.0.1');
}

function post(port, body) {
  return new Promise((resolve) => {
    http.request({ port, host: '127.0.0.1', method: 'POST', agent: false }, (response) => {
      let echo = '';
      response.setEncoding('utf8').on('data', (part) => { echo += part; }).on('end', () => resolve([response.headers['x-worker'], echo.length, echo === body]));
    }).end(body);
  });
}

async function primary() {
  const workers = [await forkListening(), await forkListening()];
  for (const length of [0, 10, 100_000, 1_000_000]) {
    see('client', 'got', await post(workers[0].port, 'x'.repeat(length)));
    await turns();
  }
  for (const { worker } of workers) {
    const end = gone(worker);
    worker.disconnect();
    await end;
  }
}
