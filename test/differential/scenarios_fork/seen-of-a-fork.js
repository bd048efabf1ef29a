// Covers: I-2, I-3
// 8: what a monitor sees of a fork (diagnostics channels, async_hooks, listeners, warnings) is what it sees under Node, once.
'use strict';
const { see, gone, withoutRegister } = require('../observe_fork');
const asyncHooks = require('node:async_hooks');
const childProcess = require('node:child_process');
const diagnostics = require('node:diagnostics_channel');

const speaks = `${__dirname}/programs/speaks.js`;
const types = [];
let watching = false;
asyncHooks.createHook({ init(_id, type) { if (watching && type !== 'TickObject') types.push(type); } }).enable();
process.on('warning', (warning) => see('self', 'warning', warning.name));
for (const name of ['child_process', 'child_process.spawn:start', 'tracing:child_process.spawn:start', 'tracing:child_process.spawn:end', 'tracing:child_process.spawn:error']) {
  diagnostics.subscribe(name, (event) => {
    see('self', name, Object.keys(event), event.options && Reflect.ownKeys(event.options).map(String).sort(), event.process?.spawnargs && withoutRegister(event.process.spawnargs), event.process?.spawnfile === process.execPath);
    event.process?.on('newListener', (added) => see('child', name, 'newListener', added));
  });
}

(async () => {
  const ways = {
    fork: () => childProcess.fork(speaks), silent: () => childProcess.fork(speaks, ['x'], { silent: true }),
    'no program': () => childProcess.fork(speaks, [], { execPath: '/no/such' }), throws: () => childProcess.fork(speaks, [], { uid: 'x' }),
    spawn: () => childProcess.spawn('true', { stdio: 'ignore' }), exec: () => childProcess.execFile('true'),
  };
  for (const [name, start] of Object.entries(ways)) {
    let child;
    types.length = 0;
    watching = true;
    try {
      child = start();
    } catch (error) {
      see(name, 'threw', error);
    }
    watching = false;
    see(name, 'async resources', types.filter((type) => !/Timeout|Immediate/.test(type)));
    if (!child) continue;
    child.on('error', (error) => see(name, 'error', error));
    const end = child.channel ? gone(child) : new Promise((resolve) => child.on('close', resolve));
    if (child.channel && child.pid !== undefined) child.send('hello', () => {});
    await (name === 'no program' ? new Promise((resolve) => child.on('error', resolve)) : end);
  }
})();
