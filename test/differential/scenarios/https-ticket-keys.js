// Covers, N-12
// All workers of one https address share the ticket keys of the first, so a session resumes anywhere.
'use strict';
const cluster = require('node:cluster');
const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const https = require('node:https');
const tls = require('node:tls');
const { see, message, gone } = require('../observe');

if (cluster.isPrimary) primary();
else {
  const server = https.createServer({ key: fs.readFileSync('key.pem'), cert: fs.readFileSync('cert.pem'), ticketKeys: Buffer.alloc(48, cluster.worker.id) });
  server.listen(0, '127.0.0.1', () => process.send({ keys: server.getTicketKeys().toString('hex').slice(0, 4), port: server.address().port }));
  server.on('request', (request, response) => response.end(`worker ${cluster.worker.id} ${request.socket.isSessionReused()}`));
}

function request(port, session) {
  return new Promise((resolve) => {
    let kept = session;
    const socket = tls.connect({ port, host: '127.0.0.1', rejectUnauthorized: false, session, maxVersion: 'TLSv1.2' });
    socket.on('session', (next) => { kept = next; });
    socket.write('GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
    let body = '';
    socket.setEncoding('utf8').on('data', (part) => { body += part; });
    socket.on('close', () => resolve([body.match(/worker \d \w+/)?.[0], kept]));
  });
}

async function primary() {
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', 'key.pem', '-out', 'cert.pem', '-subj', '/CN=localhost'], { stdio: 'ignore' });
  const workers = [];
  let port;
  for (let count = 0; count < 2; count++) {
    const worker = cluster.fork();
    const [told] = await message(worker);
    see('main', 'keys of', worker, told.keys);
    port = told.port;
    workers.push(worker);
  }
  const [first, session] = await request(port);
  const [second] = await request(port, session);
  see('client', 'got', first, second);
  for (const worker of workers) {
    const end = gone(worker);
    worker.disconnect();
    await end;
  }
}
