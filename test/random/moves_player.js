// Plays sequences of actions on a cluster whose connections move, and checks what each client saw. moves.ts makes the
// sequences; prints one line of JSON for each.
//
//   node test/random/moves_player.js '[{"seed":1,"actions":[["ask",0],["give",0],["kill",1]]}]'
//
// The rule for each client: each of its requests is answered once, in order, with its own answer; or its connection is closed,
// if the worker that held it was killed, or left, or closed its server. It never waits for ever.
'use strict';
const http = require('node:http');
const net = require('node:net');
const path = require('node:path');
const { once } = require('node:events');
const { appendFileSync, mkdtempSync, openSync, readFileSync, readdirSync, readlinkSync, rmSync, writeSync } = require('node:fs');
const { tmpdir } = require('node:os');
const cluster = require(path.join(__dirname, '../../dist/lib/cluster.js'));

if (cluster.isPrimary) void runPrimary(JSON.parse(process.argv[2]));
else runWorker();

// ── worker ───────────────────────────────────────────────────────────────────────────────────────

function runWorker() {
  const record = openSync(process.env.RECORD, 'a');
  const server = http.createServer((request, response) => {
    let length = 0;
    request.on('data', (chunk) => { length += chunk.length; }).on('end', () => {
      writeSync(record, `${request.url}\n`);
      const send = () => response.writeHead(200, { 'x-name': request.url, 'content-length': String(String(length).length) }).end(String(length));
      if (request.url.endsWith('late')) setTimeout(send, 4);
      else send();
    });
  });
  server.keepAliveTimeout = 60_000;
  process.on('message', () => server.close());
  server.listen(Number(process.env.PORT), '127.0.0.1');
}

// ── primary ──────────────────────────────────────────────────────────────────────────────────────

const WORKERS = 3;
const DEADLINE = 20_000;

async function until(holds) {
  const end = performance.now() + DEADLINE;
  while (!holds()) {
    if (performance.now() > end) return false;
    await pause(1);
  }
  return true;
}

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Knows which process has each connection. A socket has the same inode in every process; the kernel's table says which client's it is. */
class Holders {
  #byInode = new Map();
  #inodes = new Map();
  /** The connections that workers have offered, until the primary has answered. */
  #offered = new Map();

  constructor() {
    require('node:diagnostics_channel').subscribe('cluster-internals:message', ({ message, way, from, to, fd }) => {
      if (way === 'sent' && message.act === 'newconn') this.#byInode.set(inodeOf(fd), to);
      if (way === 'received' && message.act === 'returned' && fd !== undefined) {
        // Another worker may get it before the giver has its answer.
        this.#offered.set(`${from} ${message.seq}`, inodeOf(fd));
        this.#byInode.set(inodeOf(fd), 'P');
      }
      if (way === 'sent' && message.taken === false) this.#byInode.set(this.#offered.get(`${to} ${message.ack}`), to);
    });
  }

