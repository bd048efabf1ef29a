// Covers: I-55, I-57, I-58
// Both sides disconnect, once and twice: what holds at which moment.
'use strict';
const { see, look, gone, attempt, turns, nameOf, block, unblock } = require('../observe_fork');
const childProcess = require('node:child_process');

async function disconnectTwice(subject, target) {
  target.on('error', (error) => see(subject, "'error'", error));
  target.on('disconnect', () => see(subject, "'disconnect'", target.connected, target.channel));
  process.nextTick(() => see(subject, 'tick before'));
  attempt(subject, 'disconnect', () => target.disconnect());
  process.nextTick(() => see(subject, 'tick after'));
  see(subject, 'right after', target.connected, target.channel);
  attempt(subject, 'again', () => target.disconnect());
  await turns();
  attempt(subject, 'and again', () => target.disconnect());
  await turns();
}

if (process.argv[2] === 'child disconnects') process.once('message', () => disconnectTwice('self', process));
else if (process.argv[2] === 'child') {
  // It lives until the parent has tried everything.
  process.on('disconnect', () => { see('self', "'disconnect'", process.connected, process.channel); block('go on'); });
  process.on('message', () => {});
} else {
  (async () => {
    for (const way of ['child', 'child disconnects']) {
      const child = childProcess.fork(__filename, [way]);
      for (const event of ['disconnect', 'exit']) child.on(event, () => look(child, `at '${event}'`));
      const end = gone(child);
      if (way === 'child') {
        await disconnectTwice(nameOf(child), child);
        unblock('go on');
      } else child.send('now');
      await end;
      look(child, 'at the end');
    }
  })();
}
