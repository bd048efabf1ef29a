// Plays one sequence of operations on a cluster, and prints what every process saw.
// It runs on node:cluster; with `--require dist/lib/register.js` it runs on ours:
//   OPERATIONS='[["fork"],["listen",1,"tcp"],["connect","tcp"],["disconnect",1]]' node test/random/player.js
// Before the next operation begins, all consequences of the last one have happened. So the trace of each process is
// the same in every run. sequences.ts generates only sequences for which this is possible.
'use strict';
const cluster = require('node:cluster');
const dgram = require('node:dgram');
const net = require('node:net');
const path = require('node:path');

if (cluster.isPrimary) runPrimary(JSON.parse(process.env.OPERATIONS));
else runWorker();

// ── primary ──────────────────────────────────────────────────────────────────────────────────────

function runPrimary(operations) {
  /** Lines by their subject: 'cluster', 'worker 1', 'inside 1 tcp'. Within one subject the order is stable. */
  const trace = {};
  const note = (subject, ...words) => (trace[subject] ??= []).push(words.map(show).join(' '));
  const workers = [];
  const ports = new Map();
  const ends = new Map();
  const directory = process.env.PLAYGROUND;

  cluster.setupPrimary({ silent: false, args: [] });
  for (const event of ['fork', 'online', 'listening', 'disconnect', 'exit']) {
    cluster.on(event, (worker, ...rest) => note(`worker ${worker.id}`, 'cluster', event, ...rest.map(plain), facts(worker)));
  }

  const steps = {
    async fork() {
      const worker = cluster.fork({ PLAYGROUND: directory });
      workers[worker.id] = worker;
      for (const event of ['online', 'listening', 'disconnect', 'exit', 'error']) {
        worker.on(event, (...rest) => note(`worker ${worker.id}`, event, ...rest.map(plain), facts(worker)));
      }
      worker.on('message', (message) => {
        if (message.seen) note(`inside ${worker.id} ${message.seen[1]}`, ...message.seen);
      });
      worker.on('listening', ({ port, addressType }) => ports.set(addressType === -1 ? 'path' : addressType === 4 ? 'tcp' : 'udp', port));
      ends.set(worker.id, Promise.all([once(worker, 'exit'), once(worker, 'disconnect')]));
      await once(worker, 'online');
    },
    async listen(id, kind) {
      // The worker's answer comes before the primary's 'listening': wait for both.
      const listening = once(workers[id], 'listening');
      await ask(id, ['listen', kind]);
      await listening;
    },
    async close(id, kind) { await ask(id, ['close', kind]); },
    async echo(id, value) { note(`worker ${id}`, 'echo', (await ask(id, ['echo', value])).value); },
    async connect(kind) {
      const target = kind === 'path' ? { path: path.join(directory, 'socket') } : { port: ports.get(kind), host: '127.0.0.1' };
      const socket = net.connect(target);
      let text = '';
      socket.setEncoding('utf8').on('data', (data) => { text += data; }).on('error', (error) => { text += error.code; });
      await once(socket, 'close');
      note('client', kind, text);
    },
    async disconnect(id) { note(`worker ${id}`, 'returns itself', workers[id].disconnect() === workers[id]); await ends.get(id); },
    async kill(id, signal) { note(`worker ${id}`, 'kill returns', workers[id].kill(signal)); await ends.get(id); },
    async listenAndDisconnect(id, kind) { workers[id].send(['listen', kind]); workers[id].disconnect(); await ends.get(id); },
    async sendAndDisconnect(id) { workers[id].send(['echo', 'late']); workers[id].disconnect(); await ends.get(id); },
    async endChannel(id) { workers[id].process.disconnect(); await ends.get(id); },
    async within(id, what, argument) { workers[id].send([what, argument]); await ends.get(id); },
    async all() {
      const alive = workers.filter((worker) => worker && !worker.isDead());
      await new Promise((resolve) => cluster.disconnect(() => { note('cluster', 'callback of disconnect'); resolve(); }));
      await Promise.all(alive.map((worker) => ends.get(worker.id)));
    },
    async sendToDead(id) {
      const error = await new Promise((resolve) => { note(`worker ${id}`, 'send returns', workers[id].send('late', resolve)); });
      note(`worker ${id}`, 'send says', error && error.code, facts(workers[id]));
    },
  };

  /** Sends a request to a worker and waits for its answer; other messages may come before. */
  function ask(id, request) {
    const worker = workers[id];
    return new Promise((resolve) => {
      worker.on('message', function answered(message) {
        if (!message.done) return;
        worker.removeListener('message', answered);
        resolve(message);
      });
      worker.send(request);
    });
  }

  const facts = (worker) => [worker.state, worker.exitedAfterDisconnect, worker.isConnected(), worker.isDead(), worker.id in cluster.workers];
  const plain = (value) => (value && typeof value === 'object' && 'port' in value ? { ...value, port: Math.sign(value.port ?? 0), address: typeof value.address === 'string' ? path.basename(value.address) : value.address } : value);

  (async () => {
    for (const [name, ...rest] of operations) {
      note('cluster', 'operation', name, ...rest);
      await steps[name](...rest);
    }
    note('cluster', 'left', Object.keys(cluster.workers));
    await steps.all();
    note('cluster', 'ended', Object.keys(cluster.workers));
    const ranOn = Symbol.for('cluster-internals.taken-over') in cluster ? 'ours' : 'node';
    process.on('exit', (code) => console.log(JSON.stringify({ trace, code, ranOn })));
  })();
}

// ── worker ───────────────────────────────────────────────────────────────────────────────────────

function runWorker() {
  const { id } = cluster.worker;
  const servers = {};
  const tell = (...seen) => { if (process.connected) process.send({ seen: seen.map(show) }); };
  const done = (more) => process.send({ done: true, ...more });

  const steps = {
    listen(kind) {
      if (kind === 'udp') {
        servers.udp = dgram.createSocket('udp4');
        servers.udp.on('close', () => tell('close', kind));
        servers.udp.bind(0, '127.0.0.1', () => { tell('bound', kind); done(); });
        return;
      }
      const server = (servers[kind] = net.createServer((socket) => {
        socket.on('error', () => {});
        socket.resume().end(`worker ${id}`);
      }));
      server.on('close', () => tell('close', kind));
      server.on('error', (error) => { tell('error', kind, error.code, error.syscall); done(); });
      const listening = () => { tell('listening', kind, typeof server.address()); done(); };
      if (kind === 'path') server.listen(path.join(process.env.PLAYGROUND, 'socket'), listening);
      else server.listen(0, '127.0.0.1', listening);
    },
    close(kind) { servers[kind].close(() => done()); },
    echo(value) { done({ value }); },
    disconnect() { tell('returns itself', cluster.worker.disconnect() === cluster.worker, cluster.worker.state, cluster.worker.exitedAfterDisconnect); },
    kill() { tell('returns', cluster.worker.kill(), cluster.worker.state); },
    endChannel() { process.disconnect(); },
    exit(code) { process.exit(code); },
    throw() { process.stderr.write = () => true; throw new Error('thrown on purpose'); },
    signal(signal) { process.kill(process.pid, signal); },
  };
  cluster.worker.on('disconnect', () => tell('disconnect'));
  process.on('message', ([name, ...rest]) => steps[name](...rest));
}

// ── both ─────────────────────────────────────────────────────────────────────────────────────────

function once(emitter, event) {
  return new Promise((resolve) => emitter.once(event, (...args) => resolve(args)));
}

function show(value) {
  return typeof value === 'string' ? value : JSON.stringify(value) ?? String(value);
}
