/**
 * What scenarios wait for, and the client that they share. Plain CommonJS, as the scenarios are.
 */
'use strict';
const net = require('node:net');

/** The arguments of the next such event. Unlike `events.once` it leaves 'error' alone. */
function next(emitter, event) {
  return new Promise((resolve) => emitter.once(event, (...values) => resolve(values)));
}

/** The next message of this emitter for which `test` holds. */
function message(emitter, test = () => true) {
  return new Promise((resolve) => {
    emitter.on('message', function listener(value, handle) {
      if (!test(value)) return;
      emitter.removeListener('message', listener);
      resolve([value, handle]);
    });
  });
}

/** Connects, says `text` if there is one, and gives all that came until the end, or the error's code. */
function ask(where, text) {
  return new Promise((resolve) => {
    const socket = net.connect(typeof where === 'number' ? { port: where, host: '127.0.0.1' } : { path: where });
    let answer = '';
    socket.setEncoding('utf8').on('data', (part) => { answer += part; });
    if (text !== undefined) socket.write(text);
    socket.on('error', (error) => resolve(error.code));
    socket.on('close', () => resolve(answer));
  });
}

/** Some turns of the event loop: whatever is readable by now has been read after them. */
async function turns(count = 10) {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve));
}

/** A port that no other scenario of this run uses. */
function ownPort(index = 0) {
  return Number(process.env.DIFF_PORT ?? 20800) + index;
}

module.exports = { next, message, ask, turns, ownPort };
