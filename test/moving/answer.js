/** The request listener of the apps of this directory. clients.ts checks its answers. */
'use strict';
const cluster = require('node:cluster');
const { createHash } = require('node:crypto');

/** Answers with what came: the name of the request, the length and the hash of its body. */
exports.answer = function answer(request, response) {
  const hash = createHash('sha1');
  let length = 0;
  request.on('data', (chunk) => {
    hash.update(chunk);
    length += chunk.length;
  });
  request.on('end', () => {
    const body = JSON.stringify({ name: request.url, method: request.method, length, hash: hash.digest('hex'), worker: cluster.worker.id });
    const send = () => response.writeHead(200, { 'content-length': Buffer.byteLength(body), 'x-name': request.url }).end(body);
    if (request.url.includes('late')) setTimeout(send, 5);
    else send();
  });
};
