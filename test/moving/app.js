/**
 * A cluster whose workers give their idle connections away all the time, for traffic.ts.
 *
 *   node app.js WORKERS EVERY_MS      prints `port N`, then on each line of its stdin the counters as JSON; ends with stdin
 *
 * Each EVERY_MS one worker, in turn, is asked for all its idle connections.
 */
'use strict';
const { createHash } = require('node:crypto');
const http = require('node:http');
const path = require('node:path');
const cluster = require(path.join(__dirname, '../../dist/lib/cluster.js'));

/** Answers with what came: the name of the request, the length and the hash of its body. */
function answer(request, response) {
  const hash = createHash('sha1');
  let length = 0;
  request.on('data', (chunk) => {
    hash.update(chunk);
    length += chunk.length;
  });
  request.on('end', () => {
    const body = JSON.stringify({ name: request.url, method: request.method, length, hash: hash.digest('hex'), worker: cluster.worker.id });
    const send = () => response.writeHead(200, { 'content-length': Buffer.byteLength(body), 'x-name': request.url }).end(body);
    if (request.url.includes('late')) setTimeout(send, 5);
    else send();
  });
}

if (cluster.isPrimary) {
  const [workers = '2', everyMs = '20'] = process.argv.slice(2);
  cluster.setupPrimary({ exec: __filename, args: [] });
  const all = Array.from({ length: Number(workers) }, () => cluster.fork());
  let listening = 0;
  let turn = 0;
  cluster.on('listening', (_worker, { port }) => {
    if (++listening < all.length) return;
    console.log(`port ${port}`);
    const timer = setInterval(() => all[turn++ % all.length].returnIdle(), Number(everyMs));
    process.stdin.on('data', () => console.log(JSON.stringify(cluster.counters())));
    process.stdin.on('end', () => {
      clearInterval(timer);
      for (const worker of all) worker.process.kill('SIGKILL');
    });
  });
} else {
  const server = http.createServer(answer);
  server.keepAliveTimeout = 60_000;
  server.listen(0);
}
