// Preloaded after ours: the workers of servers/plain.js accept by themselves, evenly (`scheduling: 'shared'`).
'use strict';
const cluster = require('node:cluster');

if (cluster.isPrimary) cluster.setupPrimary({ scheduling: 'shared' });
