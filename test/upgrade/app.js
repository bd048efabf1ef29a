/**
 * A supervised app whose primary is replaced, for the tests of this directory.
 *
 *   node app.js '{ options of supervise }' ['{ settings of the cluster }'] [PORT [AS]]
 *
 * Prints one line of JSON for each event, with the pid of the primary: { port } when its workers are ready, { upgrade, reason }
 * for each event of an upgrade, { exit } at its end. SIGUSR2 replaces it. With a COMMANDS file in its environment, SIGUSR2 does
 * what that says instead: { method, argument }, or an array of them; then { outcome } or { code, message } is printed for each.
 * AS says how a successor misbehaves. LIBRARY is the dist/ of another build. DIES is `S 5` or `P 5`: the successor (or the
 * primary that is replaced) gets SIGKILL at the fifth message between the two; or `S taken`: when it is about to send the first
 * message of that name, or has just read it. DROPS_TO is the user that the primary becomes
 * when its workers are ready.
 */
'use strict';
const fs = require('node:fs');
const http = require('node:http');
const path = require('node:path');
const { answer } = require('../moving/answer.js');
const [options = '{}', settings = '{}', port = '0', as = ''] = process.argv.slice(2);
if (as === 'exits') process.exit(3);
if (as === 'throws') throw new Error('this version is broken');
if (as === 'is stock') return void setInterval(() => undefined, 1000);

const dist = process.env.LIBRARY ?? path.join(__dirname, '../../dist');
const isSuccessor = (process.env.SUCCESSOR ?? (process.env.CLUSTER_INTERNALS_UPGRADE === undefined ? 'no' : 'yes')) === 'yes';
const [who = '', at = '0'] = (process.env.DIES ?? '').split(' ');
let messages = 0;
require('node:diagnostics_channel').subscribe('cluster-internals:frame', ({ channel, message, frame }) => {
  const act = message?.act ?? /"act":"(\w+)"/.exec(String(frame))?.[1];
  if (act === 'state') return; // There are any number of these.
  const isHere = who === (isSuccessor ? 'S' : 'P') && channel === (isSuccessor ? 'S to P' : 'P to S');
  if (isHere && (act === at || ++messages === Number(at))) process.kill(process.pid, 'SIGKILL');
});
const cluster = require(path.join(dist, 'lib/cluster.js'));
const say = (what) => fs.writeSync(1, `${JSON.stringify({ pid: process.pid, ...what })}\n`);

if (cluster.isPrimary) {
  const { supervise } = require(path.join(dist, 'lib/supervisor.js'));
  if (as === 'hangs') for (;;);
  if (as === 'supervises nothing') return void setInterval(() => undefined, 1000);
  cluster.setupPrimary(JSON.parse(settings));
  const supervisor = supervise({ exec: process.env.EXEC ?? __filename, workers: 2, canaryMs: 0, upgradeSignal: process.env.COMMANDS === undefined, ...JSON.parse(options) });
  let listens = 0;
  cluster.on('listening', (_worker, address) => { listens = address.port; });
  if (process.env.DROPS_TO !== undefined) supervisor.started.then(() => process.setuid(Number(process.env.DROPS_TO)), () => undefined);
  supervisor.started.then(() => say({ port: listens, node: process.versions.node }), (error) => say({ failed: error.message }));
  supervisor.on('upgrade', ({ state, reason, pid }) => {
    say({ upgrade: state, reason, successor: pid });
    if (state === 'done') process.on('exit', () => say({ last: 'listener' }));
    if (process.env.THROWS !== undefined) throw new Error(`a listener throws at ${state}`);
  });
  if (process.env.THROWS !== undefined) process.on('uncaughtException', ({ message }) => say({ thrown: message }));
  process.on('exit', (code) => say({ exit: code, counters: cluster.counters() }));
  if (process.env.COMMANDS !== undefined) process.on('SIGUSR2', () => {
    for (const one of [].concat(JSON.parse(fs.readFileSync(process.env.COMMANDS, 'utf8')))) command(supervisor, one);
  });
} else {
  const server = http.createServer(answer);
  server.keepAliveTimeout = 120_000;
  if (as !== 'never listens') server.listen(as === 'listens elsewhere' ? 0 : Number.isNaN(Number(port)) ? port : { port: Number(port), host: '127.0.0.1' });
}

function command(supervisor, { method, argument }) {
  supervisor[method](argument).then((report) => say({ method, outcome: report.outcome ?? 'done', connections: report.connections }), ({ code, message }) => say({ method, code, message }));
}
