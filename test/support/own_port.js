/**
 * Ports that are not given out by the kernel: it takes those from 32768 on, and one that was free a moment
 * ago may be another test's now. Plain JavaScript, for programs that tests start, too.
 *
 * The claim on a port is an abstract unix socket: no other test of this machine gets the port, and a process that dies
 * leaves nothing behind. Such names and ports both belong to the network namespace, so a claim holds exactly where the
 * port can be taken. Other programs claim nothing: a port counts as free if it can be had at every address.
 */
'use strict';
const dgram = require('node:dgram');
const net = require('node:net');

/** A function that claims `count` ports in a row. `name` is that of its claims. */
function claims({ from, to, count, name, isFree }) {
  const blocks = (to + 1 - from) / count;
  let next = (process.pid * 7) % blocks;
  return async () => {
    for (;;) {
      const port = from + next * count;
      next = (next + 1) % blocks;
      const claim = await opened(net.createServer(), (server) => server.listen(`\0${name}-${port}`));
      if (claim === null) continue;
      const all = await Promise.all(Array.from({ length: count }, (_, index) => isFree(port + index)));
      if (all.every((one) => one)) {
        claim.unref();
        return { port, release: () => closed(claim) };
      }
      await closed(claim);
    }
  };
}

/** At `::`, which a server has without an address, an IPv4 address in use counts, too; it is 0.0.0.0 where there is no IPv6. */
const isFreeTcp = async (port) => wasFree(await opened(net.createServer(), (server) => server.listen(port)));
const isFreeUdp = async (port) => wasFree(await opened(dgram.createSocket('udp4'), (socket) => socket.bind(port)));

async function wasFree(socket) {
  if (socket !== null) await closed(socket);
  return socket !== null;
}

function opened(socket, open) {
  return new Promise((resolve) => {
    socket.once('listening', () => resolve(socket)).once('error', () => {
      socket.close(); // One for UDP still has its fd.
      resolve(null);
    });
    open(socket);
  });
}

const closed = (socket) => new Promise((resolve) => socket.close(() => resolve()));

module.exports = {
  claimPrivilegedPort: claims({ from: 900, to: 989, count: 1, name: 'own-port', isFree: isFreeTcp }),
  claimPort: claims({ from: 10_000, to: 19_999, count: 1, name: 'own-port', isFree: isFreeTcp }),
  claimTenPorts: claims({
    from: 20_000, to: 31_999, count: 10, name: 'differential-ports', isFree: async (port) => await isFreeTcp(port) && await isFreeUdp(port),
  }),
};
