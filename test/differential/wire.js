/**
 * For scenarios in which a worker speaks the protocol line by line, with no Node of its own between:
 * `fork` starts this scenario once more as such a worker, which finds `here` true and calls `open`.
 * Fds that are sent to it are dropped by the kernel.
 *
 * Every line that it reads is recorded as it came, under "wire", by a process "R1".
 */
'use strict';
const cluster = require('node:cluster');
const fs = require('node:fs');
const net = require('node:net');
const path = require('node:path');
const { see } = require('./observe');

const here = process.env.WIRE_FD !== undefined;

/** In the primary: forks a worker that speaks by itself. */
function fork(env) {
  const program = path.resolve('speaks-the-wire.sh');
  const node = process.execPath;
  fs.writeFileSync(program, `#!/bin/sh
WIRE_FD="$NODE_CHANNEL_FD" DIFF_NAME="R$NODE_UNIQUE_ID"
export WIRE_FD DIFF_NAME
unset NODE_CHANNEL_FD NODE_CHANNEL_SERIALIZATION_MODE NODE_UNIQUE_ID
exec '${node}' '${process.argv[1]}'
`, { mode: 0o755 });
  // Ours speaks Node's protocol to such a worker; to Node's this is an unknown setting.
  cluster.setupPrimary({ dialect: 'node' });
  process.execPath = program;
  try {
    return cluster.fork(env);
  } finally {
    process.execPath = node;
  }
}

/** In the worker: `say` sends messages in one write, `hear` gives the next line that came. Ends with the channel. */
function open() {
  const channel = new net.Socket({ fd: Number(process.env.WIRE_FD), readable: true, writable: true });
  const heard = [];
  const waiting = [];
  let rest = '';
  channel.setEncoding('utf8').on('data', (text) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop();
    for (const line of lines) {
      // How the primary counts is for wire-numbers.js to see.
      see('wire', line.replace(/"seq":\d+/, '"seq":<seq>'));
      const message = JSON.parse(line);
      if (waiting.length > 0) waiting.shift()(message);
      else heard.push(message);
    }
  });
  channel.on('error', () => {});
  channel.on('end', () => process.exit(0));
  return {
    say(...messages) { channel.write(messages.map((message) => `${JSON.stringify(message)}\n`).join('')); },
    hear() { return new Promise((resolve) => { if (heard.length > 0) resolve(heard.shift()); else waiting.push(resolve); }); },
    leave() { channel.end(); },
  };
}

/** A cluster message of a worker. */
const said = (seq, body) => ({ cmd: 'NODE_CLUSTER', ...body, seq });

module.exports = { here, fork, open, said };
