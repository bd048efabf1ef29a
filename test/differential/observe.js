/**
 * What a scenario uses to tell what it saw, plus the few waits and clients that scenarios share.
 * Plain CommonJS, so that a scenario runs on every Node without a loader: `node scenarios/hello.js`
 * prints what it sees; with DIFF_TRACE=<directory> each process appends to a file of its own there.
 *
 * A record belongs to a subject ("W1", "client"). Records of one subject are in a fixed order;
 * between two subjects of one process the order may vary from run to run, and is not compared.
 *
 * Cluster messages are recorded by themselves, under both implementations: under ours from the
 * diagnostics channel, under Node's by looking at 'internalMessage' and at what goes through `send`.
 * With DIFF_UNTAPPED they are not, and nothing is put between a runtime and its `send`: for runtimes that
 * are judged without Node's wire.
 *
 * Never    keeps a descriptor open, adds an 'error' listener, or holds the event loop
 */
'use strict';
const cluster = require('node:cluster');
const diagnostics = require('node:diagnostics_channel');
const fs = require('node:fs');
const net = require('node:net');
const path = require('node:path');
const { inspect } = require('node:util');
const { next, message, ask, turns, ownPort } = require('./waits');

const directory = process.env.DIFF_TRACE;
const implementation = Symbol.for('cluster-internals.taken-over') in cluster ? 'ours' : 'stock';
const name = cluster.isWorker && cluster.worker ? `W${cluster.worker.id}` : process.env.DIFF_NAME ?? 'P';
let apart = false;
let ends = false;
const ROUND_TRIP = 'round trip';

function record(entry) {
  if (directory) fs.appendFileSync(path.join(directory, `${name}.log`), `${JSON.stringify(entry)}\n`);
  else fs.writeSync(2, `${name} ${entry.subject}: ${entry.text ?? `${entry.way} ${JSON.stringify(entry.message)}`}\n`);
}

/** Records something that happened to `subject` in this process. */
function see(subject, what, ...values) {
  record({ subject, text: [what, ...values.map(show)].join(' ') });
}

/** How a value is written down: by what can be compared between two runs. */
function show(value) {
  if (value === cluster) return 'cluster';
  if (value instanceof cluster.Worker) return `Worker(${value.id})`;
  if (value instanceof Error) {
    const { name: kind, code, errno, syscall, address, port, message } = value;
    return `${kind} ${inspect({ code, errno, syscall, address, port, message }, { breakLength: Infinity })}`;
  }
  if (value instanceof net.Socket || value instanceof net.Server) return value.constructor.name;
  return inspect(value, { breakLength: Infinity, depth: 6 });
}

// ── cluster messages ─────────────────────────────────────────────────────────────────────────────

/**
 * What a cluster sends by itself is numbered, but for our `accepted`; what a scenario forges is not, and not recorded. Nor are
 * the messages of D64: they come when time has passed, also to a process that has no descriptor for a record.
 */
function recordMessage(way, peer, message, handle) {
  if (message.seq === undefined && message.act !== 'accepted') return;
  if (message.act === 'progress' || message.act === 'quota') return;
  record({ subject: peer === 'P' ? 'self' : peer, way, message, handle: Boolean(handle), apart });
}

/** From now on what is sent and what is received are two subjects: for scenarios in which they race. */
function directionsApart() {
  apart = true;
}

/**
 * From now on the 'exit' of a worker is a subject of its own: for scenarios in which several leave at
 * once. Whoever looks for one that is dead finds the others too, before the ends of their channels.
 */
function endsApart() {
  ends = true;
}

const subjectOf = (worker, event) => (ends && event === 'exit' ? `W${worker.id} exit` : `W${worker.id}`);

/** Node's cluster has no trace: what a process-like object says and hears is seen at its two ends. */
function tap(target, peer) {
  const isCluster = (message) => message !== null && typeof message === 'object' && message.cmd === 'NODE_CLUSTER';
  const { send } = target;
  if (typeof send !== 'function') return;
  target.send = function (message, handle, ...rest) {
    if (isCluster(message)) recordMessage('sent', peer, message, handle);
    return send.call(this, message, handle, ...rest);
  };
  // Before Node's own listener, so that a message precedes what it causes.
  target.prependListener('internalMessage', (message, handle) => {
    if (isCluster(message)) recordMessage('received', peer, message, handle);
  });
}

