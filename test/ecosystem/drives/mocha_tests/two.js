'use strict';
const assert = require('node:assert');

it('two is in a child process', () => assert.equal(typeof process.send, 'function'));
