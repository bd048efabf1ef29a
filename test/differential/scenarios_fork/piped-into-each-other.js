// Covers: I-57, I-3
// Two forked children whose streams are piped into each other, beside their channels; stdout and channel end apart.
'use strict';
const { see, watch, next, gone } = require('../observe_fork');
const childProcess = require('node:child_process');

if (process.argv[2] === 'says') {
  for (let line = 0; line < 2000; line++) process.stdout.write(`line ${line}\n`);
  process.send('said', () => process.disconnect());
} else if (process.argv[2] === 'counts') {
  let bytes = 0;
  process.stdin.on('data', ({ length }) => { bytes += length; });
  process.stdin.on('end', () => process.send({ bytes }, () => process.disconnect()));
} else {
  (async () => {
    const says = watch(childProcess.fork(__filename, ['says'], { silent: true }));
    const counts = watch(childProcess.fork(__filename, ['counts'], { silent: true }));
    says.stdout.pipe(counts.stdin);
    counts.stdin.on('finish', () => see('pipe', 'finished'));
    const closed = [next(says.stdout, 'close'), next(counts.stdout, 'close')];
    await Promise.all([gone(says), gone(counts), ...closed]);
    see('pipe', 'destroyed', says.stdout.destroyed, counts.stdin.destroyed);
  })();
}
