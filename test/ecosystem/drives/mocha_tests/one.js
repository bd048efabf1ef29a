'use strict';
const assert = require('node:assert');

describe('one', () => {
  it('adds', () => assert.equal(1 + 1, 2));
  it('waits', async () => assert.equal(await Promise.resolve(1), 1));
});
