/** Which limits `setupPrimary` and `fork` accept. */
import { describe, expect, test } from 'vitest';
import { DEFAULT_LIMITS, NO_LIMITS, keepListeningFrom, limitsFrom } from '../../internal/limits';
import { mergeSettings } from '../../internal/master/settings';
import { fork } from '../../internal/channel/spawn';
import { thrownBy } from '../support/children';

const bad: [name: string, settings: object][] = [
  ['no object', { limits: 5 }], ['null', { limits: null }], ['an unknown name', { limits: { messages: 5 } }],
  ['a text', { limits: { unreadBytes: '5' } }], ['NaN', { limits: { unreadBytes: Number.NaN } }],
  ['a negative number', { limits: { queuedConnections: -1 } }], ['a message shorter than a read', { limits: { messageBytes: 65535 } }],
  ['a name of every object', { limits: { toString: 5 } }],
  ['keepListening: a number', { keepListening: 5 }], ['keepListening: an unknown name', { keepListening: { deadline: 5 } }],
  ['keepListening: a text', { keepListening: { limit: 'x' } }],
];

describe('D32 to D36: setupPrimary refuses', () => {
  test.each(bad)('%s', (_name, settings) => {
    expect(thrownBy(() => mergeSettings({}, settings as never)).code).toBe('ERR_INVALID_ARG_VALUE');
  });
  test('fork refuses a wrong limit before it starts anything', () => {
    expect(thrownBy(() => fork('x.js', [], { limits: { queuedConnections: 5 } as never })).code).toBe('ERR_INVALID_ARG_VALUE');
  });
});

test('a limit that is not given, or undefined, has its default; Infinity is allowed', () => {
  expect(limitsFrom({ unreadBytes: 5, messageBytes: undefined } as never, DEFAULT_LIMITS)).toEqual({ ...DEFAULT_LIMITS, unreadBytes: 5 });
  expect(limitsFrom(undefined, DEFAULT_LIMITS)).toBe(DEFAULT_LIMITS);
  expect(limitsFrom({ messageBytes: Number.POSITIVE_INFINITY }, DEFAULT_LIMITS).messageBytes).toBe(Number.POSITIVE_INFINITY);
  expect(limitsFrom({ unreadBytes: 5 }, NO_LIMITS)).toEqual({ messageBytes: Number.POSITIVE_INFINITY, unreadBytes: 5 });
});

test('D36: keepListening is off by default', () => {
  expect([undefined, false].map((given) => keepListeningFrom(given))).toEqual([null, null]);
  expect(keepListeningFrom(true)).toEqual({ limit: 1024, deadlineMs: 10_000 });
  expect(keepListeningFrom({ limit: 5 })).toEqual({ limit: 5, deadlineMs: 10_000 });
});
