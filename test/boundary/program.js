// node program.js '[faults]': a primary with a healthy worker, and for each fault a worker that suffers
// it. Clients come while it listens. Prints one line of JSON per fault: what became of everybody.
// A fault whose victim is the primary ends this program: there is one of those, the last.
const { openSync, readFileSync, readdirSync, writeSync } = require('node:fs');
const net = require('node:net');
const path = require('node:path');
const { claimPort } = require('../support/own_port');

if (require('node:cluster').isWorker) runWorker();
else void runPrimary(JSON.parse(process.argv[2]));

function runWorker() {
  const cluster = require('node:cluster');
  const record = openSync(process.env.RECORD, 'a');
  const server = net.createServer((socket) => {
    socket.on('error', () => {});
    writeSync(record, `${socket.remotePort}\n`);
    socket.on('data', (data) => socket.end(data));
  }).listen(Number(process.env.PORT), '127.0.0.1');
  process.on('message', (what) => {
    if (what === 'close') server.close();
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
  cluster.schedulingPolicy = cluster.SCHED_RR;
  const start = (env = {}) => {
    const worker = cluster.fork({ PORT: String(port), ...env });
    console.log(`fork ${worker.process.pid}`);
    return worker;
  };
  cluster.setupPrimary({ exec: __filename, args: [] });
  const healthy = start();
  await event(healthy, 'listening');
  console.log(`listening ${port}`);
  await client(port);
  for (const fault of faults) {
    const { message, seenBy, moment, action, victim, dialect, trigger } = fault;
    const before = sockets();
    cluster.setupPrimary({ exec: __filename, args: [], dialect });
    const hooked = { name: message.name, act: message.act, way: seenBy === message.from ? 'sent' : 'received', moment, action };
    const suffers = start(seenBy === 'worker' ? { NODE_OPTIONS: `--require ${hook}`, FAULT: JSON.stringify(hooked) } : {});
    const { pid } = suffers.process;
    let fired = seenBy === 'worker';
    if (seenBy === 'primary') {
      watch({ ...hooked, worker: `W${suffers.id}` }, () => {
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
    let listens = false;
    suffers.once('listening', () => { listens = true; });
    await until(() => listens || stopped());
    const outcomes = [];
    // One after the other, so that each worker has its turn; behind them some at once.
    const serve = () => Array.from({ length: CLIENTS }, () => client(port).then((outcome) => outcomes.push(outcome)));
    const clients = serve();
    await until(() => outcomes.length >= CLIENTS / 2 || stopped());
    if (ends === 0 && !(action === 'stop' && stopped())) {
      if (trigger === 'disconnect') suffers.isConnected() && suffers.disconnect();
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
