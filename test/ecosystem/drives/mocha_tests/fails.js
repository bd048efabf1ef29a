'use strict';
const assert = require('node:assert');

it('fails', () => assert.deepEqual([1], [2]));
