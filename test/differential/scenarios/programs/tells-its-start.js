// Started by settings-of-a-worker.js: how was I started?
'use strict';
const path = require('node:path');
const { see } = require('../../observe');

see('self', 'arguments', process.argv.slice(2));
see('self', 'program', path.basename(process.argv[1]), require.main === module);
see('self', 'directory', process.cwd());
see('self', 'flags', process.execArgv.filter((flag) => flag.startsWith('--no-') || flag.startsWith('--stack')));
see('self', 'title', process.title === require('node:process').title, process.argv0 !== '');
process.disconnect();
