// node program.js '[faults]': a primary with a healthy worker, and for each fault a worker that suffers
// it. Clients come while it listens. Prints one line of JSON per fault: what became of everybody.
// A fault whose victim is the primary ends this program: there is one of those, the last.
const { openSync, readFileSync, readdirSync, writeSync } = require('node:fs');
const net = require('node:net');
const path = require('node:path');
const { claimPort } = require('../support/own_port');
const { movingOf } = require('../../dist/internal/moving.js');

if (require('node:cluster').isWorker) runWorker();
else void runPrimary(JSON.parse(process.argv[2]));

function runWorker() {
  const cluster = require('node:cluster');
  const record = openSync(process.env.RECORD, 'a');
  const echo = (socket) => {
    socket.on('error', () => {});
    writeSync(record, `${socket.remotePort}\n`);
    socket.on('data', (data) => socket.end(data));
  };
  const server = net.createServer(echo).listen(Number(process.env.PORT), '127.0.0.1');
  // Its connections are kept alive, and move.
  require('node:http').createServer((request, response) => response.end('served')).listen(Number(process.env.HTTP_PORT), '127.0.0.1');
  // Here the workers accept by themselves. The healthy one opens the address when the setting for it holds.
  const share = () => net.createServer(echo).listen(Number(process.env.SHARED_PORT), '127.0.0.1');
  if (process.env.SHARES) share();
  process.on('message', (what) => {
    if (what === 'close') server.close();
    else if (what === 'share') share();
    // As the supervisor's agent does when the worker leaves.
    else if (what === 'withdraw') movingOf(cluster.worker).withdraw(() => cluster.worker.disconnect());
    else cluster.worker.disconnect();
  });
}

const CLIENTS = 6;
const DEADLINE = 20_000;

async function runPrimary(faults) {
  const cluster = require('../../dist/lib/cluster.js');
  const { watch } = require('./hook.js');
  const { event, until } = tools(cluster);
  const hook = path.join(__dirname, 'hook.js');
  const { port } = await claimPort();
  const { port: httpPort } = await claimPort();
  const { port: sharedPort } = await claimPort();
  cluster.schedulingPolicy = cluster.SCHED_RR;
  const start = (env = {}) => {
    const worker = cluster.fork({ PORT: String(port), HTTP_PORT: String(httpPort), SHARED_PORT: String(sharedPort), ...env });
    console.log(`fork ${worker.process.pid}`);
    return worker;
  };
  cluster.setupPrimary({ exec: __filename, args: [] });
  const healthy = start();
  let addresses = 0;
  await new Promise((resolve) => healthy.on('listening', () => ++addresses === 2 && resolve()));
  console.log(`listening ${port}`);
  if (faults.some(({ trigger }) => trigger === 'share')) {
    cluster.setupPrimary({ exec: __filename, args: [], scheduling: 'shared' });
    healthy.send('share');
    await event(healthy, 'listening');
  }
  await client(port);
  for (const fault of faults) {
    const { message, seenBy, moment, action, victim, dialect, as, trigger } = fault;
    const before = sockets();
    cluster.setupPrimary({ exec: __filename, args: [], dialect });
    const hooked = { name: message.name, act: message.act, way: seenBy === message.from ? 'sent' : 'received', moment, action };
    const shares = trigger === 'share' ? { SHARES: 'yes' } : {};
    const suffers = start(seenBy === 'worker' ? { NODE_OPTIONS: `--require ${hook}`, FAULT: JSON.stringify(hooked), ...shares } : shares);
    const { pid } = suffers.process;
    let fired = seenBy === 'worker';
    if (seenBy === 'primary') {
      watch({ ...hooked, worker: `W${as === undefined ? suffers.id : healthy.id}` }, () => {
        fired = true;
        if (victim === 'primary') return action === 'kill' ? process.kill(process.pid, 'SIGKILL') : process.exit(3);
        if (action === 'close') return suffers.isConnected() && suffers.process.disconnect();
        process.kill(pid, action === 'kill' ? 'SIGKILL' : 'SIGSTOP');
      });
    }
    let ends = 0;
    const told = [];
    for (const end of ['exit', 'disconnect']) suffers.once(end, (code, signal) => { ends++; told.push(end === 'exit' ? signal ?? code : end); });
    const stopped = () => ends > 0 || stateOf(pid) === 'T';
    let listens = 0;
    suffers.on('listening', () => { listens++; });
    await until(() => listens === (trigger === 'share' ? 3 : 2) || stopped());
    const outcomes = [];
    // One after the other, so that each worker has its turn; behind them some at once.
    const serve = () => Array.from({ length: CLIENTS }, () => client(port).then((outcome) => outcomes.push(outcome)));
    const clients = serve();
    await until(() => outcomes.length >= CLIENTS / 2 || stopped());
    const kept = trigger === 'give' || trigger === 'take' ? await Promise.all(Array.from({ length: CLIENTS }, () => keptAlive(httpPort))) : [];
    if (ends === 0 && !(action === 'stop' && stopped())) {
      if (trigger === 'disconnect') suffers.isConnected() && suffers.disconnect();
      else if (trigger === 'give') suffers.returnIdle();
      else if (trigger === 'take') healthy.returnIdle();
      else if (trigger === 'share') {
        // Clients come until the worker has reported, and got its quota. One that it has when it is stopped is answered by nobody.
        while (!stopped()) {
          const pair = [1, 2].map(() => client(sharedPort).then((outcome) => outcomes.push(outcome)));
          clients.push(...pair);
          await Promise.race([Promise.all(pair), until(stopped)]);
        }
      }
      else if (trigger !== 'nothing' && suffers.isConnected()) suffers.send(trigger, () => {});
    }
    if (action === 'stop') {
      await until(stopped);
      clients.push(...serve());
      // Of those that come now the healthy worker serves some, while the other stands still.
      const served = outcomes.length;
      await until(() => ends > 0 || outcomes.length > served || outcomes.length === clients.length);
      if (stateOf(pid) === 'T') process.kill(pid, 'SIGKILL');
    }
    await until(() => ends === 2);
    // Those whose connection has moved, or stayed with the healthy worker, are served; the others see its end.
    clients.push(...kept.map((again) => again().then((outcome) => outcomes.push(outcome))));
    clients.push(...serve());
    await Promise.all(clients);
    await until(() => sockets() <= before, 5000);
    console.log(JSON.stringify({ fired, told, outcomes: tally(outcomes), twice: twice(), fds: sockets() - before, table: Object.keys(cluster.workers).length }));
  }
  healthy.process.kill('SIGKILL');
  await event(healthy, 'exit');
  process.exit(0);
}

