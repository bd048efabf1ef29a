// node process_child.js <tcp|http> <shared|reusePort|ports>, forked by processes.js.
'use strict';
const { answerQuestions, createServer } = require('./serve');

const [kind, how] = process.argv.slice(2);
const server = createServer(kind);
answerQuestions();
process.on('disconnect', () => process.exit(0));
process.on('message', ({ id, question, serve, port }, listening) => {
  if (question === 'listen') {
    server.listen({ port, host: '127.0.0.1', reusePort: how === 'reusePort' }, () => process.send({ id, answer: server.address().port }));
  }
  if (serve) {
    listening.on('connection', (socket) => server.emit('connection', socket));
    process.send({ listening: true });
  }
});
