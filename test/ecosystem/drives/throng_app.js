'use strict';
const http = require('node:http');
const throng = require('throng');

throng({
  count: 2,
  grace: 3000,
  master: () => console.log('primary'),
  worker: (id, disconnect) => {
    const server = http.createServer((request, response) => {
      if (request.url === '/crash') process.exit(1);
      response.setHeader('connection', 'close');
      response.end(String(process.pid));
    }).listen(Number(process.env.PORT), '127.0.0.1');
    process.once('SIGTERM', () => {
      console.log('worker left');
      server.close();
      disconnect();
    });
  },
});
