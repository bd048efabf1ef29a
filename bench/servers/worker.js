// node worker.js <tcp|http> <port>, forked by cluster.js: a worker as any app has it.
'use strict';
const { answerQuestions, createServer } = require('./serve');

const [kind, port] = process.argv.slice(2);
answerQuestions();
createServer(kind).listen(Number(port), '127.0.0.1');
