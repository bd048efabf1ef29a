/** A successor that lies: argument 1 says how. */
'use strict';
const fs = require('node:fs');
const path = require('node:path');
const dist = path.join(__dirname, '../../dist/internal');
const { Link } = require(path.join(dist, 'upgrade/link.js'));
const { PROTOCOL } = require(path.join(dist, 'upgrade/messages.js'));
const { openPipe } = require(path.join(dist, 'native/pipes.js'));
const how = process.argv[2];
const fd = Number(process.env.CLUSTER_INTERNALS_UPGRADE.split(',')[0]);

if (how === 'garbage') {
  fs.writeSync(fd, Buffer.alloc(1000, 0xff));
  setInterval(() => undefined, 1000);
} else if (how === 'endless') {
  // One message without an end, as fast as it is read.
  const piece = Buffer.alloc(1 << 16, 'x');
  fs.writeSync(fd, '{"cmd":"NODE_CLUSTER_UPGRADE","act":"');
  for (let isOpen = true; isOpen;) {
    try {
      fs.writeSync(fd, piece);
    } catch (error) {
      isOpen = error.code === 'EAGAIN';
    }
  }
  setInterval(() => undefined, 1000);
} else {
  const link = new Link(openPipe(fd), 'S to P');
  const hello = { act: 'hello', protocol: PROTOCOL, pid: process.pid, node: process.version };
  let ids = [];
  link.listen((message, handle) => {
    handle?.close();
    if (message.act === 'address') ids.push(message.id);
    if (message.act === 'begin') begin();
    if (message.act === 'connection') link.send({ act: 'taken', seq: message.seq + 1000, taken: true }); // Of others than there are.
    if (message.act === 'commit') link.send({ act: 'serving' });
  }, () => process.exit(0));
  link.send(hello);
  const begin = () => {
    if (how === 'ids') link.send({ act: 'ready', adopted: [-1, 1e9, 0.5] });
    if (how === 'answers first') for (const act of ['serving', 'done']) for (let count = 0; count < 1000; count++) link.send({ act });
    if (how === 'takes all') {
      link.send({ act: 'ready', adopted: ids });
      link.send({ act: 'state', key: 1, id: 1, message: { act: 'hello' } });
      setTimeout(() => process.exit(5), 500);
    }
    if (how === 'flood') {
      const some = (rounds) => {
        for (let count = 0; count < 1000; count++) link.send({ act: 'ready', adopted: [] });
        if (rounds > 1) setImmediate(some, rounds - 1);
      };
      some(200);
    }
  };
}
