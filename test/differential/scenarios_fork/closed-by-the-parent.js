// Covers: I-57
// 'close' of a child whose channel its parent has ended.
'use strict';
const { watch, gone, turns } = require('../observe_fork');
const childProcess = require('node:child_process');

(async () => {
  const child = watch(childProcess.fork(__filename.replace('closed-by-the-parent', 'programs/quiet')), ['disconnect', 'exit', 'close']);
  const end = gone(child);
  child.disconnect();
  await end;
  await turns();
})();
