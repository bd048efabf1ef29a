// How a process under test is controlled: it reads one JSON command per line from its stdin, and writes one JSON
// answer per line to its stdout. The channel of the cluster carries nothing of this. When stdin ends, the process
// ends, and its workers with it: nothing outlives the benchmark.
'use strict';
const { createInterface } = require('node:readline');

/** Answers each command with the result of the function of that name, or with { error }. */
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

/** Reports that the process is ready: its pids, its port. */
function ready(facts) {
  say({ ready: facts });
}

/** Ends the run. After the death of a worker under load no figure is worth anything. */
function fail(reason) {
  console.error(reason);
  process.exit(1);
}

/** Asks a worker or a child a question; the answer carries the same `id`. */
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
