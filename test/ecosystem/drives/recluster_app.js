'use strict';
const path = require('node:path');
const recluster = require('recluster');

const cluster = recluster(path.join(__dirname, 'plain_server.js'), { workers: 2, timeout: 5, backoff: 1, log: { respawns: false } });
cluster.run();
process.on('SIGUSR2', () => cluster.reload());
process.on('SIGTERM', () => cluster.terminate(() => process.exit(0)));
