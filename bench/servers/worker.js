// node worker.js <tcp|http> <port>, forked by cluster.js: an ordinary worker of an ordinary cluster.
'use strict';
const { answerQuestions, createServer } = require('./serve');

const [kind, port] = process.argv.slice(2);
answerQuestions();
createServer(kind).listen(Number(port), '127.0.0.1');
