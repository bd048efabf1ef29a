// Covers: I-24, I-56
// The channel is closed while a message is unwritten: what its callback says.
'use strict';
const { see, gone, message, block, unblock } = require('../observe_fork');
const childProcess = require('node:child_process');

if (process.argv[2] === 'child') {
  process.on('message', ({ text }) => see('self', 'got', text?.length));
  process.on('disconnect', () => see('self', 'disconnected'));
  process.send('busy', () => block('go on'));
} else {
  (async () => {
    const child = childProcess.fork(__filename, ['child']);
    await message(child);
    child.send({ text: 'first' }, (error) => see('C1 first', 'callback', error));
    const end = gone(child);
    child.send({ text: 'x'.repeat(5_000_000) }, (error) => see('C1', 'callback', error?.code ?? error));
    child.disconnect();
    unblock('go on');
    await end;
    see('C1 end', 'ended', child.exitCode);
  })();
}
