// node floor_child.js <tcp|http>, started by floor.js. Each fd that arrives on the pipe is a connection; anything else asks how many it served.
'use strict';
const net = require('node:net');
const { openPipe, readPipe, writePipe } = require('../../dist/internal/native/pipes.js');
const { createServer } = require('./serve');

const server = createServer(process.argv[2]);
const pipe = openPipe(3);
let served = 0;
readPipe(pipe, (_bytes, handle) => {
  if (handle === null) {
    writePipe(pipe, String(served), null, () => {});
    return null;
  }
  served++;
  server.emit('connection', new net.Socket({ handle, readable: true, writable: true }));
  return null;
}, () => process.exit(0));