if (process.env.DIFF_UNTAPPED) {
  // Only what the scenario itself sees.
} else if (implementation === 'ours') {
  diagnostics.subscribe('cluster-internals:message', ({ way, from, to, message, fd }) => {
    recordMessage(way, way === 'sent' ? to : from, message, fd !== undefined);
  });
} else if (cluster.isPrimary) {
  const { fork } = cluster;
  cluster.fork = (env) => {
    const worker = fork(env);
    if (worker.process.pid !== undefined) tap(worker.process, `W${worker.id}`);
    return worker;
  };
} else {
  tap(process, 'P');
}

record({ subject: 'self', text: 'started', implementation });
// By an exception that nobody catches: for the runner, which wants it declared (test/support/deaths.ts).
process.on('uncaughtExceptionMonitor', (error) => {
  if (process.listenerCount('uncaughtException') === 0 && !process.hasUncaughtExceptionCaptureCallback()) record({ subject: 'self', dies: String(error) });
});
process.on('exit', (code) => see('self', 'exits with', code));

// ── what scenarios watch ─────────────────────────────────────────────────────────────────────────

/** Records every event of the cluster object, with its arguments, under the worker that it names. */
function watchCluster() {
  for (const event of ['fork', 'online', 'listening', 'disconnect', 'exit', 'message']) {
    cluster.on(event, function (worker, ...values) {
      if (values[0] === ROUND_TRIP) return;
      see(subjectOf(worker, event), `cluster '${event}'`, worker, ...values);
      if (this !== cluster) see(`W${worker.id}`, 'wrong this');
    });
  }
}

/** Records every event of a worker in the primary but 'error', whose listener would change what happens. */
function watchWorker(worker) {
  for (const event of ['online', 'listening', 'disconnect', 'exit', 'message']) {
    worker.on(event, function (...values) {
      if (values[0] === ROUND_TRIP) return;
      see(subjectOf(worker, event), `worker '${event}'`, ...values);
      if (this !== worker) see(`W${worker.id}`, 'wrong this');
    });
  }
  return worker;
}

/** What a primary knows of a worker at this moment. */
function look(worker, when) {
  const { id, state, exitedAfterDisconnect } = worker;
  see(`W${id}`, when, {
    state, exitedAfterDisconnect, connected: worker.isConnected(), dead: worker.isDead(), inTable: id in cluster.workers,
  });
}

/** Looks at the worker whenever something happens to it. */
function lookAtEachEvent(worker) {
  for (const event of ['online', 'listening', 'disconnect', 'exit']) worker.on(event, () => look(worker, `at '${event}':`));
}

/** Forks a watched worker with these variables and waits until it listens; gives it and its address. */
async function forkListening(env) {
  const worker = watchWorker(cluster.fork(env));
  const [info] = await next(worker, 'listening');
  return { worker, ...info };
}

/**
 * Waits until both the worker's channel and its process have ended. The kernel ends the channel first;
 * where 'exit' is told first all the same (P-5) the end is read in the turns after it, which a primary
 * might not live to see whose channel Node has unref'ed (I-60b).
 */
function gone(worker) {
  const exit = next(worker, 'exit');
  exit.then(() => turns());
  return Promise.all([exit, next(worker, 'disconnect')]);
}

/**
 * In a worker: everything that this worker has sent has been received and answered. Twice, since the
 * primary binds a port in a turn of its own. Needs `answerRoundTrips`, and leaves no record.
 */
async function roundTrip() {
  for (let count = 0; count < 2; count++) {
    const answered = next(process, 'message');
    process.send(ROUND_TRIP);
    await answered;
  }
}

/** In the primary: answers `roundTrip`. */
function answerRoundTrips(worker) {
  worker.on('message', (value) => { if (value === ROUND_TRIP) worker.send('answered'); });
  return worker;
}

module.exports = {
  see, show, watchCluster, watchWorker, look, lookAtEachEvent, next, message, forkListening, gone, ask, turns, ownPort,
  directionsApart, endsApart, roundTrip, answerRoundTrips,
};
