// Covers: N-12, Q-3, Q-4, Q-11
// tls: a session of TLS 1.2 and one of 1.3 that one worker gave are resumed by the other.
'use strict';
const cluster = require('node:cluster');
const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const tls = require('node:tls');
const { see, forkListening, gone } = require('../observe');

if (cluster.isPrimary) primary();
else {
  const server = tls.createServer({ key: fs.readFileSync('key.pem'), cert: fs.readFileSync('cert.pem'), ticketKeys: Buffer.alloc(48, cluster.worker.id) });
  server.on('secureConnection', (socket) => socket.on('error', () => {}).end(`${cluster.worker.id} ${socket.isSessionReused()}`));
  server.listen(0, '127.0.0.1');
}

function connect(port, maxVersion, session) {
  return new Promise((resolve) => {
    let kept = session;
    let text = '';
    const socket = tls.connect({ port, host: '127.0.0.1', rejectUnauthorized: false, session, maxVersion, minVersion: maxVersion });
    socket.on('session', (next) => { kept = next; });
    socket.setEncoding('utf8').on('data', (part) => { text += part; });
    socket.on('error', ({ code }) => resolve([code]));
    socket.on('close', () => resolve([...text.split(' '), kept]));
  });
}

async function primary() {
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', 'key.pem', '-out', 'cert.pem', '-subj', '/CN=localhost'], { stdio: 'ignore' });
  const workers = [await forkListening(), await forkListening()];
  const [{ port }] = workers;
  for (const version of ['TLSv1.2', 'TLSv1.3']) {
    const [first, fresh, session] = await connect(port, version);
    // Until the other one has its turn.
    let by = first;
    let reused;
    while (by === first) [by, reused] = await connect(port, version, session);
    see('client', version, fresh, by !== first, reused);
  }
  for (const { worker } of workers) {
    const end = gone(worker);
    worker.disconnect();
    await end;
  }
}
