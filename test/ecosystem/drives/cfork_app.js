'use strict';
const path = require('node:path');
const cforkModule = require('cfork');

const cfork = cforkModule.cfork ?? cforkModule.default ?? cforkModule;
cfork({ exec: path.join(__dirname, 'cfork_worker.js'), count: 2, refork: true, silent: false })
  .on('listening', () => console.log('listening'))
  .on('disconnect', () => console.log('disconnect'));
