// Covers: I-22, I-29, I-45, P-6
// Sockets and messages for workers that were killed, and what the clients of these sockets see: sent before the primary
// has noticed the end (W1), between 'disconnect' and 'exit' (W2), and while the worker was alive and did not read (W3).
'use strict';
const cluster = require('node:cluster');
const fs = require('node:fs');
const net = require('node:net');
const { see, watchWorker, next, message, turns } = require('../observe');

const CLIENTS = 3;

if (cluster.isPrimary) primary();
else {
  process.on('message', () => { for (;;); });
  process.send('ready');
}

/** The kernel closes its channel with the last of its threads; then there is only a zombie. */
function isZombie(pid) {
  return /^State:\s+Z/m.test(fs.readFileSync(`/proc/${pid}/status`, 'utf8')) && fs.readdirSync(`/proc/${pid}/task`).length === 1;
}

function kill({ process: { pid } }) {
  process.kill(pid, 'SIGKILL');
}

const ways = {
  'before it is noticed': (worker, send) => {
    kill(worker);
    while (!isZombie(worker.process.pid));
    send();
  },
  'between the two events': (worker, send) => {
    worker.once('disconnect', send);
    kill(worker);
  },
  'while it does not read': async (worker, send) => {
    await new Promise((resolve) => worker.send('never read again', resolve));
    send();
    await turns();
    kill(worker);
  },
};

async function primary() {
  const server = net.createServer({ pauseOnConnect: true }).listen(0, '127.0.0.1');
  await next(server, 'listening');
  for (const [way, end] of Object.entries(ways)) {
    const worker = watchWorker(cluster.fork());
    const subject = `W${worker.id}`;
    worker.on('error', (error) => see(subject, "'error'", error));
    await message(worker);
    see(subject, way);
    const clients = [];
    for (let count = 0; count < CLIENTS; count++) clients.push(await connect(server));
    await end(worker, () => {
      for (const [at, { socket }] of clients.entries()) {
        // As programs do: what could not be sent is closed.
        worker.send('socket', socket, (error) => {
          see(`${subject} callback`, 'socket', at, error);
          if (error) socket.destroy();
        });
      }
      worker.send('message', (error) => see(`${subject} callback`, 'message', error));
    });
    if (!worker.isDead()) await next(worker, 'exit');
    await turns(50);
    for (const [at, { client, seen }] of clients.entries()) {
      see(`${subject} client`, at, seen());
      client.destroy();
    }
  }
  process.exit(0);
}

/** A client, what it has seen so far, and its socket in this process. */
async function connect(server) {
  const connection = next(server, 'connection');
  let seen = 'nothing';
  const client = net.connect(server.address().port, '127.0.0.1').resume();
  client.on('end', () => { seen = 'end'; }).on('error', ({ code }) => { seen = code; });
  const [socket] = await connection;
  return { client, socket, seen: () => seen };
}
