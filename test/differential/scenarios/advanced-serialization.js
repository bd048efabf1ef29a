// Covers: C-26, I-12, P-1
// What survives between primary and worker with serialization 'advanced'.
'use strict';
const cluster = require('node:cluster');
const { see, message, forkListening, ask, gone } = require('../observe');

const cycle = { name: 'cycle' };
cycle.self = cycle;
const values = [
  'text', 5, null, true, { missing: undefined }, [, 1], new Map([[1, { a: 2 }]]), new Set(['x']), 10n, { big: 2n ** 70n }, new Date(0), /a+/gi,
  Buffer.from('abc'), new Uint16Array([1, 2]), new ArrayBuffer(3), new DataView(new ArrayBuffer(2)), new TypeError('message'), cycle, NaN, -0, Infinity,
  { cmd: 'other', list: [new Float64Array([0.5])] }, 'x'.repeat(5000),
];
if (cluster.isPrimary) primary();
else {
  process.on('message', (value) => {
    see('self', 'got', show(value));
    process.send(value);
  });
  require('node:net').createServer((socket) => socket.end('served')).listen(0);
}

function show(value) {
  return value instanceof Error ? `${value.name}: ${value.message}` : require('node:util').inspect(value, { maxStringLength: 20, depth: 4 });
}

async function primary() {
  cluster.setupPrimary({ serialization: 'advanced' });
  const { worker, port } = await forkListening();
  worker.removeAllListeners('message');
  for (const value of values) {
    try {
      worker.send(value);
    } catch (error) {
      see('W1', 'threw', error.name, error.code);
      continue;
    }
    const [echo] = await message(worker);
    see('W1', 'echo', show(echo));
  }
  for (const value of [() => {}, Symbol('s'), { inner() {} }, { symbol: Symbol('s') }]) {
    try {
      see('W1', 'gave', worker.send(value));
    } catch (error) {
      see('W1', 'threw', error.name, error.code, error.message);
    }
  }
  see('client', 'got', await ask(port));
  const end = gone(worker);
  worker.disconnect();
  await end;
}
