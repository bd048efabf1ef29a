// What both ends of bench/rows/messages.ts share: the messages, and how a program sends many of them.
'use strict';

/** At most so many messages are sent in one turn of the event loop, as by a program that has other work. */
const BURST = 1000;
/** The bytes of '{"type":"count","id":12345,"data":""}'. */
const ENVELOPE = 37;

/** A message of `size` bytes; an object's JSON text has that many. */
function messageOf({ size, content }) {
  if (content === 'object') return { type: 'count', id: 12345, data: 'x'.repeat(size - ENVELOPE) };
  return content === 'buffer' ? Buffer.alloc(size, 'x') : 'x'.repeat(size);
}

/**
 * Sends messages to every target for `seconds`, as Node's documentation says: after a send() that returned false it
 * sends one more message, with a callback, and waits for that. Returns how many messages it has sent.
 */
async function flood(targets, { seconds, ...what }) {
  const message = messageOf(what);
  const deadline = performance.now() + seconds * 1000;
  let sent = 0;
  while (performance.now() < deadline) {
    const full = new Set();
    const rounds = Math.ceil(BURST / targets.length);
    for (let round = 0; round < rounds && full.size === 0; round++) {
      for (const target of targets) if (!target.send(message)) full.add(target);
      sent += targets.length;
      if (round % 16 === 0 && performance.now() > deadline) break;
    }
    sent += full.size;
    if (full.size === 0) await new Promise(setImmediate);
    else await Promise.all([...full].map((target) => new Promise((resolve) => target.send(message, resolve))));
  }
  return sent;
}

module.exports = { messageOf, flood };
