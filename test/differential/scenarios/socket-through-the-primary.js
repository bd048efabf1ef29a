// Covers: I-26, I-28, I-32
// A worker accepts a connection and hands it to another one by way of the primary; an HTTP server there serves it.
'use strict';
const cluster = require('node:cluster');
const http = require('node:http');
const net = require('node:net');
const { see, next, gone } = require('../observe');

const roles = {
  accepts() {
    net.createServer({ pauseOnConnect: true }, (socket) => {
      process.send('take it', socket, (error) => see('self', 'sent', error));
    }).listen(0);
  },
  serves() {
    const server = http.createServer((request, response) => { see('self', 'asked for', request.url); response.end('served'); });
    process.on('message', (text, socket) => {
      see('self', text, socket instanceof net.Socket);
      server.emit('connection', socket);
      socket.resume();
      process.send('here');
    });
  },
};

if (cluster.isPrimary) {
  (async () => {
    const accepting = cluster.fork({ ROLE: 'accepts' });
    const [{ port }] = await next(accepting, 'listening');
    const serving = cluster.fork({ ROLE: 'serves' });
    await next(serving, 'online');
    accepting.on('message', (text, socket) => {
      see('main', text, socket instanceof net.Socket);
      serving.send(text, socket);
    });
    for (const path of ['/one', '/two']) {
      const here = next(serving, 'message');
      const client = net.connect(port, '127.0.0.1').setEncoding('utf8');
      let answer = '';
      client.on('data', (text) => { answer += text; });
      // Node's primary reads what is there when it gets the socket: the request comes behind that.
      await here;
      client.write(`GET ${path} HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n`);
      await next(client, 'close');
      see('client', 'got', answer.split('\r\n')[0], answer.split('\r\n\r\n')[1]);
    }
    for (const worker of [serving, accepting]) {
      worker.process.disconnect();
      await gone(worker);
    }
  })();
} else roles[process.env.ROLE]();
