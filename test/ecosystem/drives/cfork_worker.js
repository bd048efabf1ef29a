'use strict';
const http = require('node:http');
const cluster = require('node:cluster');

process.once('uncaughtException', () => {
  cluster.worker.disconnect();
  setTimeout(() => process.exit(1), 100).unref();
});
http.createServer((request, response) => {
  if (request.url === '/exit') process.exit(3);
  if (request.url === '/throw') throw new Error('thrown');
  response.setHeader('connection', 'close');
  response.end(String(process.pid));
}).listen(Number(process.env.PORT), '127.0.0.1');
