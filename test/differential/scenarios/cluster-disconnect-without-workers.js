// Covers: C-40, C-41
// cluster.disconnect with nobody to disconnect: both callbacks, later.
'use strict';
const cluster = require('node:cluster');
const { see } = require('../observe');

const { disconnect } = cluster;
see('main', 'gave', disconnect((...values) => see('main', 'first callback', values)));
see('main', 'gave', disconnect((...values) => see('main', 'second callback', values)));
disconnect();
disconnect(null);
see('main', 'nothing called yet');
process.nextTick(() => see('main', 'next tick'));
setImmediate(() => see('main', 'next turn'));
