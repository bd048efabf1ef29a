/** A program whose library speaks a later version of the messages between two primaries. */
'use strict';
const path = require('node:path');
const dist = path.join(__dirname, '../../dist/internal');
const { Link } = require(path.join(dist, 'upgrade/link.js'));
const { openPipe } = require(path.join(dist, 'native/pipes.js'));

const link = new Link(openPipe(Number(process.env.CLUSTER_INTERNALS_UPGRADE.split(',')[0])), 'S to P');
link.listen(() => undefined, () => process.exit(0));
link.send({ act: 'hello', protocol: 3, pid: process.pid, node: process.version });
