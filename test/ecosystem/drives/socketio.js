/** @socket.io/sticky with the cluster adapter: clients on several workers, long polling and websocket, broadcasts between workers, a killed worker. */
'use strict';
const { drive, equal, start, until } = require('./steps');
const { io } = require('socket.io-client');

const url = `http://127.0.0.1:${process.env.PORT}`;
const connect = (transports) => new Promise((resolve, reject) => {
  const socket = io(url, { transports, forceNew: true, reconnectionDelay: 100 });
  socket.once('connect', () => resolve(socket)).once('connect_error', (error) => reject(error));
});
const ask = (socket, name, ...args) => socket.timeout(10_000).emitWithAck(name, ...args);

drive(async (step) => {
  const app = start('socketio_app.js');
  await step('the primary listens', () => app.line(/^listening$/));
  const sockets = await step('six clients, by polling and by websocket', () => Promise.all(['polling', 'websocket', 'polling', 'websocket', 'polling', 'websocket'].map((transport) => connect([transport]))));
  await step('they are on both workers', async () => equal(new Set(await Promise.all(sockets.map((socket) => ask(socket, 'pid')))).size, 2, 'workers'));
  await step('a broadcast reaches all of them', async () => {
    const all = sockets.map((socket) => new Promise((resolve) => socket.once('news', resolve)));
    sockets[0].emit('tell all', 'hello');
    equal(await Promise.all(all), Array(6).fill('hello'), 'news');
  });
  await step('fetchSockets counts those of all workers', async () => equal(await ask(sockets[1], 'count'), 6, 'sockets'));
  await step('after a worker is killed its clients are on the other', async () => {
    const victim = await ask(sockets[0], 'pid');
    process.kill(victim, 'SIGKILL');
    const moved = async () => {
      await until('six clients on other workers', async () => (await Promise.all(sockets.map((socket) => ask(socket, 'pid')))).every((pid) => pid !== victim));
      await until('six sockets', async () => (await ask(sockets[0], 'count')) === 6);
    };
    // @socket.io/sticky sends 'sticky:abort' without a callback: a primary that is not ours can die of that (D18).
    const ended = app.ended.then(({ code, signal }) => { throw new Error(`the primary ended with ${signal ?? code}`); });
    await Promise.race([moved(), ended]);
  });
  for (const socket of sockets) socket.disconnect();
  await step('ends', async () => equal((await app.stop('SIGTERM')).code, 0, 'exit code'));
});
