/**
 * Shows how the taker treats a connection that has moved. Two workers and their clients; prints one line of JSON for each
 * case: its name, and the values that were seen. receiver.test.ts has the expected ones.
 *
 *   node receiver.js
 */
'use strict';
const http = require('node:http');
const net = require('node:net');
const path = require('node:path');
const { once } = require('node:events');
const cluster = require(path.join(__dirname, '../../dist/lib/cluster.js'));

if (cluster.isPrimary) void runPrimary();
else runWorker();

// ── worker ───────────────────────────────────────────────────────────────────────────────────────

function runWorker() {
  /** By the port of the client: what has happened to its connection here. */
  const seen = {};
  const of = (port) => (seen[port] ??= { connections: 0, closes: 0, bytesRead: [] });
  let drops = 0;
  // Node looks for connections that are beyond their time-outs only so often.
  const server = http.createServer({ connectionsCheckingInterval: 20 }, (request, response) => {
    of(request.socket.remotePort).bytesRead.push(request.socket.bytesRead);
    setTimeout(() => response.end(`worker ${cluster.worker.id}.`), Number(request.headers['x-late'] ?? 0));
  });
  server.on('connection', (socket) => {
    const { remotePort } = socket;
    of(remotePort).connections++;
    of(remotePort).bytesRead.push(socket.bytesRead);
    socket.on('close', () => { of(remotePort).closes++; });
  });
  server.on('drop', () => { drops++; });
  const defaults = {};
  for (const name of ['keepAliveTimeout', 'keepAliveTimeoutBuffer', 'headersTimeout', 'requestTimeout', 'timeout', 'maxRequestsPerSocket', 'maxConnections', 'dropMaxConnection']) defaults[name] = server[name];
  cluster.worker.movable = () => true; // The 'close' listener above is ours.
  const steps = {
    set: (settings) => void Object.assign(server, defaults, settings),
    give: () => cluster.worker.returnIdle(),
    seen: (port) => of(port),
    drops: () => drops,
    count: () => new Promise((resolve) => { server.getConnections((_error, count) => resolve(count)); }),
    close: () => new Promise((resolve) => { server.close(() => resolve('closed')); }),
  };
  process.on('message', async ({ seq, step, argument }) => process.send({ seq, result: await steps[step](argument) ?? null }));
  server.listen(0, '127.0.0.1');
}

// ── primary ──────────────────────────────────────────────────────────────────────────────────────

const REQUEST = 'GET / HTTP/1.1\r\nHost: x\r\n\r\n';
const DEADLINE = 20_000;

/** A client's connection. */
class Client {
  constructor(port) {
    this.text = '';
    this.closed = false;
    this.socket = net.connect(port, '127.0.0.1');
    this.socket.on('error', () => {}).on('data', (data) => { this.text += data; }).on('close', () => { this.closed = true; });
  }

  /** Sends, and waits for the whole answer, or the end. Returns the worker that has answered, or the status, or 'closed'. */
  async ask(text = REQUEST) {
    this.text = '';
    this.socket.write(text);
    await until(() => this.closed || /worker \d+\./.test(this.text) || /^HTTP\/1.1 4/.test(this.text));
    return Number(/worker (\d+)\./.exec(this.text)?.[1] ?? /^HTTP\/1.1 (4\d+)/.exec(this.text)?.[1] ?? NaN) || 'closed';
  }

  get says() {
    return /^connection: (\S+)/im.exec(this.text)?.[1];
  }
}

