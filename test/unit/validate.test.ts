/** The checks of what a program passes in: the code and the words of each error, which lists the valid names where one is misspelled. */
import { expect, test } from 'vitest';
import { limitsFrom, DEFAULT_LIMITS } from '../../internal/limits';
import { mergeSettings } from '../../internal/master/settings';
import { mergeLimits } from '../../internal/shared_state/values';
import { checkOptions } from '../../internal/supervisor/options';
import { checkBoolean, checkInteger, checkName, checkNames, checkNumber, checkObject, checkOneOf, checkString, isPort } from '../../internal/validate';
import { thrownBy } from '../support/children';

const thrown = (call: () => unknown): string => {
  const { name, code, message } = thrownBy(call);
  return `${name} ${code}: ${message}`;
};

test('what is valid is returned as it is', () => {
  const object = {};
  expect(checkObject('o', object)).toBe(object);
  expect([checkString('s', ''), checkBoolean('b', false), checkNumber('n', Infinity, 0, Infinity), checkInteger('i', 3, 3, 3), checkOneOf('t', 'a', ['a', 'b'])])
    .toEqual(['', false, Infinity, 3, 'a']);
  checkNames('o', { a: undefined }, ['a', 'b']);
});

test.each([
  [() => checkObject('options', null), 'TypeError ERR_INVALID_ARG_TYPE: The "options" argument must be of type object. Received null'],
  [() => checkString('options.exec', 5), 'TypeError ERR_INVALID_ARG_TYPE: The "options.exec" property must be of type string. Received type number (5)'],
  [() => checkBoolean('b', 'true'), "TypeError ERR_INVALID_ARG_TYPE: The \"b\" argument must be of type boolean. Received type string ('true')"],
  [() => checkNumber('n', '1', 0, 1), "TypeError ERR_INVALID_ARG_TYPE: The \"n\" argument must be of type number. Received type string ('1')"],
  [() => checkNumber('n', NaN, 0, 1), 'RangeError ERR_OUT_OF_RANGE: The value of "n" is out of range. It must be >= 0 && <= 1. Received NaN'],
  [() => checkInteger('n', 0.5, 0, 1, '; h'), 'RangeError ERR_OUT_OF_RANGE: The value of "n" is out of range. It must be an integer >= 0 && <= 1; h. Received 0.5'],
  [() => checkInteger('n', 2, 0, 1, '; h'), 'RangeError ERR_OUT_OF_RANGE: The value of "n" is out of range. It must be >= 0 && <= 1; h. Received 2'],
  [() => checkOneOf('options.t', 'c', ['a', 'b']), "TypeError ERR_INVALID_ARG_VALUE: The property 'options.t' must be one of: 'a', 'b'. Received 'c'"],
  [() => checkName('options', 'toString', ['a', 'b']), "TypeError ERR_INVALID_ARG_VALUE: The property 'options.toString' does not exist. Valid names: 'a', 'b'"],
  [() => checkNames('options', { a: 1, c: undefined }, ['a']), "TypeError ERR_INVALID_ARG_VALUE: The property 'options.c' does not exist. Valid names: 'a'"],
])('%s', (call, error) => {
  expect(thrown(call)).toBe(error);
});

test('18: the error of a misspelled option, limit or rule lists the valid ones', () => {
  expect(thrown(() => limitsFrom({ messages: 5 } as never, DEFAULT_LIMITS))).toContain("'options.limits.messages' does not exist. Valid names: 'messageBytes', 'unreadBytes'");
  expect(thrown(() => mergeLimits({ key: 5 } as never))).toContain("'options.limits.key' does not exist. Valid names: 'keys', 'keysPerProcess'");
  expect(thrown(() => checkOptions({ leaveTimeout: 5 } as never))).toContain("'options.leaveTimeout' does not exist. Valid names: 'readyTimeoutMs'");
  expect(thrown(() => checkOptions({ restarts: { maximum: 5 } } as never))).toContain("'options.restarts.maximum' does not exist. Valid names: 'max', 'maxAll'");
  expect(thrown(() => checkOptions({ ready: 'listen' } as never))).toContain("'options.ready' must be an object { http } or one of: 'listening', 'online', 'message'. Received 'listen'");
  expect(thrown(() => mergeSettings({}, { scheduling: 'round robin' as never }))).toContain(
    "The property 'options.scheduling' must be a function or one of: 'round-robin', 'least-connections', 'random-two', 'sticky', 'shared'. Received 'round robin'");
});

test('checkNames reads no property: a getter of the program is not called', () => {
  expect(() => checkNames('options', { get a() { throw new Error('called'); } }, ['a'])).not.toThrow();
});

test('a port is a whole number from 0 to 65535, not a text', () => {
  expect([0, 65535, -1, 65536, 0.5, NaN, '80', null].map(isPort)).toEqual([true, true, false, false, false, false, false, false]);
});
