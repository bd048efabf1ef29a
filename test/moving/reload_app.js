/**
 * A supervisor whose workers keep their connections, for reload.ts and moving.test.ts.
 *
 *   node reload_app.js WORKERS '{ options of supervise }' ['{ settings of the cluster }']
 *
 * Prints one line of JSON for each event: { port }, { ready } and { gone } for each worker with the time, { done } after each
 * command. Commands on stdin, one a line: reload, recycle, scale N, stop, counters, status, pids, give WORKER, leave WORKER HOW.
 * Ends with its stdin. With KEEPS=1 in the environment the app lets no connection move; with GRACEFUL={…} it uses `graceful`
 * with these options.
 */
'use strict';
const http = require('node:http');
const path = require('node:path');
const { answer } = require('./answer.js');
const cluster = require(path.join(__dirname, '../../dist/lib/cluster.js'));

const say = (what) => console.log(JSON.stringify(what));

if (cluster.isPrimary) {
  const { supervise } = require(path.join(__dirname, '../../dist/lib/supervisor.js'));
  const [workers, options = '{}', settings = '{}'] = process.argv.slice(2);
  const given = JSON.parse(options);
  cluster.setupPrimary(JSON.parse(settings));
  const supervisor = supervise({ exec: __filename, args: [], workers: Number(workers), canaryMs: 0, signals: false, ...given });
  let port = 0;
  cluster.on('listening', (_worker, address) => { port = address.port; });
  supervisor.on('transition', ({ worker, state: { is } }) => { if (is === 'ready' || is === 'gone') say({ [is]: worker, at: performance.now() }); });
  supervisor.started.then(() => say({ port }));
  require('node:readline').createInterface({ input: process.stdin }).on('line', async (line) => {
    const [command, argument, how] = line.split(' ');
    const began = performance.now();
    if (command === 'counters') return say({ counters: cluster.counters() });
    if (command === 'status') return say({ status: supervisor.status() });
    if (command === 'pids') say({ pids: Object.values(cluster.workers).map((worker) => worker.process.pid) });
    else if (command === 'give') await give(cluster.workers[argument]);
    else if (command === 'leave') await leave(cluster.workers[argument], how);
    else await supervisor[command](...(argument === undefined ? [] : [Number(argument)]));
    say({ done: command, ms: performance.now() - began });
  }).on('close', () => void supervisor.stop({ now: true }));

  /** A worker leaves: `disconnect`, a signal and `stands-still` come from here, anything else is for the worker. Another one has its place then. */
  async function leave(worker, how) {
    const isSettled = new Promise((resolve) => {
      supervisor.on('transition', function look() {
        const { ready, workers } = supervisor.status();
        if (ready < Number(workers) || workers.some(({ worker: id }) => id === worker.id) || workers.some(({ state: { is } }) => is !== 'ready')) return;
        supervisor.off('transition', look);
        resolve();
      });
    });
    if (how === 'disconnect') worker.disconnect();
    else if (how === 'stands-still') standStill(worker);
    else if (how.startsWith('SIG')) worker.process.kill(how);
    else worker.send(how);
    await isSettled;
  }

  /** A worker is stopped until it counts as lost. */
  function standStill({ id, process: { pid } }) {
    supervisor.on('transition', function look({ worker, state: { is } }) {
      if (worker !== id || is !== 'leaving') return;
      supervisor.off('transition', look);
      process.kill(pid, 'SIGCONT');
    });
    process.kill(pid, 'SIGSTOP');
  }

  /** A worker gives all of its idle connections to the others. */
  function give(worker) {
    return new Promise((resolve) => {
      worker.once('message', resolve);
      worker.send('give');
    });
  }
} else {
  const ways = {
    give: async () => process.send(await cluster.worker.returnIdle()),
    disconnects: () => cluster.worker.disconnect(),
    throws: () => { throw new Error('a bug'); },
    asks: () => asks(),
  };
  process.on('message', (way) => ways[way]());
  const server = http.createServer(answer);
  server.keepAliveTimeout = 120_000;
  if (process.env.KEEPS === '1') cluster.worker.movable = () => false;
  const { GRACEFUL } = process.env;
  const asks = GRACEFUL && require(path.join(__dirname, '../../dist/lib/graceful.js')).graceful(server, { onFatal: () => {}, ...JSON.parse(GRACEFUL) });
  server.listen(0);
}
