// Covers: N-12, W-6, W-30, Q-8
// SCHED_NONE and http: a kept connection, and a request in progress when the worker is told to leave.
'use strict';
const cluster = require('node:cluster');
const http = require('node:http');
const { see, watchCluster, forkListening, message, gone, ask, ownPort } = require('../observe');

if (cluster.isPrimary) primary();
else {
  const server = http.createServer((request, response) => {
    if (request.url !== '/slow') return response.end(request.url);
    process.on('message', () => response.end('finished'));
    process.send('in progress');
  });
  server.on('close', () => see('self', 'server closed'));
  server.listen(ownPort(), '127.0.0.1');
}

function get(agent, port, path) {
  return new Promise((resolve) => {
    const request = http.get({ agent, port, host: '127.0.0.1', path }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (part) => { body += part; }).on('end', () => resolve([request.reusedSocket, body]));
    });
  });
}

async function primary() {
  cluster.schedulingPolicy = cluster.SCHED_NONE;
  watchCluster();
  const { worker, port } = await forkListening();
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  see('client', 'got', await get(agent, port, '/a'), await get(agent, port, '/b'));
  const slow = get(agent, port, '/slow');
  await message(worker);
  const end = gone(worker);
  worker.disconnect();
  worker.send('finish');
  see('client', 'slow one', await slow);
  agent.destroy();
  await end;
  see('client', 'afterwards', await ask(port));
}