async function until(holds) {
  const end = performance.now() + DEADLINE;
  while (!(await holds())) {
    if (performance.now() > end) throw new Error(`it never holds: ${holds}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

async function runPrimary() {
  cluster.setupPrimary({ exec: __filename, args: [] });
  const workers = [cluster.fork(), cluster.fork()];
  const [[, { port }]] = await Promise.all(workers.map(() => once(cluster, 'listening')));
  let seq = 0;
  const ask = (id, step, argument) => new Promise((resolve) => {
    const mine = ++seq;
    const worker = cluster.workers[id];
    worker.on('message', function answered(message) {
      if (message.seq !== mine) return;
      worker.off('message', answered);
      resolve(message.result);
    });
    worker.send({ seq: mine, step, argument });
  });
  const print = (what, ...values) => console.log(JSON.stringify([what, ...values]));
  const clients = [];
  const connect = () => clients[clients.push(new Client(port)) - 1];

  /** A connection that one worker has served once, and gives to the other one. Both have these settings before. */
  async function moved({ both = {}, taker = {} } = {}) {
    for (const { id } of workers) await ask(id, 'set', both);
    const client = connect();
    const from = await client.ask();
    const to = 3 - from;
    await ask(to, 'set', { ...both, ...taker });
    const counts = async () => [await ask(from, 'count'), await ask(to, 'count')];
    const before = await counts();
    const arrived = performance.now();
    await ask(from, 'give');
    await until(async () => (await ask(to, 'seen', client.socket.localPort)).connections > 0);
    return { client, from, to, arrived, before, after: await counts() };
  }

  /** A client that connects to the taker and sends nothing: it shows that the taker has looked at its time-outs. */
  async function silentOne() {
    const silent = [connect(), connect()];
    await until(() => silent.some(({ text }) => text.startsWith('HTTP/1.1 408')));
    for (const { socket } of silent) socket.destroy();
  }

  const cases = {
    async 'new connection'() {
      const { client, from, to } = await moved();
      const late = 'GET / HTTP/1.1\r\nHost: x\r\nX-Is: longer\r\n\r\n';
      const same = await client.ask(late) === to;
      const { localPort } = client.socket;
      const [there, here] = [await ask(from, 'seen', localPort), await ask(to, 'seen', localPort)];
      return [same, there, here, [REQUEST.length, late.length]];
    },
    async 'getConnections'() {
      const { before, after } = await moved();
      return [before, after];
    },
    async 'maxConnections'() {
      for (const { id } of workers) await ask(id, 'set');
      const [client, other] = [connect(), connect()];
      const from = await client.ask();
      const to = await other.ask();
      await ask(to, 'set', { maxConnections: 1 });
      await ask(from, 'set', { maxConnections: -1 });
      const { rejected } = cluster.counters();
      void ask(from, 'give');
      // Neither of them has room.
      await until(() => cluster.counters().rejected >= rejected + 2);
      const { queued, inFlight } = cluster.counters();
      const answer = client.ask();
      other.socket.destroy();
      return [from !== to, queued + inFlight, await answer === to];
    },
    async 'drop'() {
      if (Number(process.versions.node.split('.')[0]) < 22) return ['no option dropMaxConnection'];
      for (const { id } of workers) await ask(id, 'set');
      const [client, other] = [connect(), connect()];
      const from = await client.ask();
      const to = await other.ask();
      await ask(to, 'set', { maxConnections: 1, dropMaxConnection: true });
      await ask(from, 'give');
      await until(() => client.closed);
      return [await ask(to, 'drops'), await ask(from, 'drops')];
    },
    async 'keepAliveTimeout'() {
      const { client, arrived } = await moved({ taker: { keepAliveTimeout: 200, keepAliveTimeoutBuffer: 0 } });
      client.text = '';
      await until(() => client.closed);
      return [performance.now() - arrived >= 200, client.text];
    },
    async 'keepAliveTimeout and a request that takes longer'() {
      const { client, to } = await moved({ taker: { keepAliveTimeout: 200, keepAliveTimeoutBuffer: 0 } });
      const served = await client.ask('GET / HTTP/1.1\r\nHost: x\r\nX-Late: 500\r\n\r\n') === to;
      await until(() => client.closed);
      return [served];
    },
    async 'headersTimeout and requestTimeout while it is idle'() {
      const answers = [];
      for (const keepAliveTimeout of [60_000, 0]) {
        const { client, to } = await moved({ taker: { keepAliveTimeout, headersTimeout: 200, requestTimeout: 250 } });
        client.text = '';
        await silentOne();
        answers.push([client.closed, client.text, await client.ask() === to]);
      }
      return answers;
    },
    async 'headersTimeout from the first byte of the next request'() {
      const { client } = await moved({ taker: { headersTimeout: 200 } });
      const began = performance.now();
      return [await client.ask('GET / HT'), performance.now() - began >= 200];
    },
    async 'timeout'() {
      const { client, arrived } = await moved({ taker: { keepAliveTimeout: 0, timeout: 200 } });
      await until(() => client.closed);
      return [performance.now() - arrived >= 200];
    },
    async 'maxRequestsPerSocket'() {
      const { client } = await moved({ both: { maxRequestsPerSocket: 2 } });
      const says = [];
      for (let at = 0; at < 2; at++) says.push([await client.ask() !== 'closed', client.says]);
      return says;
    },
    async 'close'() {
      const { client, from, to } = await moved({ both: { keepAliveTimeout: 60_000 } });
      const began = performance.now();
      const said = await ask(to, 'close');
      await until(() => client.closed);
      return [said, performance.now() - began < 10_000, await connect().ask() === from];
    },
  };
  for (const [name, play] of Object.entries(cases)) {
    print(name, ...await play());
    for (const { socket } of clients.splice(0)) socket.destroy();
    await until(async () => (await Promise.all(workers.map(({ id }) => ask(id, 'count')))).every((count) => count === 0));
  }
  for (const worker of workers) worker.process.kill('SIGKILL');
}
