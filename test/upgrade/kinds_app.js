/**
 * As app.js, for all kinds of addresses. KINDS says in JSON where workers listen: each key is the number of a primary, from 1 on,
 * with or without the id of a worker of it (`2`, `2.1`), each value a list of options of `listen`, or `{ udp: port }` for a socket
 * that sends each datagram back. What no key names is as in the primary before. A worker says 'ready' at each address.
 */
'use strict';
const http = require('node:http');
const path = require('node:path');
const cluster = require(path.join(__dirname, '../../dist/lib/cluster.js'));
const { answer } = require('../moving/answer.js');

if (cluster.isPrimary) {
  process.env.GENERATION = String(Number(process.env.GENERATION ?? 0) + 1);
  process.env.EXEC = __filename;
  require('./app.js');
} else {
  const kinds = JSON.parse(process.env.KINDS);
  let found;
  for (let at = Number(process.env.GENERATION); found === undefined; at--) found = kinds[`${at}.${cluster.worker.id}`] ?? kinds[at];
  for (const { udp, ...options } of found) {
    if (udp === undefined) {
      http.createServer((request, response) => (request.url === '/exit' ? process.exit(1) : answer(request, response))).listen(options, () => process.send('ready'));
    } else {
      const socket = require('node:dgram').createSocket('udp4');
      socket.on('message', (text, { port, address }) => socket.send(text, port, address)).bind(udp, '127.0.0.1');
    }
  }
}
