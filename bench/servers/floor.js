// node floor.js '{"workers":2,"kind":"tcp|http"}'
//
// The floor: a process that accepts connections and passes each fd to a child in turn. It has no cluster code, no
// messages and no acknowledgements, and does nothing about a child that dies. No cluster in Node that accepts in one
// process and serves in another can be cheaper than this.
'use strict';
const { spawn } = require('node:child_process');
const net = require('node:net');
const path = require('node:path');
const { takeListeningHandle } = require('../../dist/internal/native/listening.js');
const { newPipe, readPipe, writePipe } = require('../../dist/internal/native/pipes.js');
const { interceptSpawn, startWithPipe } = require('../../dist/internal/native/spawning.js');
const { answerWith, fail, ready } = require('./control');

const { workers = 2, kind = 'tcp' } = JSON.parse(process.argv[2]);
const children = Array.from({ length: workers }, startChild);

function startChild() {
  const pipe = newPipe();
  const stdio = ['ignore', 'inherit', 'inherit', 'ignore'];
  const end = interceptSpawn((started, _options, start) => startWithPipe(started, pipe, 3, (given) => given, start));
  const child = spawn(process.execPath, [path.join(__dirname, 'floor_child.js'), kind], { stdio });
  end();
  child.on('exit', (code, signal) => fail(`a child of the floor ended with ${signal ?? code}`));
  const answers = [];
  const reading = readPipe(pipe, (chunk) => {
    answers.shift()?.(Number(Buffer.from(chunk)));
    return null;
  }, () => fail('a child of the floor closed its pipe'));
  if (reading !== 0) fail(`a pipe of the floor cannot be read: ${reading}`);
  return { pid: child.pid, pipe, answers };
}

const server = net.createServer();
server.listen(0, '127.0.0.1', () => {
  const { port } = server.address();
  const handle = takeListeningHandle(server);
  let turn = 0;
  handle.onconnection = (errno, connection) => {
    if (errno) return;
    const { pipe } = children[turn++ % children.length];
    const failed = writePipe(pipe, 'c', connection, () => connection.close());
    if (failed < 0) fail(`the floor could not pass a connection: ${failed}`);
  };
  ready({ port, pids: [process.pid, ...children.map((child) => child.pid)] });
});

answerWith({
  served: () => Promise.all(children.map(({ pipe, answers }) => new Promise((resolve) => {
    answers.push(resolve);
    writePipe(pipe, '?', null, () => {});
  }))),
});
