// node cluster.js '{"implementation":"ours|stock","policy":"rr|none","workers":2,"kind":"tcp|http|mixed"}'
//
// A cluster under test. Both implementations run this file and worker.js with the same flags; only the module
// `cluster` differs. `scheduling` exists in ours only. With `fork: false` no worker is started: the row `fork`
// asks for each one.
'use strict';
const path = require('node:path');
const { answerWith, ask, fail, ready } = require('./control');

const { implementation, policy = 'rr', workers = 2, kind = 'tcp', scheduling, fork = true } = JSON.parse(process.argv[2]);
const cluster = implementation === 'ours' ? require('../../dist/lib/cluster.js') : require('node:cluster');

cluster.schedulingPolicy = policy === 'none' ? cluster.SCHED_NONE : cluster.SCHED_RR;
cluster.setupPrimary({ exec: path.join(__dirname, 'worker.js'), args: [kind, '0'], ...(scheduling ? { scheduling: ruleOf(scheduling) } : {}) });

if (fork) startAll();
else ready({ pids: [process.pid] });

async function startAll() {
  cluster.on('exit', (worker, code, signal) => fail(`worker ${worker.id} of the ${implementation} cluster ended with ${signal ?? code}`));
  const started = Array.from({ length: workers }, () => cluster.fork());
  const addresses = await Promise.all(started.map((worker) => new Promise((resolve) => worker.once('listening', resolve))));
  const ours = await ask(started[0], { question: 'ours' });
  if (ours !== (implementation === 'ours')) fail(`the ${implementation} cluster runs ${ours ? 'our' : 'Node\'s'} code`);
  ready({ port: addresses[0].port, pids: [process.pid, ...started.map((worker) => worker.process.pid)] });
}

function inOrder() {
  return Object.values(cluster.workers);
}

/** A rule by its name. 'function' is round robin again, as a function of the user. */
function ruleOf(name) {
  if (name !== 'function') return name;
  let turn = 0;
  return (_connection, candidates) => candidates[turn++ % candidates.length];
}

answerWith({
  served: () => Promise.all(inOrder().map((worker) => ask(worker, { question: 'served' }))),
  open: () => Promise.all(inOrder().map((worker) => ask(worker, { question: 'open' }))),
  block: ({ how, milliseconds }) => void inOrder()[0].send({ question: how, milliseconds }),
  fork: forkOne,
});

/** Forks one worker, measures the milliseconds until 'online' and until 'listening', and ends it. */
async function forkOne() {
  const start = performance.now();
  const worker = cluster.fork();
  const times = {};
  worker.once('online', () => { times.online = performance.now() - start; });
  await new Promise((resolve) => worker.once('listening', resolve));
  times.listening = performance.now() - start;
  const gone = new Promise((resolve) => worker.once('exit', resolve));
  worker.process.kill('SIGKILL');
  await gone;
  return times;
}
