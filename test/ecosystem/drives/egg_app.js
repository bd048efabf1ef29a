'use strict';
const path = require('node:path');
const { startCluster } = require('egg');

startCluster({ baseDir: path.join(__dirname, 'egg_base'), workers: 2, port: Number(process.env.PORT), hostname: '127.0.0.1', framework: path.dirname(require.resolve('egg/package.json')) }, () => console.log('started'));
