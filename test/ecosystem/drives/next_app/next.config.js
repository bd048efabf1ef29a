'use strict';
const path = require('node:path');

module.exports = { output: 'standalone', outputFileTracingRoot: path.resolve(__dirname, '..') };
