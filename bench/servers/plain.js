// The app of `npm run bench -- peers`: one plain program for any runtime that has node:cluster and node:http. It knows
// nothing of the bench and of any implementation. Settings come from the environment:
//
//   PORT, WORKERS   the port of 127.0.0.1, and how many workers a primary forks (and forks again when one dies)
//   PLAIN=process   no cluster: this process serves by itself; with REUSE_PORT=1 other processes have the same port
//   SERVED          a file: a process that listens appends `listening <pid>` to it, and before each answer the `id` of the
//                   request
//
// A primary prints one line of JSON when all workers listen, a process when it listens: { "port", "pids" }, its own
// pid first. Under a process manager (PM2, `cluster-internals run`) it is a worker from the start and prints nothing.
//
//   GET /pid?id=N     {"pid":123,"id":"N"}
//   GET /block?ms=N   the process does not return to its event loop for so long, then answers
'use strict';
const cluster = require('node:cluster');
const fs = require('node:fs');
const http = require('node:http');

const { env } = process;
const port = Number(env.PORT);
const log = env.SERVED ? fs.openSync(env.SERVED, 'a') : null;

if (env.PLAIN === 'process') serve((listening) => say(listening, [process.pid]));
else if (cluster.isPrimary) supervise(Number(env.WORKERS));
else serve(() => {});

function supervise(count) {
  const waiting = new Set();
  let said = false;
  const fork = () => waiting.add(cluster.fork().id);
  cluster.on('exit', (worker) => {
    waiting.delete(worker.id);
    fork();
  });
  cluster.on('listening', (worker, address) => {
    waiting.delete(worker.id);
    if (said || waiting.size > 0) return;
    said = true;
    say(address.port, [process.pid, ...Object.values(cluster.workers).map((one) => one.process.pid)]);
  });
  for (let at = 0; at < count; at++) fork();
}

function serve(listening) {
  const server = http.createServer((request, response) => {
    const [path, query] = request.url.split('?');
    const given = query === undefined ? '' : query.slice(query.indexOf('=') + 1);
    if (path === '/block') block(Number(given));
    if (log !== null && path === '/pid') fs.writeSync(log, `${given}\n`);
    const body = `{"pid":${process.pid},"id":"${path === '/pid' ? given : ''}"}`;
    const headers = { 'Content-Type': 'application/json', 'Content-Length': body.length };
    if (request.headers.connection === 'close') headers.Connection = 'close';
    response.writeHead(200, headers);
    response.end(body);
  });
  const options = { port, host: '127.0.0.1' };
  if (env.REUSE_PORT === '1') options.reusePort = true;
  server.listen(options, () => {
    if (log !== null) fs.writeSync(log, `listening ${process.pid}\n`);
    listening(server.address().port);
  });
}

/** Sleeps without using a CPU. */
function block(milliseconds) {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
}

function say(listening, pids) {
  process.stdout.write(`${JSON.stringify({ port: listening, pids })}\n`);
}
