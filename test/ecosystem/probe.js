/**
 * Loaded into every process of a program (NODE_OPTIONS): counts the frames that this project's channel carried there, in
 * the file ECOSYSTEM_PROBE/<pid>. A program whose count stays 0 was not run on our code, whatever its steps say.
 *
 * The file is written at the first frame, at the tenth, the hundredth … and at the end, so that a process that is
 * killed has counted as well. Under stock Node nobody publishes, and there is no file.
 */
'use strict';
const { subscribe } = require('node:diagnostics_channel');
const { writeFileSync } = require('node:fs');

const directory = process.env.ECOSYSTEM_PROBE;
if (directory !== undefined && require('node:worker_threads').isMainThread) {
  const file = `${directory}/${process.pid}`;
  let count = 0;
  let next = 1;
  const write = () => {
    try {
      writeFileSync(file, String(count));
    } catch {
      return; // The run has ended, and its directory is gone.
    }
  };
  subscribe('cluster-internals:frame', () => {
    count++;
    if (count < next) return;
    next *= 10;
    write();
  });
  process.on('exit', () => {
    if (count > 0) write();
  });
}
