// Covers: I-1
// execPath, execArgv, cwd, argv0, env: how the child is started.
'use strict';
const { see, gone, message, withoutRegister } = require('../observe_fork');
const childProcess = require('node:child_process');
const { pathToFileURL } = require('node:url');
const fs = require('node:fs');

const wrapper = __filename.replace('settings.js', 'programs/wrapper.sh');

if (process.argv[2] === 'child') {
  const { A, B, C, D, E } = process.env;
  process.send({
    args: process.argv.slice(2), execArgv: withoutRegister(process.execArgv), cwd: process.cwd(), env: { A, B, C, D, E }, title: process.title, argv0: process.argv0,
    execPath: process.execPath === process.env.REAL_NODE, argv1: process.argv[1] === __filename, main: require.main === module,
  }, () => process.disconnect());
} else {
  (async () => {
    const { env } = process;
    process.env.REAL_NODE = process.execPath;
    process.env.D = 'from the parent';
    fs.mkdirSync('below');
    const settings = [
      {}, { cwd: 'below' }, { cwd: pathToFileURL('below/') }, { cwd: undefined }, { env: { ...env, A: 'a', B: undefined, C: null, D: 5, E: '' } }, { env: undefined },
      { env: null }, { execArgv: ['--no-warnings', '--title=other'] }, { execArgv: [] }, { execArgv: undefined }, { execPath: wrapper }, { execPath: '' },
      { execPath: undefined }, { argv0: 'another name' }, { shell: true }, { windowsHide: true, windowsVerbatimArguments: true }, { foo: 'bar' },
      { uid: process.getuid(), gid: process.getgid() }, { serialization: 'advanced' }, { serialization: undefined }, { silent: 'yes' },
    ];
    for (const [at, options] of settings.entries()) {
      const child = childProcess.fork(__filename, ['child', String(at), 'a b', '"$HOME"'], options);
      const end = gone(child);
      child.on('message', (value) => see(`with ${Object.keys(options)} ${at}`, 'child', value));
      await end;
      see(`with ${Object.keys(options)} ${at}`, 'ended', child.exitCode);
    }
  })();
}
