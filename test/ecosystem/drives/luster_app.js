'use strict';
const luster = require('luster');

luster.configure({
  app: 'luster_worker.js',
  workers: 2,
  control: { stopTimeout: 3000, exitThreshold: 100, allowedSequentialDeaths: 10 },
  server: { port: Number(process.env.PORT) },
}, true, __dirname).run();

if (luster.isMaster) {
  luster.once('running', () => console.log('running'));
  luster.on('restarted', () => console.log('restarted'));
  luster.once('shutdown', () => {
    console.log('shutdown');
    process.exit(0);
  });
  process.on('SIGUSR2', () => luster.softRestart());
  process.on('SIGTERM', () => luster.shutdown());
  let answered = 0;
  luster.registerRemoteCommand('answer', () => {
    if (++answered % 2 === 0) console.log('both answered');
  });
  process.on('SIGUSR1', () => luster.remoteCallToAll('ask'));
}
