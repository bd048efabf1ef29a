/**
 * A cluster whose workers give their idle connections away all the time, for traffic.ts.
 *
 *   node app.js WORKERS EVERY_MS      prints `port N`, then on each line of its stdin the counters as JSON; ends with stdin
 *
 * Each EVERY_MS one worker, in turn, is asked for all its idle connections.
 */
'use strict';
const http = require('node:http');
const path = require('node:path');
const { answer } = require('./answer.js');
const cluster = require(path.join(__dirname, '../../dist/lib/cluster.js'));

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