  /** Finds the inodes of the connections from these ports to `port`. To be called while they are open. */
  look(port, from) {
    const local = ` 0100007F:${hex(port)} 0100007F:`;
    // The kernel may leave out entries while others come and go. A connection that is not accepted yet has no inode.
    for (let tries = 0; tries < 3 && !from.every((one) => this.#inodes.has(one)); tries++) {
      const table = readFileSync('/proc/net/tcp', 'latin1');
      for (let at = table.indexOf(local); at !== -1; at = table.indexOf(local, at + 1)) {
        const [remote, , , , , , , inode] = table.slice(at + local.length, table.indexOf('\n', at)).split(/\s+/);
        if (inode !== '0') this.#inodes.set(parseInt(remote, 16), inode);
      }
    }
  }

  /** The worker that has the connection of the client with this port, as 'W1'; 'P': the primary. Undefined: accepted since the last look. */
  of(port) {
    return this.#byInode.get(this.#inodes.get(port));
  }

  /** Forgets the clients of the sequence that is over: their ports and inodes are used again. Returns the number of their connections that are open here. */
  clear() {
    const open = readdirSync('/proc/self/fd').map(inodeOf).filter((inode) => inode !== null && this.#byInode.has(inode)).length;
    for (const map of [this.#byInode, this.#inodes, this.#offered]) map.clear();
    return open;
  }
}

const hex = (port) => port.toString(16).toUpperCase().padStart(4, '0');

function inodeOf(fd) {
  try {
    return /socket:\[(\d+)\]/.exec(readlinkSync(`/proc/self/fd/${fd}`))?.[1] ?? null;
  } catch {
    return null; // It was closed since the directory was read.
  }
}

/** One connection of a client, and what it has seen. */
class Client {
  /** The names of the whole requests that it has sent and that are not answered, in order. */
  #open = [];
  #text = '';
  /** The rest of a request of which a part was sent, and its name. */
  #half = null;
  #requests = 0;
  answered = 0;
  closed = false;
  /** It has ended its side, or all. */
  ended = false;

  constructor(name, port, isExcused, wrong) {
    this.name = name;
    this.wrong = wrong;
    // A closed socket does not know its port any more.
    this.socket = net.connect({ port, host: '127.0.0.1', noDelay: true }, () => { this.localPort = this.socket.localPort; });
    this.socket.setEncoding('latin1').on('error', (error) => { this.error = error.code; }).on('data', (text) => {
      this.#text += text;
      while (this.#answer());
    }).on('close', () => {
      this.closed = true;
      if (this.ended) return; // A server of Node answers nothing more to a client that has ended its side.
      const excuse = isExcused(this.localPort);
      if (!excuse.is) wrong.push(`${name} was closed with ${this.#open.length} requests open (${this.error ?? 'no error'}), and ${excuse.holder} holds it`);
    });
  }

  #answer() {
    const head = this.#text.indexOf('\r\n\r\n');
    if (head === -1) return false;
    const length = Number(/^content-length: (\d+)/im.exec(this.#text)?.[1] ?? 0);
    if (this.#text.length < head + 4 + length) return false;
    const name = /^x-name: (\S+)/im.exec(this.#text)?.[1];
    const expected = this.#open.shift();
    const body = this.#text.slice(head + 4, head + 4 + length);
    if (name === undefined || name !== expected?.name || body !== String(expected.length)) {
      this.wrong.push(`${this.name}: instead of ${JSON.stringify(expected)} came ${JSON.stringify(this.#text.slice(0, head + 4 + length))}`);
    }
    this.answered++;
    this.#text = this.#text.slice(head + 4 + length);
    return true;
  }

  #request({ late = false, length = 0 } = {}) {
    const name = `/${this.name}r${++this.#requests}${late ? 'late' : ''}`;
    const head = length > 0 ? `POST ${name} HTTP/1.1\r\nHost: x\r\nContent-Length: ${length}\r\n\r\n` : `GET ${name} HTTP/1.1\r\nHost: x\r\n\r\n`;
    return { name, length, text: head + 'x'.repeat(length) };
  }

  #sendAll(requests) {
    this.rest();
    this.#open.push(...requests.map(({ name, length }) => ({ name, length })));
    this.socket.write(requests.map(({ text }) => text).join(''));
  }

  ask() { this.#sendAll([this.#request()]); }
  late() { this.#sendAll([this.#request({ late: true })]); }
  post(length) { this.#sendAll([this.#request({ length })]); }
  pipeline(count, late) { this.#sendAll(Array.from({ length: count }, (_, at) => this.#request({ late: late && at === 0 }))); }

  /** Sends a part of a request, after `before` whole ones in the same write. */
  half(part, length, before) {
    this.rest();
    const whole = Array.from({ length: before }, () => this.#request());
    const { text, ...request } = this.#request({ length });
    const cut = Math.max(1, Math.floor(part * text.length));
    this.#open.push(...whole.map(({ name, length: own }) => ({ name, length: own })));
    this.#half = { request, rest: text.slice(cut) };
    this.socket.write(whole.map((one) => one.text).join('') + text.slice(0, cut));
  }

  rest() {
    if (this.#half === null) return;
    this.#open.push(this.#half.request);
    this.socket.write(this.#half.rest);
    this.#half = null;
  }

  end() {
    this.rest();
    this.ended = 'side';
    this.socket.end();
  }

  close() {
    this.ended = 'all';
    this.socket.destroy();
  }

  get isDone() { return this.closed || this.#open.length === 0; }
  get open() { return this.#open.map(({ name }) => name); }
}

async function runPrimary(sequences) {
  const directory = mkdtempSync(path.join(tmpdir(), 'cluster-moves-'));
  process.on('exit', () => rmSync(directory, { recursive: true, force: true }));
  const record = path.join(directory, 'requests');
  const { port } = await require('../support/own_port').claimPort();
  cluster.setupPrimary({ exec: __filename, args: [] });
  const holders = new Holders();
  /** Workers that have been told to end, or have closed their server. */
  const ending = new Set();
  /** Of those: workers that were asked to close their server. */
  const closing = new Set();
  /** Workers that listen, or will. */
  let pool = [];
  const listens = new Set();
  cluster.on('listening', (worker) => listens.add(worker));
  const fill = () => { while (pool.length < WORKERS) pool.push(cluster.fork({ PORT: String(port), RECORD: record })); };
  const ready = () => pool.filter((worker) => listens.has(worker));
  /** May the connection of the client with this port be closed, because the worker that holds it ends? */
  const isExcused = (own) => {
    const holder = holders.of(own);
    // A worker that was asked to close its server can still get a connection.
    return { holder, is: [...ending].some((worker) => `W${worker.id}` === holder || (holder === undefined && closing.has(worker))) };
  };

  for (const { seed, actions } of sequences) {
    appendFileSync(record, '', { flag: 'w' });
    const wrong = [];
    const clients = new Map();
    const all = [];
    const before = cluster.counters();
    fill();
    await until(() => ready().length === WORKERS);
    const client = (at) => {
      const known = clients.get(at);
      if (known !== undefined && !known.closed && !known.ended) return known;
      const made = new Client(`s${seed}c${all.length}`, port, isExcused, wrong);
      all.push(made);
      clients.set(at, made);
      return made;
    };
    /** A worker ends: another one listens, so the address is never closed. */
    const end = async (at, how) => {
      await until(() => ready().length > 1);
      const worker = ready()[at % ready().length];
      pool = pool.filter((one) => one !== worker);
      holders.look(port, all.filter(({ closed, localPort }) => !closed && localPort !== undefined).map(({ localPort }) => localPort));
      ending.add(worker);
      how(worker);
      fill();
    };
    const steps = {
      give: (at, max) => void ready()[at % ready().length].returnIdle(max === undefined ? {} : { max }),
      giveEnding: () => { for (const worker of ending) if (worker.isConnected()) worker.returnIdle(); },
      kill: (at) => end(at, (worker) => worker.process.kill('SIGKILL')),
      disconnect: (at) => end(at, (worker) => worker.disconnect()),
      closeServer: (at) => end(at, (worker) => {
        closing.add(worker);
        worker.send('close');
      }),
      pause: (ms) => (ms === 0 ? new Promise(setImmediate) : pause(ms)),
      settle: (at) => until(() => clients.get(at)?.isDone ?? true),
    };
    for (const [what, at, ...rest] of actions) {
      if (what in steps) await steps[what](at, ...rest);
      else client(at)[what](...rest);
    }
    for (const one of all) if (!one.ended && !one.closed) one.rest();
    if (!await until(() => all.every(({ isDone, ended }) => isDone || ended === 'all'))) {
      for (const one of all.filter(({ isDone, ended }) => !isDone && ended !== 'all')) wrong.push(`${one.name} hangs: ${one.open} have no answer, ${JSON.stringify(isExcused(one.localPort))}`);
    }
    // One more turn: an answer that nobody has asked for would arrive in it.
    await new Promise(setImmediate);
    const closed = all.filter((one) => one.closed && !one.ended).length;
    for (const one of all) one.close();
    const counts = new Map();
    for (const name of readFileSync(record, 'utf8').split('\n').filter((line) => line !== '')) counts.set(name, (counts.get(name) ?? 0) + 1);
    for (const [name, count] of counts) if (count > 1) wrong.push(`${name} was served ${count} times`);
    for (const worker of ending) if (!worker.isDead()) worker.process.kill('SIGKILL');
    if (!await until(() => [...ending].every((worker) => worker.isDead() && !worker.isConnected()))) wrong.push('a worker does not end');
    ending.clear();
    closing.clear();
    if (!await until(() => cluster.counters().queued + cluster.counters().inFlight === 0)) wrong.push(`connections stay in the primary: ${JSON.stringify(cluster.counters())}`);
    const now = cluster.counters();
    if (now.accepted + now.returned !== now.acknowledged + now.closed + now.queued + now.inFlight) wrong.push(`counters: ${JSON.stringify(now)}`);
    if (now.closed !== before.closed) wrong.push(`the primary has closed ${now.closed - before.closed} connections`);
    const open = holders.clear();
    if (open > 0) wrong.push(`${open} connections are open in the primary`);
    console.log(JSON.stringify({ seed, wrong, clients: all.length, answered: all.reduce((sum, one) => sum + one.answered, 0), closed, moved: now.moved - before.moved, returned: now.returned - before.returned, reclaimed: now.reclaimed - before.reclaimed }));
  }
  for (const worker of Object.values(cluster.workers)) worker.process.kill('SIGKILL');
  await Promise.all(Object.values(cluster.workers).map((worker) => once(worker, 'exit')));
  process.exit(0);
}