/** How often each port was a client's here. */
const ports = new Map();

function client(port) {
  return new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1');
    let said = '';
    const timer = setTimeout(() => { resolve('hung'); socket.destroy(); }, DEADLINE);
    socket.setEncoding('utf8').on('data', (text) => { said += text; });
    socket.on('connect', () => {
      ports.set(socket.localPort, (ports.get(socket.localPort) ?? 0) + 1);
      socket.write('hello');
    });
    socket.on('error', (error) => { if (error.code === 'ECONNREFUSED') said = 'refused'; });
    socket.on('close', () => {
      clearTimeout(timer);
      resolve(said === 'hello' ? 'served' : said || 'reset');
    });
  });
}

/** A connection on which one request was served. The returned function sends another one on it. */
async function keptAlive(port) {
  const http = require('node:http');
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  let connection;
  const ask = () => new Promise((resolve) => {
    const request = http.get({ port, agent, timeout: DEADLINE }, (response) => response.resume().on('end', () => resolve('served')));
    request.on('socket', (socket) => { connection ??= socket; if (connection !== socket) request.destroy(); });
    request.on('timeout', () => { resolve('hung'); request.destroy(); });
    request.on('error', () => resolve('reset'));
  });
  await ask();
  return () => ask().finally(() => agent.destroy());
}

/** Connections that more workers have seen than there were. */
function twice() {
  const seen = new Map();
  for (const line of readFileSync(process.env.RECORD, 'utf8').trim().split('\n')) seen.set(Number(line), (seen.get(Number(line)) ?? 0) + 1);
  return [...seen].filter(([port, count]) => ports.has(port) && count > ports.get(port)).length;
}

function tally(values) {
  const counts = {};
  for (const value of values) counts[value] = (counts[value] ?? 0) + 1;
  return counts;
}

const sockets = () => readdirSync('/proc/self/fd').length;

function stateOf(pid) {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\) /, '')[0];
  } catch {
    return 'gone';
  }
}

function tools() {
  return {
    event: (emitter, name) => new Promise((resolve) => emitter.once(name, resolve)),
    // Looks again in each turn of the event loop; a stopped process tells nobody that it is.
    until: async (fact, deadline = DEADLINE) => {
      const end = performance.now() + deadline;
      while (!fact() && performance.now() < end) await new Promise((resolve) => setTimeout(resolve, 2));
    },
  };
}
