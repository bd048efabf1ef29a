// node processes.js '{"how":"shared|reusePort|ports","workers":2,"kind":"tcp|http|mixed"}'
//
// Several processes that serve without a cluster:
//   shared     the parent sends its listening server to the children and closes its own; the children compete for connections
//   reusePort  each child listens on the same port by itself, and the kernel distributes (Node 22.12 and later)
//   ports      each child listens on a port of its own, behind a proxy
'use strict';
const { fork } = require('node:child_process');
const net = require('node:net');
const path = require('node:path');
const { answerWith, ask, fail, ready } = require('./control');

const { how, workers = 2, kind = 'tcp' } = JSON.parse(process.argv[2]);
const children = Array.from({ length: workers }, () => fork(path.join(__dirname, 'process_child.js'), [kind, how]));
for (const child of children) child.on('exit', (code, signal) => fail(`a child of the ${how} peer ended with ${signal ?? code}`));

start();

async function start() {
  const ports = how === 'shared' ? [await sendServer()] : how === 'reusePort' ? await listenOnOne() : await listenOnOwn();
  ready({ port: ports[0], ports, pids: [process.pid, ...children.map((child) => child.pid)] });
}

async function sendServer() {
  const server = net.createServer();
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address();
  await Promise.all(children.map((child) => new Promise((resolve) => {
    child.once('message', resolve);
    child.send({ serve: true }, server);
  })));
  server.close();
  return port;
}

/** The first child takes a free port, the others listen on it as well. */
async function listenOnOne() {
  const ports = [];
  for (const child of children) ports.push(await ask(child, { question: 'listen', port: ports[0] ?? 0 }));
  return ports;
}

function listenOnOwn() {
  return Promise.all(children.map((child) => ask(child, { question: 'listen', port: 0 })));
}

answerWith({
  served: () => Promise.all(children.map((child) => ask(child, { question: 'served' }))),
  open: () => Promise.all(children.map((child) => ask(child, { question: 'open' }))),
  block: ({ how, milliseconds }) => void children[0].send({ question: how, milliseconds }),
});
