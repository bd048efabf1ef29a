/** Each guard accepts what the other side sends, and refuses messages that are malformed. */
import { describe, expect, test } from 'vitest';
import { isResultOf, readCall, readClientMessage, readServerMessage } from '../../internal/shared_state/guards';
import { STATE, type OperationName } from '../../internal/shared_state/protocol';
import { defaultLimits } from '../../internal/shared_state/values';

const batch = { watch: 1, batch: 1, events: [{ key: 'k', version: 2, gone: 'expired' }], version: 2, time: 5.5, current: true, ask: false };
const refusal = { code: 'ERR_SHARED_STATE_LIMIT', message: 'no', limit: 'keys' };

describe('messages', () => {
  test.each([
    [{ act: 'hello' }], [{ act: 'bye' }], [{ act: 'calls', calls: [null] }], [{ act: 'cancel', id: 0 }], [{ act: 'consumed', watch: 1, batch: 2 }],
  ])('a client may send %j', (message) => {
    expect(readClientMessage({ cmd: STATE, ...message })).toEqual({ cmd: STATE, ...message });
    expect(readServerMessage({ cmd: STATE, ...message })).toBeNull();
    expect(readClientMessage(message)).toBeNull();
  });

  test.each([
    [{ act: 'announce' }], [{ act: 'closed' }], [{ act: 'welcome', limits: defaultLimits }], [{ act: 'events', batches: [batch] }],
    [{ act: 'answers', answers: [{ id: 1, result: {} }, { id: 2, error: refusal }] }],
  ])('the server may send %j', (message) => {
    expect(readServerMessage({ cmd: STATE, ...message })).toEqual({ cmd: STATE, ...message });
    expect(readClientMessage({ cmd: STATE, ...message })).toBeNull();
  });

  test.each([
    [null], [5], [{}], [{ act: 'constructor' }], [{ act: '__proto__' }], [{ act: ['hello'] }], [{ act: 'calls', calls: {} }], [{ act: 'cancel', id: -1 }],
    [{ act: 'consumed', watch: 1 }], [{ act: 'welcome', limits: { keys: 1 } }], [{ act: 'answers', answers: [{ id: 1 }] }],
    [{ act: 'answers', answers: [{ id: 1, error: { ...refusal, limit: 'toString' } }] }], [{ act: 'events', batches: [{ ...batch, reset: 'all' }] }],
    [{ act: 'events', batches: [{ ...batch, events: [{ key: 'k', version: 1 }] }] }],
  ])('nobody may send %j', (message) => {
    const sent = typeof message === 'object' && message !== null ? { cmd: STATE, ...message } : message;
    expect([readClientMessage(sent), readServerMessage(sent)]).toEqual([null, null]);
  });
});

test('a call is returned as it is; a malformed one only with its id; one without an id is null', () => {
  const call = { id: 1, op: 'watch', watch: 2, prefix: '', since: 'now', beat: true };
  expect(readCall(call)).toEqual(call);
  for (const bad of [{ since: -1 }, { beat: 1 }, { op: 'toString' }, { op: undefined }]) expect(readCall({ ...call, ...bad })).toEqual({ op: 'none', id: 1 });
  expect([readCall({ op: 'get', key: 'k' }), readCall(null), readCall({ id: 0.5 })]).toEqual([null, null, null]);
});

test.each(['ttlMs', 'fence', 'version', 'since', 'beat'])('9: an option %s that was not sent is not found on Object.prototype', (name) => {
  const call = JSON.parse('{ "id": 1, "op": "set", "key": "k", "text": "1" }') as object;
  Object.defineProperty(Object.prototype, name, { value: 5, configurable: true });
  try {
    expect(Reflect.get(readCall(call) as object, name)).toBe(undefined);
  } finally {
    Reflect.deleteProperty(Object.prototype, name);
  }
});

describe('isResultOf', () => {
  const good: Record<OperationName, readonly object[]> = {
    get: [{ version: 0 }, { version: 1, text: '1', expiresAt: 5.5 }],
    set: [{ version: 1 }],
    delete: [{ done: false, version: 0 }],
    increment: [{ version: 1, text: '1' }],
    compareAndSet: [{ done: true, version: 1 }, { done: false, version: 0 }, { done: false, version: 1, text: '1' }],
    lock: [{}, { token: 1, expiresAt: 5.5 }],
    renew: [{ expiresAt: 5.5 }],
    release: [{ done: true }],
    holder: [{}, { holder: 0, token: 1, expiresAt: 5.5, waiting: 0 }],
    watch: [{ version: 0 }],
    unwatch: [{ done: false }],
  };
  const bad: Record<OperationName, readonly unknown[]> = {
    get: [{}, { version: 1, text: 1 }], set: [{}, null], delete: [{ done: true }, { version: 1 }], increment: [{ version: 0 }],
    compareAndSet: [{ version: 1 }, { done: 1, version: 1 }], lock: [{ token: 1 }, { token: 'x', expiresAt: 1 }, undefined], renew: [{}], release: [{}],
    holder: [{ holder: 0 }, { holder: 0, token: 1, expiresAt: 1 }], watch: [{}], unwatch: [{ done: 'yes' }],
  };
  test.each(Object.keys(good) as OperationName[])('%s', (op) => {
    expect(good[op].map((result) => isResultOf(op, result))).toEqual(good[op].map(() => true));
    expect(bad[op].map((result) => isResultOf(op, result))).toEqual(bad[op].map(() => false));
  });
});
