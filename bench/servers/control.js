// How a process under test is spoken with: one JSON command per line on its standard input, one JSON
// answer per line on its standard output. The cluster's own channel carries none of it. When the
// standard input ends, the process ends, and with it its workers: nothing outlives the benchmark.
'use strict';
const { createInterface } = require('node:readline');

/** Answers each command by the function of its name; a failure is answered as { error }. */
function answerWith(commands) {
  const lines = createInterface({ input: process.stdin });
  lines.on('line', async (line) => {
    const { command, ...argument } = JSON.parse(line);
    try {
      say({ answer: (await commands[command](argument)) ?? null });
    } catch (error) {
      say({ error: String(error && error.stack) });
    }
  });
  lines.on('close', () => process.exit(0));
}

function say(message) {
  process.stdout.write(`${JSON.stringify(message)}\n`);
}

/** Says that the process is ready, with what the benchmark has to know of it. */
function ready(facts) {
  say({ ready: facts });
}

/** Ends the run: a worker that dies under load makes every figure worthless. */
function fail(reason) {
  console.error(reason);
  process.exit(1);
}

/** Asks a worker or a child one thing; it answers with the same `id`. */
function ask(worker, question) {
  return new Promise((resolve) => {
    const id = ++asked;
    const heard = (message) => {
      if (message.id !== id) return;
      worker.removeListener('message', heard);
      resolve(message.answer);
    };
    worker.on('message', heard);
    worker.send({ id, ...question });
  });
}
let asked = 0;

module.exports = { answerWith, ready, fail, ask };
