// Covers: N-12, W-6, P-20
// http2: several streams of one session go to one worker; disconnect waits for the session.
'use strict';
const cluster = require('node:cluster');
const http2 = require('node:http2');
const { see, watchCluster, forkListening, next, gone, ask, ownPort } = require('../observe');

if (cluster.isPrimary) primary();
else {
  const server = http2.createServer();
  server.on('stream', (stream, headers) => {
    stream.respond({ ':status': 200, 'x-worker': cluster.worker.id });
    stream.end(`${headers[':path']}`);
  });
  server.on('close', () => see('self', 'server closed'));
  server.listen(ownPort(), '127.0.0.1');
}

function get(session, path) {
  return new Promise((resolve) => {
    const stream = session.request({ ':path': path });
    let body = '';
    let by;
    stream.on('response', (headers) => { by = headers['x-worker']; });
    stream.setEncoding('utf8').on('data', (part) => { body += part; }).on('end', () => resolve([by, body]));
  });
}

async function primary() {
  watchCluster();
  const workers = [await forkListening(), await forkListening()];
  for (const { worker, port } of workers) {
    const session = http2.connect(`http://127.0.0.1:${port}`);
    await next(session, 'connect');
    see('client', 'one worker', new Set((await Promise.all([get(session, '/a'), get(session, '/b'), get(session, '/c')])).map(([by]) => by)).size);
    see('client', 'got', (await get(session, '/d'))[1]);
    const end = Promise.all(workers.map((one) => (one.worker === worker ? gone(worker) : null)));
    const closed = next(session, 'close');
    worker.disconnect();
    session.close();
    await closed;
    await end;
  }
  see('client', 'afterwards', await ask(workers[0].port));
}
