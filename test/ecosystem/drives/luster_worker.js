'use strict';
const http = require('node:http');
const worker = require('luster');

worker.registerRemoteCommand('ask', () => worker.remoteCall('answer', process.pid));
http.createServer((request, response) => {
  response.setHeader('connection', 'close');
  response.end(String(process.pid));
}).listen(Number(process.env.port ?? process.env.PORT), '127.0.0.1');
