/**
 * Ports that are not given out by the kernel: it takes those from 32768 on, and one that was free a moment
 * ago may be another test's now. Plain JavaScript, for programs that tests start, too.
 */
'use strict';
const net = require('node:net');

const FIRST = 10_000;
const LAST = 19_999;
let next = FIRST + ((process.pid * 7) % (LAST - FIRST));

/** A port of our own until `release`, or the end of this process. The claim on it is an abstract unix socket. */
async function claimPort() {
  for (;;) {
    const port = next;
    next = next < LAST ? next + 1 : FIRST;
    const claim = await listening(`\0own-port-${port}`);
    if (claim === null) continue;
    const probe = await listening(port, '127.0.0.1');
    if (probe !== null) {
      await closed(probe);
      claim.unref();
      return { port, release: () => closed(claim) };
    }
    await closed(claim);
  }
}

function listening(...where) {
  return new Promise((resolve) => {
    const server = net.createServer();
    server.once('error', () => resolve(null)).listen(...where, () => resolve(server));
  });
}

const closed = (server) => new Promise((resolve) => server.close(() => resolve()));

module.exports = { claimPort };
