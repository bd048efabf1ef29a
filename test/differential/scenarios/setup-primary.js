// Covers: C-20, C-21, C-22, C-23, C-24, C-26
// How settings accumulate over calls of setupPrimary, and its one event per call.
'use strict';
const cluster = require('node:cluster');
const { see } = require('../observe');

const described = ({ execArgv, ...rest }) => ({ ...rest, execArgv: execArgv === process.execArgv ? "the process's own" : execArgv });
cluster.on('setup', (settings) => see('main', "'setup'", described(settings), settings === cluster.settings));

see('main', 'before', cluster.settings);
const first = cluster.settings;
see('main', 'gives', cluster.setupPrimary());
see('main', 'is a new object', cluster.settings !== first, described(cluster.settings));
const second = cluster.settings;
cluster.setupPrimary({ args: ['a', 'b'], silent: true, unknown: { kept: true } });
see('main', 'overlaid', described(cluster.settings), second !== cluster.settings, described(second));
cluster.setupPrimary({ args: undefined });
see('main', 'undefined overrides', described(cluster.settings));
cluster.settings.serialization = 'advanced';
cluster.setupPrimary({ exec: 'other.js' });
see('main', 'an assignment persists', described(cluster.settings));
cluster.setupPrimary({ execArgv: ['--prof'] });
see('main', 'with --prof', cluster.settings.execArgv);
cluster.setupPrimary({ execArgv: ['--prof', '--logfile=x'] });
see('main', 'with --logfile', cluster.settings.execArgv);
for (const execArgv of [undefined, null]) {
  try {
    cluster.setupPrimary({ execArgv });
  } catch (error) {
    see('main', 'execArgv', execArgv, error.name);
  }
}
see('main', 'at the end', described(cluster.settings));
