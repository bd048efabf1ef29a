'use strict';
const http = require('node:http');

http.createServer((request, response) => {
  if (request.url === '/crash') process.exit(1);
  response.setHeader('connection', 'close');
  response.end(String(process.pid));
}).listen(Number(process.env.PORT), '127.0.0.1');
