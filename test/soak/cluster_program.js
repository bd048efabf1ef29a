// node cluster_program.js '{"kind":"ours|stock","policy":"rr|none","dialect":"pipelined|node","scheduling":"shared","workers":8,"port":0}'
// A cluster for storms. It forks a new worker for each one that ends, and has no 'error' listener in the primary.
// It prints each fork, 'listening' and 'exit'; SIGTERM ends it. RECORD names a file: each worker writes the client's
// port of every connection to it, before it does anything else with the connection.
const { openSync, writeSync } = require('node:fs');
const net = require('node:net');

if (process.env.RECORD !== undefined && require('node:cluster').isWorker) runWorker();
else runPrimary(JSON.parse(process.argv[2]));

function runPrimary({ kind, policy, dialect = 'pipelined', scheduling, workers, port }) {
  const cluster = kind === 'stock' ? require('node:cluster') : require('../../dist/lib/cluster.js');
  let leaving = false;
  cluster.schedulingPolicy = policy === 'rr' ? cluster.SCHED_RR : cluster.SCHED_NONE;
  cluster.setupPrimary({ exec: __filename, args: [], ...(kind === 'stock' ? {} : { dialect, ...(scheduling ? { scheduling } : {}) }) });
  const fork = () => {
    const worker = cluster.fork({ PORT: String(port) });
    console.log(`fork ${worker.id} ${worker.process.pid}`);
  };
  cluster.on('listening', (worker) => console.log(`listening ${worker.id}`));
  cluster.on('exit', (worker) => {
    console.log(`exit ${worker.id}`);
    if (!leaving) fork();
    else if (Object.keys(cluster.workers).length === 0) process.exit(0);
  });
  process.on('SIGTERM', () => {
    leaving = true;
    for (const worker of Object.values(cluster.workers)) worker.process.kill('SIGKILL');
  });
  for (let count = 0; count < workers; count++) fork();
}

function runWorker() {
  const record = openSync(process.env.RECORD, 'a');
  net.createServer((socket) => {
    socket.on('error', () => {});
    writeSync(record, `${socket.remotePort}\n`);
    socket.on('data', (data) => socket.end(data));
  }).listen(Number(process.env.PORT), '127.0.0.1');
}
