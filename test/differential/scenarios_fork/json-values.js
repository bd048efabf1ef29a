// Covers: I-10, I-11, I-21
// What a value is after a round trip in JSON.
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

if (process.argv[2] === 'child') {
  process.on('message', ([name, value]) => {
    see('self', name, value);
    process.send([name, value]);
  });
} else {
  const child = childProcess.fork(__filename, ['child']);
  const values = Object.entries({ ...VALUES(), anError: new RangeError('message'), nested: { f: () => {}, s: Symbol('s') } });
  child.on('message', ([name, value]) => {
    see('C1', name, value);
    if (name === values.at(-1)[0]) child.disconnect();
  });
  for (const [name, value] of values) attempt('C1 sent', name, () => child.send([name, value]));
  for (const value of [1n, { big: 1n }, { f: { toJSON() { throw new TypeError('no JSON'); } } }]) attempt('C1 sent', 'not sent', () => child.send(value));
}
