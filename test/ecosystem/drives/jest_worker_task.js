'use strict';
const { messageParent } = require('jest-worker');

exports.square = (n) => n * n;
exports.pid = async () => {
  await new Promise((resolve) => setTimeout(resolve, 20));
  return process.pid;
};
exports.fail = () => { throw Object.assign(new Error('as asked'), { code: 'E_ASKED' }); };
exports.exit = () => process.exit(1);
exports.progress = (count) => {
  for (let step = 0; step < count; step++) messageParent(step);
};
