// Covers: I-23, I-24, I-25
// `send` gives false while much is unwritten, and true again afterwards.
'use strict';
const { see, gone, message, turns, block, unblock } = require('../observe_fork');
const childProcess = require('node:child_process');

if (process.argv[2] === 'child') {
  process.on('message', (value) => {
    see('self', 'got', value.length);
    if (value === 'leave') process.disconnect();
  });
  process.send('busy', () => block('go on'));
} else {
  (async () => {
    const child = childProcess.fork(__filename, ['child']);
    await message(child);
    const end = gone(child);
    see('C1', 'small', child.send('small'));
    see('C1', 'large', child.send('x'.repeat(2_000_000), (error) => see('C1', 'callback of the large one', error)));
    see('C1', 'behind it', child.send('behind it'));
    const written = new Promise((resolve) => child.send('with a callback', (error) => resolve(see('C1', 'callback', error))));
    await turns();
    see('C1', 'still unread');
    unblock('go on');
    await written;
    see('C1', 'written', child.send('leave'));
    await end;
  })();
}
