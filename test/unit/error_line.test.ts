/** error_line.ts: what it finds in what Node itself prints, and in text that is no error. */
import { spawnSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { errorLine } from '../../internal/supervisor/error_line';
import { cleanEnvironment } from '../support/children';

describe('the line that names the error, of what Node prints', () => {
  const program = `
    const net = require('node:net');
    console.error('Error: this one was handled');
    switch (process.argv[1]) {
      case 'throws': throw Object.assign(new TypeError('no config', { cause: new RangeError('the cause') }), { code: 'E', list: [1, 2, 3] });
      case 'listens': net.createServer().listen(0, '192.0.2.1'); break;
      case 'rejects': Promise.reject(new Error('rejected')); break;
      case 'string': throw 'only a string';
      case 'deep': (function deep(n) { if (n === 0) throw new Error('from the depth'); deep(n - 1); })(9);
      case 'missing': require('./nowhere');
      case 'syntax': new (require('node:vm').Script)('a b', { filename: '/app.js' });
    }`;
  test.each([
    ['throws', /^TypeError: no config$/],
    ['listens', /^Error: listen EADDRNOTAVAIL: address not available 192\.0\.2\.1$/],
    ['rejects', /^Error: rejected$/],
    ['string', /only a string/],
    ['deep', /^Error: from the depth$/],
    ['missing', /^Error: Cannot find module '\.\/nowhere'$/],
    ['syntax', /^SyntaxError: Unexpected identifier/],
  ])('%s', (how, expected) => {
    const { stderr } = spawnSync(process.execPath, ['--stack-trace-limit=50', '-e', program, how], { encoding: 'utf8', env: cleanEnvironment() });
    expect(errorLine(stderr)).toMatch(expected);
    expect(errorLine(stderr.slice(stderr.indexOf('^\n'))), 'the beginning was not kept').toMatch(expected);
  });
});

test.each([
  ['', ''],
  ['\n\n', ''],
  ['one\nlast words\n\n', 'last words'],
  ['Error: first\n    at a (b)\nWhat follows', 'Error: first'],
  ['Error: first\nError: second\n    at a\n  [cause]: Error: third\n}', 'Error: second'],
  ['2026-01-02T03:04:05.678Z Error: with time\n    at x', 'Error: with time'],
  ['<--- Last few GCs --->\n\nFATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory\n----- Native stack trace -----\n\n 1: 0xb8', 'FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory'],
  ['Errors are fun\nTerror: no', 'Terror: no'],
  ['   ^\n', '^'],
])('%j: %j', (text, line) => {
  expect(errorLine(text)).toBe(line);
});

test('a long line is cut off, and there is never a line break', () => {
  expect(errorLine(`Error: ${'x'.repeat(9_999)}`)).toHaveLength(501);
  expect(errorLine(`Error: a\r\n    at b`)).toBe('Error: a');
});
