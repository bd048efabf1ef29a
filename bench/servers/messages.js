// node messages.js '{"implementation":"ours|stock","serialization":"json|advanced","children":1}'
//
// A parent that exchanges messages with its children, which child_process.fork or our own has started, and measures.
'use strict';
const path = require('node:path');
const { answerWith, ask, fail, ready } = require('./control');
const { flood, messageOf } = require('./flood');

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

/** Sends to every child for `seconds`. Returns how many messages were received in all, and the seconds until the last one was. */
async function down(what) {
  await Promise.all(children.map((child) => ask(child, { question: 'counted' })));
  const begin = performance.now();
  const sent = await flood(children, what);
  const counts = await Promise.all(children.map((child) => ask(child, { question: 'counted' })));
  return counted(begin, sent, counts.reduce((sum, one) => sum + one, 0));
}

/** Lets the first child send to this process for `seconds`. Returns the same. */
async function up(what) {
  const [child] = children;
  let received = 0;
  const heard = (message) => {
    if (message.answer === undefined) received++;
  };
  child.on('message', heard);
  const begin = performance.now();
  const sent = await ask(child, { question: 'flood', what });
  child.removeListener('message', heard);
  return counted(begin, sent, received);
}

function counted(begin, sent, received) {
  const seconds = (performance.now() - begin) / 1000;
  if (received !== sent) throw new Error(`${sent} messages were sent and ${received} received`);
  return { count: received, seconds };
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

answerWith({ down, up, roundTrips });
