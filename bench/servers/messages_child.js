// Forked by messages.js: counts the messages that it receives, or sends each of them back.
'use strict';
let count = 0;
let echoes = false;

process.on('message', (message) => {
  const question = message.question;
  if (question === undefined) {
    if (echoes) process.send(message);
    else count++;
  } else if (question === 'echo') {
    echoes = message.on;
  } else {
    process.send({ id: message.id, answer: count });
    count = 0;
  }
});
process.on('disconnect', () => process.exit(0));
