'use strict';
const path = require('node:path');

exports.keys = 'a key of the drive';
exports.logger = { dir: path.join(process.env.TMPDIR, 'egg-logs'), consoleLevel: 'NONE' };
exports.rundir = path.join(process.env.TMPDIR, 'egg-run');
