// node cycles_program.js '{"cycles":1000,"connections":100000}': forks workers and ends them, every other
// one by SIGKILL, then serves connections. Prints { cycles, connections, failed, fds: [before, after] }.
const { readdirSync } = require('node:fs');
const net = require('node:net');
const cluster = require('../../dist/lib/cluster.js');

const AT_ONCE = 4;
const CLIENTS = 16;

if (cluster.isWorker) {
  net.createServer((socket) => socket.on('error', () => {}).end('served')).listen(Number(process.env.PORT), '127.0.0.1');
} else {
  void main(JSON.parse(process.argv[2]));
}

async function main({ cycles, connections }) {
  cluster.setupPrimary({ exec: __filename, args: [] });
  const once = (emitter, event) => new Promise((resolve) => emitter.once(event, resolve));
  const steady = cluster.fork({ PORT: '0' });
  const { port } = await once(steady, 'listening');
  let failed = 0;
  await serve(port, 50, () => failed++);
  const before = fds();
  let left = cycles;
  await Promise.all(Array.from({ length: AT_ONCE }, async () => {
    while (left-- > 0) {
      const worker = cluster.fork({ PORT: '0' });
      const gone = Promise.all([once(worker, 'exit'), once(worker, 'disconnect')]);
      if (left % 3 !== 0) await once(worker, 'listening');
      if (left % 2 === 0) worker.process.kill('SIGKILL');
      else worker.disconnect();
      await gone;
    }
  }));
  await serve(port, connections, () => failed++);
  for (const end = performance.now() + 10_000; fds() > before && performance.now() < end;) await new Promise((resolve) => setTimeout(resolve, 20));
  console.log(JSON.stringify({ cycles, connections, failed, fds: [before, fds()] }));
  steady.disconnect();
}

async function serve(port, connections, onFailure) {
  let left = connections;
  await Promise.all(Array.from({ length: CLIENTS }, async () => {
    while (left-- > 0) if (await client(port) !== 'served') onFailure();
  }));
}

function client(port) {
  return new Promise((resolve) => {
    let said = '';
    net.connect(port, '127.0.0.1').setEncoding('utf8').on('data', (text) => { said += text; }).on('error', () => {}).on('close', () => resolve(said));
  });
}

const fds = () => readdirSync('/proc/self/fd').length;
