// node messages_program.js '{"workers":16,"messages":1000000}': sends numbered messages to the workers,
// which send each one back. `messages` counts both directions: half are sent to the workers, half come back.
// Prints { sent, received, disordered }.
const cluster = require('../../dist/lib/cluster.js');

const WINDOW = 500;

if (cluster.isWorker) {
  let expected = 0;
  process.on('message', (number) => process.send({ number, disordered: number !== expected++ }));
} else {
  const { workers, messages } = JSON.parse(process.argv[2]);
  const share = Math.floor(messages / workers / 2);
  const result = { sent: 0, received: 0, disordered: 0 };
  let running = workers;
  cluster.setupPrimary({ exec: __filename, args: [] });
  for (let count = 0; count < workers; count++) {
    const worker = cluster.fork();
    let sent = 0;
    let received = 0;
    const send = () => {
      while (sent < share && sent - received < WINDOW) {
        worker.send(sent++);
        result.sent++;
      }
    };
    worker.once('online', send);
    worker.on('message', ({ number, disordered }) => {
      result.sent++;
      result.received += 2;
      if (disordered || number !== received) result.disordered++;
      received++;
      if (received === share) {
        worker.disconnect();
        if (--running === 0) console.log(JSON.stringify(result));
      } else if (sent - received < WINDOW / 2) {
        send();
      }
    });
  }
}
