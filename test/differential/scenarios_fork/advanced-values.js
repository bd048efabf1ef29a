// Covers: I-12, I-13, I-21
// What a value is after a round trip with the serialization `advanced`.
'use strict';
const { see, attempt } = require('../observe_fork');
const childProcess = require('node:child_process');

const VALUES = () => ({
  plain: { a: 1, b: [1, [2]], c: null, d: 'é\n\u2028"😀', e: '', f: true },
  undefinedMember: { gone: undefined, kept: 0 },
  undefinedElement: [undefined, 1],
  hole: [, 1],
  numbers: [NaN, Infinity, -Infinity, -0, 1e300, 0.1, 2 ** 53],
  date: new Date(0),
  invalidDate: new Date(NaN),
  regExp: /a.b/gi,
  buffer: Buffer.from([1, 2, 3]),
  bytes: new Uint8Array([4, 5]),
  floats: new Float64Array([0.5, NaN]),
  view: new DataView(new ArrayBuffer(4), 1, 2),
  arrayBuffer: new ArrayBuffer(3),
  map: new Map([['k', { v: 1 }]]),
  set: new Set([1, 'two']),
  error: { name: new RangeError('message').name, message: new RangeError('message').message, isError: 0 },
  boxed: [new String('s'), new Number(5), new Boolean(false)],
  nullPrototype: Object.assign(Object.create(null), { x: 1 }),
  instance: new (class Point { constructor() { this.x = 1; } get y() { return 2; } })(),
  prototypeKey: JSON.parse('{"__proto__":{"polluted":true},"constructor":1}'),
  symbolKey: { [Symbol('hidden')]: 1, shown: 2 },
  accessor: { get computed() { return 'read'; } },
  toJSON: { toJSON() { return 'by toJSON'; } },
  url: { url: new URL('http://example.com/').href },
  loneSurrogate: 'a\ud800b',
  long: 'ü'.repeat(100_000).length,
  emptyObject: {}, emptyArray: [],
});

const cycle = { name: 'cycle' };
cycle.self = cycle;
const twice = { twice: true };
const more = () => ({
  bigint: 2n ** 70n, cycle, same: [twice, twice], anError: Object.assign(new RangeError('message'), { stack: 'no stack' }),
  wholeUndefined: [undefined], manyFloats: new Float32Array(3), bigints: new BigInt64Array([-1n]), sparse: Object.assign([1], { 5: 2 }),
  ofABuffer: Buffer.from('abcdef').subarray(2, 4), empty: new Uint8Array(0), nested: { map: new Map([[new Map(), new Set([Buffer.from('x')])]]) },
});

function tell(subject, name, value) {
  if (name === 'same') see(subject, 'one object', value[0] === value[1]);
  if (name === 'cycle') see(subject, 'one object', value === value.self);
  if (name === 'anError') see(subject, value instanceof RangeError, value.stack);
  if (name === 'view') return see(subject, name, value instanceof DataView, Buffer.from(value.buffer, value.byteOffset, value.byteLength));
  see(subject, name, value);
  if (name === 'buffer') see(subject, Buffer.isBuffer(value));
}

if (process.argv[2] === 'child') {
  process.on('message', ([name, value]) => {
    tell('self', name, value);
    process.send([name, value]);
  });
} else {
  const child = childProcess.fork(__filename, ['child'], { serialization: 'advanced' });
  const { toJSON, ...values } = { ...VALUES(), ...more() };
  child.on('message', ([name, value]) => {
    tell('C1', name, value);
    if (name === 'nested') child.disconnect();
  });
  for (const [name, value] of Object.entries(values)) attempt('C1 sent', name, () => child.send([name, value]));
  for (const value of [{ f() {} }, [Symbol('s')], { toJSON }, new Proxy({}, {}), Promise.resolve(), new WeakMap()]) {
    attempt('C1 sent', 'not sent', () => child.send(value));
  }
}
