'use strict';
const http = require('node:http');

const server = http.createServer((request, response) => {
  if (request.url === '/crash') throw new Error('crash');
  response.setHeader('connection', 'close');
  response.end(String(process.pid));
}).listen(Number(process.env.PORT), '127.0.0.1', () => console.log('app listens'));
// As PM2's documentation of a graceful stop shows it.
process.on('SIGINT', () => server.close(() => process.exit(0)));
