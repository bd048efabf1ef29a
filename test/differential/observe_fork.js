/**
 * What a scenario of `scenarios_fork` uses to tell what it saw; see observe.js, which is the same for
 * programs that use a cluster. The two differ in who names a process: here only the parent knows what
 * a child is called ("C1" is its first fork), so a log is named by its pid, and says whom it forked.
 *
 * Never    adds a listener before `processListeners` was taken, changes an argument or a result of
 *          `fork`, keeps a descriptor open, or holds the event loop
 */
'use strict';
const childProcess = require('node:child_process');
const dgram = require('node:dgram');
const fs = require('node:fs');
const net = require('node:net');
const path = require('node:path');
const { inspect } = require('node:util');
const { next, message, ask, turns, ownPort } = require('./waits');

/** What listened on `process` before the program did anything. */
const processListeners = Object.fromEntries(
  ['message', 'internalMessage', 'disconnect', 'newListener', 'removeListener', 'exit', 'error', 'warning'].map((event) => [event, process.listenerCount(event)]));

const directory = process.env.DIFF_TRACE;
const name = process.env.DIFF_NAME ?? String(process.pid);
const registered = Object.keys(require.cache).find((file) => /register_fork\.(js|ts)$/.test(file));
const names = new Map();

function record(entry) {
  if (directory) fs.appendFileSync(path.join(directory, `${name}.log`), `${JSON.stringify(entry)}\n`);
  else if (entry.text !== undefined) fs.writeSync(2, `${name} ${entry.subject}: ${entry.text}\n`);
}

/** Records something that happened to `subject` in this process. */
function see(subject, what, ...values) {
  record({ subject, text: [what, ...values.map(show)].join(' ') });
}

/** How a value is written down: by what can be compared between two runs. */
function show(value) {
  if (names.has(value)) return names.get(value);
  if (value instanceof Error) {
    const { name: kind, code, errno, syscall, address, port, message: text } = value;
    return `${kind} ${inspect({ code, errno, syscall, address, port, message: text }, { breakLength: Infinity })}`;
  }
  if (value instanceof net.Socket || value instanceof net.Server || value instanceof dgram.Socket) return value.constructor.name;
  return inspect(value, { breakLength: Infinity, depth: 6 });
}

// The children of one process are numbered in the order in which it forked them.
const { fork } = childProcess;
childProcess.fork = function (...args) {
  const child = fork.apply(this, args);
  if (registered !== undefined && '_handleQueue' in child) throw new Error('not forked by ours');
  const as = `C${names.size + 1}`;
  names.set(child, as);
  if (child.pid !== undefined) record({ child: child.pid, as });
  return child;
};

// A child with another execPath speaks over Node's own channel under ours as well; what it forks does not.
const oursIsHere = registered !== undefined || (process.channel && !('_handleQueue' in process));
record({ subject: 'self', text: 'started', implementation: oursIsHere ? 'ours' : 'stock' });
// By an exception that nobody catches: for the runner, which wants it declared (test/support/deaths.ts).
process.on('uncaughtExceptionMonitor', (error) => {
  if (process.listenerCount('uncaughtException') === 0 && !process.hasUncaughtExceptionCaptureCallback()) record({ subject: 'self', dies: String(error) });
});
process.on('exit', (code) => see('self', 'exits with', code));

// ── what scenarios watch ─────────────────────────────────────────────────────────────────────────

/** Records these events of a child, with their arguments. */
function watch(child, events = ['spawn', 'message', 'disconnect', 'exit']) {
  const subject = names.get(child);
  for (const event of events) {
    child.on(event, function (...values) {
      see(subject, `child '${event}'`, ...values);
      if (this !== child) see(subject, 'wrong this');
    });
  }
  return child;
}

/** What is known of a child at this moment. */
function look(child, when) {
  const { connected, channel, exitCode, signalCode, killed } = child;
  see(names.get(child), when, { connected, channel: channel === null ? null : typeof channel, exitCode, signalCode, killed });
}

/**
 * Waits until a child's channel and process have ended, as in observe.js. Not for 'close', which Node
 * does not always emit.
 */
function gone(child) {
  const exit = next(child, 'exit');
  exit.then(() => turns());
  return Promise.all([exit, next(child, 'disconnect')]);
}

/** The outcome of a call, recorded: what it gave, or what it threw. */
function attempt(subject, what, call) {
  try {
    const value = call();
    see(subject, what, 'gave', value);
    return value;
  } catch (error) {
    see(subject, what, 'threw', error);
  }
}

/** Stops this process, without a turn of its event loop, until `unblock` in another one. */
function block(file) {
  while (!fs.existsSync(file)) Atomics.wait(pause, 0, 0, 1);
}

function unblock(file) {
  fs.writeFileSync(file, '');
}

const pause = new Int32Array(new SharedArrayBuffer(4));

/** Arguments or flags, without what puts ours in the place of Node's. */
function withoutRegister(args) {
  const at = args.findIndex((arg, index) => arg === '--require' && args[index + 1] === registered);
  return at === -1 ? args : args.filter((_, index) => index !== at && index !== at + 1);
}

module.exports = {
  see, show, watch, look, gone, attempt, block, unblock, withoutRegister, processListeners, registered,
  nameOf: (child) => names.get(child),
  next, message, ask, turns, ownPort,
};
