// Forked by messages.js: counts the messages that it receives, sends each of them back, or sends many itself.
'use strict';
const { flood } = require('./flood');

let count = 0;
let echoes = false;

process.on('message', (message) => {
  const question = message.question;
  if (question === undefined) {
    if (echoes) process.send(message);
    else count++;
  } else if (question === 'echo') {
    echoes = message.on;
  } else if (question === 'flood') {
    flood([process], message.what).then((sent) => process.send({ id: message.id, answer: sent }));
  } else {
    process.send({ id: message.id, answer: count });
    count = 0;
  }
});
process.on('disconnect', () => process.exit(0));
