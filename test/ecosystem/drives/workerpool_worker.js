'use strict';
const workerpool = require('workerpool');

workerpool.worker({
  square: (n) => n * n,
  fail: () => { throw new Error('as asked'); },
  exit: () => process.exit(1),
  forever: () => { for (;;); },
  progress: (count) => {
    for (let step = 0; step < count; step++) workerpool.workerEmit({ step });
  },
});
