// Covers: I-1
// E7, E4: whatever a fork is given, it starts what Node starts, and nothing beside it. Options are read once, and may throw.
'use strict';
const { see, attempt, gone } = require('../observe_fork');
const childProcess = require('node:child_process');
const diagnostics = require('node:diagnostics_channel');
const path = require('node:path');
const { pathToFileURL } = require('node:url');
const vm = require('node:vm');

const speaks = path.join(__dirname, 'programs/speaks.js');
/** Starts at once, and says nothing. */
const execPath = '/bin/true';
const href = pathToFileURL(speaks).href;

let started = 0;
diagnostics.subscribe('child_process', () => { started++; });

/** Like a URL, and of another class. */
function urlLike(text, more = {}) {
  const url = new URL(text);
  const like = {};
  for (const key of ['href', 'protocol', 'hostname', 'host', 'pathname', 'search', 'hash', 'origin', 'port', 'username', 'password']) like[key] = url[key];
  return Object.assign(like, more);
}

/** Counts which traps of a proxy are called, and how often. */
function watched(target, reads) {
  return new Proxy(target, { get: (object, key) => (typeof key === 'string' && (reads[key] = (reads[key] ?? 0) + 1), object[key]) });
}
const throwing = (key, value) => Object.defineProperty({ silent: true }, key, { enumerable: true, get() { throw value; } });

const mine = new RangeError('mine');
const reads = [{}, {}];
const calls = {
  'a URL': [new URL(href)], 'like a URL': [urlLike(href)], 'a subclass': [new (class extends URL {})(href)], 'of another realm': [vm.runInNewContext('({ __proto__: { get href() { return h; } }, protocol: "file:", pathname: p, hostname: "", search: "", hash: "" })', { h: href, p: speaks })],
  'like a URL of the web': [urlLike('http://example.com/a.js')], 'like a URL with a null byte': [urlLike(href, { pathname: '/a%00b' })], 'a string object': [new String(speaks)],
  'null in path': ['a\0b'], 'null in the last argument': [speaks, ['a', 'b\0'], { execArgv: [] }], 'null in execArgv': [speaks, [], { execArgv: ['\0'] }],
  'null in execPath': [speaks, [], { execPath: `${process.execPath}\0` }], 'null in cwd': [speaks, [], { cwd: '/\0' }], 'null in argv0': [speaks, [], { argv0: '\0' }],
  'null in a value': [speaks, [], { env: { ...process.env, A: '\0' } }], 'null in a name': [speaks, [], { env: { ...process.env, '\0': 'a' } }],
  'null in shell': [speaks, [], { shell: '/bin/sh\0' }], 'a null byte that only text has': [speaks, [{ toString: () => 'a\0b' }]],
  'args like an array': [speaks, { 0: 'a', length: 1 }], 'args that are a Set': [speaks, new Set(['a'])], 'args and no options': [speaks, [], 0], 'no args and text': [speaks, undefined, 'text'], 'no args and false': [speaks, null, false],
  'env that throws': [speaks, [], throwing('env', mine)], 'a variable that throws': [speaks, [], { env: throwing('A', mine) }], 'stdio that throws': [speaks, [], throwing('stdio', mine)],
  'an entry that throws': [speaks, [], { stdio: Object.defineProperty(['ignore', 'ignore', 'ignore', 'ipc'], 1, { get() { throw mine; } }) }],
  'a proxy that throws': [speaks, [], new Proxy({}, { ownKeys() { throw mine; } })], 'throws no error': [speaks, [], throwing('cwd', undefined)], 'args that throw': [speaks, [{ toString() { throw mine; } }]],
  'forks meanwhile': [speaks, [], Object.defineProperty({ silent: true }, 'env', { enumerable: true, get() { childProcess.spawn('true', { stdio: 'ignore' }); return process.env; } })],
  'watched options': [speaks, [], watched({ silent: true, env: process.env, execArgv: [], serialization: 'json', foo: 1 }, reads[0])], 'watched env': [speaks, [], { env: watched({ A: 'a', B: 'b', NODE_OPTIONS: '' }, reads[1]) }],
  'no ipc': [speaks, [], { stdio: ['pipe'] }], 'two ipc': [speaks, [], { stdio: ['ipc', 'ipc'] }], 'stdio that is none': [speaks, [], { stdio: ['x', 'ipc'] }],
  'bad serialization': [speaks, [], { serialization: 'x' }], 'a signal that is none': [speaks, [], { signal: {} }], 'uid': [speaks, [], { uid: -1 }], 'timeout': [speaks, [], { timeout: -1 }], 'killSignal': [speaks, [], { killSignal: 'SIGNO' }],
  'an aborted signal': [speaks, [], { signal: AbortSignal.abort() }], 'a class instance': [speaks, [], new (class { silent = true; get env() { return {}; } })()], 'an options array': [speaks, [], []], 'an options function': [speaks, [], () => {}], 'options without a prototype': [speaks, [], Object.assign(Object.create(null), { silent: true })],
};

(async () => {
  await Promise.all(Object.entries(calls).map(async ([name, values]) => {
    started = 0;
    const child = attempt(name, 'fork', () => childProcess.fork(...values));
    see(name, 'started', started);
    if (!child) return;
    child.on('error', (error) => see(name, 'error', error));
    child.on('message', (value) => see(name, 'message', value));
    const end = gone(child);
    // The one that is aborted could answer before it is killed: that comes after the forks below it.
    if (child.pid !== undefined && name !== 'an aborted signal') child.send('hello', () => {});
    await end;
    see(name, 'ended', child.exitCode > 0);
  }));
  for (const each of reads) see('reads', 'were', each);
  process.exit(0); // A spawn that throws leaves Node with an open pipe.
})();
