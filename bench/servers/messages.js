// node messages.js '{"implementation":"ours|stock","serialization":"json|advanced","children":1}'
//
// A parent that sends messages to its children, which child_process.fork or our own has started, and measures. It
// follows Node's documentation: after a send() that returned false it sends one more message, with a callback, and
// waits for that. It sends BURST messages at most in one turn of the event loop, like a program that has other work.
'use strict';
const path = require('node:path');
const { answerWith, ask, fail, ready } = require('./control');

const BURST = 1000;
const { implementation, serialization = 'json', children: count = 1 } = JSON.parse(process.argv[2]);
const { fork } = implementation === 'ours' ? require('../../dist/lib/child_process.js') : require('node:child_process');

const children = Array.from({ length: count }, () => {
  const child = fork(path.join(__dirname, 'messages_child.js'), [], { serialization });
  child.on('exit', (code, signal) => fail(`a child of the ${implementation} parent ended with ${signal ?? code}`));
  return child;
});
start();

async function start() {
  await Promise.all(children.map((child) => ask(child, { question: 'counted' })));
  ready({ pids: [process.pid, ...children.map((child) => child.pid)] });
}

/** The bytes of '{"type":"count","id":12345,"data":""}'. */
const ENVELOPE = 37;

/** A message of `size` bytes; an object's JSON text has that many. */
function messageOf({ size, content }) {
  if (content === 'object') return { type: 'count', id: 12345, data: 'x'.repeat(size - ENVELOPE) };
  return content === 'buffer' ? Buffer.alloc(size, 'x') : 'x'.repeat(size);
}

/** Sends to every child for `seconds`. Returns how many messages were received in all, and the seconds until the last one was. */
async function oneWay({ seconds, ...what }) {
  const message = messageOf(what);
  await Promise.all(children.map((child) => ask(child, { question: 'counted' })));
  const begin = performance.now();
  const deadline = begin + seconds * 1000;
  let sent = 0;
  while (performance.now() < deadline) {
    const full = new Set();
    const rounds = Math.ceil(BURST / children.length);
    for (let round = 0; round < rounds && full.size === 0; round++) {
      for (const child of children) if (!child.send(message)) full.add(child);
      sent += children.length;
      if (round % 16 === 0 && performance.now() > deadline) break;
    }
    sent += full.size;
    if (full.size === 0) await new Promise(setImmediate);
    else await Promise.all([...full].map((child) => new Promise((resolve) => child.send(message, resolve))));
  }
  const counts = await Promise.all(children.map((child) => ask(child, { question: 'counted' })));
  const elapsed = (performance.now() - begin) / 1000;
  const received = counts.reduce((sum, one) => sum + one, 0);
  if (received !== sent) throw new Error(`${sent} messages were sent and ${received} received`);
  return { count: received, seconds: elapsed };
}

/** Sends one message, waits until it comes back, sends the next, for `seconds`. */
function roundTrips({ seconds, ...what }) {
  const message = messageOf(what);
  const [child] = children;
  const begin = performance.now();
  const deadline = begin + seconds * 1000;
  let count = 0;
  return new Promise((resolve) => {
    child.send({ question: 'echo', on: true });
    child.on('message', function heard() {
      count++;
      const now = performance.now();
      if (now < deadline) return child.send(message);
      child.removeListener('message', heard);
      child.send({ question: 'echo', on: false });
      resolve({ count, seconds: (now - begin) / 1000 });
    });
    child.send(message);
  });
}

answerWith({ oneWay, roundTrips });
