// Covers: C-40, C-63, W-6
// E4: in a process that survives exceptions each listener of the app throws, in the primary and in the worker, at each event of a whole life.
'use strict';
const cluster = require('node:cluster');
const net = require('node:net');
const { see, next, ask } = require('../observe');

process.on('uncaughtException', ({ message }) => see('thrown', message));
process.on('uncaughtExceptionMonitor', () => {}); // Looks on.

/** Records each of these events, and throws at it. */
function throwAt(emitter, subject, events) {
  for (const event of events) {
    emitter.on(event, (...values) => {
      see(subject, `'${event}'`, values.filter((value) => typeof value !== 'object' || value === null));
      throw new Error(`${subject} ${event}`);
    });
  }
}

if (cluster.isPrimary) primary();
else worker();

function worker() {
  process.on('message', (value) => {
    if (value === 'twice') for (const one of [1, 2]) process.send(`answer ${one}`, () => { throw new Error(`callback ${one}`); });
  });
  throwAt(process, 'process', ['message', 'disconnect']);
  const server = net.createServer();
  let count = 0;
  // No listener of the server throws at 'listening' and 'close': it would keep the cluster itself from hearing of them, in Node too.
  server.on('connection', (socket) => {
    socket.end(`connection ${++count}`);
    throw new Error(`connection ${count}`);
  });
  server.listen(0, '127.0.0.1');
}

async function primary() {
  throwAt(cluster, 'cluster', ['setup', 'fork']);
  const one = cluster.fork();
  // What this program waits for comes first: who throws hides an event from the listeners behind it.
  const ends = ['disconnect', 'exit'].map((event) => next(one.process, event));
  const listening = next(one, 'listening');
  const answers = new Promise((resolve) => {
    let heard = 0;
    one.on('message', (value) => {
      see('worker', 'message', value);
      if (++heard === 2) resolve();
      throw new Error(`worker message ${value}`);
    });
  });
  throwAt(cluster, 'cluster', ['online', 'listening', 'disconnect', 'exit']);
  throwAt(one.process, 'child', ['spawn', 'close']);
  const [{ port }] = await listening;
  see('client', 'got', await ask(port), await ask(port));
  one.send('twice', () => { throw new Error('callback'); });
  await answers;
  see('client', 'got', await ask(port));
  throwAt(one, 'worker', ['disconnect', 'exit']);
  one.disconnect();
  await Promise.all(ends);
  await new Promise((resolve) => setImmediate(resolve));
  see('table', Object.keys(cluster.workers));
  const two = cluster.fork();
  const again = next(two, 'listening');
  const end = next(two, 'exit');
  throwAt(two, 'worker 2', ['online', 'listening', 'exit']);
  see('client', 'got of the next', await ask((await again)[0].port));
  two.process.kill('SIGKILL');
  await end;
}
