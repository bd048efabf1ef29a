// Covers: N-2, N-6, N-7, N-8, N-10
// What net does with the handle that it gets in answer to its query, or with an error.
'use strict';
const cluster = require('node:cluster');
const net = require('node:net');
const { see } = require('../observe');

cluster.isPrimary = false;
let answer;
cluster._getServer = (asker, query, given) => { answer = given; };

/** Tells what is done to it. */
function handle(options = {}) {
  const calls = { listen: () => 0, readStart: () => 0, close() {}, ref() {}, unref() {}, ...options };
  return Object.fromEntries(Object.entries(calls).map(([name, call]) => [name, function (...values) { see('handle', name, ...values); return call(...values); }]));
}

function listen(what, ...way) {
  see('handle', what);
  const server = net.createServer().listen(...way);
  for (const event of ['listening', 'error', 'close', 'connection', 'drop']) server.on(event, (value) => see('handle', event, value));
  return server;
}
const turn = () => new Promise((resolve) => setImmediate(resolve));

(async () => {
  let server = listen('good', 0);
  answer(0, handle());
  see('handle', 'state', server.listening, server._connectionKey, server.address(), Object.getOwnPropertySymbols(server._handle).length);
  await turn();
  server._handle.onconnection(-24);
  server.maxConnections = 0;
  server._handle.onconnection(0, handle());
  server.unref();
  server.ref();
  server.close();
  await turn();

  server = listen('unref before the answer', { port: 4, backlog: 7 });
  server.unref();
  answer(0, handle({ getsockname(out) { Object.assign(out, { port: 4, address: 'a', family: 'f' }); return 0; } }));
  await turn();
  see('handle', 'address', server.address());
  server.close();
  await turn();

  listen('another port', 4);
  answer(0, handle({ getsockname(out) { out.port = 5; return 0; } }));
  await turn();
  listen('does not listen', 4, 6);
  answer(0, handle({ listen: () => -98 }));
  await turn();
  listen('error', 4);
  answer(-98, null);
  see('handle', 'answered');
  await turn();
  server = listen('closed before the answer', 4);
  server.close((error) => see('handle', 'closed', error?.code));
  answer(0, handle());
  await turn();
  server = listen('asked twice', 4);
  const first = answer;
  server.listen(5);
  first(0, handle());
  answer(0, handle());
  await turn();
  see('handle', 'key', server._connectionKey);
  server.close();
})();
