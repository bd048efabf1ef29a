// Covers: N-12, W-6, P-20
// HTTP over a kept connection; disconnect waits for the request in progress, not for idle connections.
'use strict';
const cluster = require('node:cluster');
const http = require('node:http');
const { see, watchCluster, forkListening, message, gone, ownPort } = require('../observe');

if (cluster.isPrimary) primary();
else {
  let count = 0;
  http.createServer((request, response) => {
    if (request.url !== '/slow') return response.end(`${++count} ${request.method} ${request.url}`);
    process.send('in progress');
    process.on('disconnect', () => see('self', "process 'disconnect'"));
    process.on('message', () => response.end('finished'));
  }).listen(ownPort());
}

function get(agent, port, path) {
  return new Promise((resolve) => {
    http.get({ agent, port, host: '127.0.0.1', path }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (part) => { body += part; }).on('end', () => resolve([response.statusCode, response.headers.connection, body]));
    }).on('error', (error) => resolve(error.code));
  });
}

async function primary() {
  watchCluster();
  const { worker, port } = await forkListening();
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  see('client', 'got', await get(agent, port, '/a'), await get(agent, port, '/b'));
  const end = gone(worker);
  const slow = get(agent, port, '/slow');
  await message(worker);
  worker.disconnect();
  see('client', 'new one', await get(undefined, port, '/c'));
  worker.send('finish');
  see('client', 'slow one', await slow);
  agent.destroy();
  await end;
}
