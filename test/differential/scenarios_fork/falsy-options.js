// Covers: I-1
// E9: options that are there and falsy, and an environment with a `__proto__` of its own.
'use strict';
const { see, gone, attempt, withoutRegister } = require('../observe_fork');
const childProcess = require('node:child_process');

if (process.argv[2] === 'child') {
  const { env } = process;
  process.send([withoutRegister(process.execArgv), env.PATH !== undefined, Object.hasOwn(env, '__proto__'), env.A, process.argv.slice(3)], () => process.disconnect());
} else {
  const keep = { PATH: process.env.PATH, DIFF_TRACE: process.env.DIFF_TRACE };
  const own = Object.defineProperty({ ...keep, A: 'a' }, '__proto__', { value: 'own', enumerable: true });
  const falsy = [null, undefined, false, 0, ''];
  const all = (names, values, more) => names.flatMap((name) => values.map((value) => ({ ...more, [name]: value })));
  const options = [
    // As Node programs where the child tells what it got; otherwise as a program that starts at once.
    ...all(['execArgv', 'env', 'execPath'], [null, false, '']),
    ...all(['stdio', 'silent', 'timeout', 'killSignal', 'windowsHide', 'argv0', 'serialization', 'shell', 'signal', 'cwd', 'uid', 'detached'], falsy, { execPath: '/bin/true' }),
    { env: own }, { env: { __proto__: { ...keep, A: 'inherited' } } }, { env: { ...keep, A: null } },
  ];
  Promise.all(options.map(async (each, at) => {
    const name = `${at} ${Object.keys(each)} ${String(Object.values(each).at(-1))}`;
    const child = attempt(name, 'fork', () => childProcess.fork(__filename, ['child', 'x'], each));
    if (!child) return;
    child.on('error', (error) => see(name, 'error', error));
    child.on('message', (value) => see(name, 'message', value));
    await gone(child);
    see(name, 'ended', child.exitCode);
  })).then(() => process.exit(0));
}
