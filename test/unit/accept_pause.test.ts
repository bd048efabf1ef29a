/** A server that accepts by itself (D63), where the app or the primary comes in between. Every order of the other events: model/sharing. */
import { execFileSync } from 'node:child_process';
import diagnostics from 'node:diagnostics_channel';
import { expect, test } from 'vitest';
import { AcceptPause } from '../../internal/child/accept_pause';
import { mostFds } from '../../internal/fds';
import { Listening, type OfWorker } from '../../internal/child/listening';
import type { Progress } from '../../internal/messages';
import type { StateTrace } from '../../internal/trace';
import { nodeMajor, type NativeHandle } from '../../internal/native/bindings';
import { FakeListener, FakeLoop } from '../support/accepting';
import { FakeConnection } from '../support/cluster_fakes';
import { dist } from '../support/program';

interface FakeServer {
  _connections: number;
  maxConnections?: number;
}

function pauseOf(server: FakeServer, connected: () => void = () => { server._connections++; }) {
  const world = { now: 1000, reports: [] as Partial<Progress>[] };
  const loop = new FakeLoop(() => world.now);
  const handle = new FakeListener(9);
  handle.onconnection = connected;
  const pause = new AcceptPause('W1', handle, server, (progress) => void world.reports.push(progress), loop);
  pause.begin();
  const tick = (): void => { for (const { callback } of loop.timers) callback(); };
  const accept = (fd = 20): void => handle.onconnection?.(0, { fd } as NativeHandle);
  const fail = (): void => handle.onconnection?.(-24, undefined as never);
  return { world, loop, handle, pause, tick, accept, fail };
}

// It was counted only with the next tick, if there was a timer at all. Until then the server accepted one more, and dropped it.
test('a connection of the primary fills the server: it stops accepting at once', () => {
  const { loop, handle, pause } = pauseOf({ _connections: 0, maxConnections: 1 });
  expect(handle.accepting).toBe(true);
  pause.connection({} as NativeHandle);
  expect([handle.accepting, loop.timers.size]).toEqual([false, 1]); // The timer ends the pause.
});

test('a connection of the primary does not pause a server that has room', () => {
  const server = { _connections: 0, maxConnections: 2 };
  const { world, handle, pause } = pauseOf(server);
  pause.connection({} as NativeHandle);
  expect([handle.accepting, world.reports, server._connections]).toEqual([true, [], 1]);
});

// The connection was nobody's: its client waited for ever.
test('a getter that throws in `net` before a socket has the connection: the connection is closed, and the exception is the app’s', () => {
  const { handle, pause } = pauseOf({ _connections: 0 }, () => { throw new Error('of the getter'); });
  for (const give of [(connection: FakeConnection) => handle.onconnection?.(0, connection), (connection: FakeConnection) => pause.connection(connection)]) {
    const connection = new FakeConnection(20);
    expect(() => give(connection)).toThrow('of the getter');
    expect(connection.closes).toBe(1);
  }
});

// The closed server became 'paused': its timer ran on, and the worker reported for it.
test('a getter `maxConnections` that closes the server: nothing is reported afterwards, and no timer runs', () => {
  for (const when of ['accept', 'tick', 'quota', 'connection'] as const) {
    let closes = false;
    const server = { _connections: 0, get maxConnections(): number { if (closes) pause.close(); return 1 + Number(!closes); } };
    const { world, loop, pause, tick, accept } = pauseOf(server);
    accept();
    const { length } = world.reports;
    closes = true;
    world.now += 200;
    if (when === 'accept') accept();
    else if (when === 'tick') tick();
    else if (when === 'quota') pause.quota({ step: 8, upTo: 100 });
    else pause.connection({} as NativeHandle);
    expect([when, loop.timers.size, world.reports.length - length]).toEqual([when, 0, 0]);
  }
});

// The primary took it for a connection that the others do not accept.
test('a higher quota that arrives during a look is no connection that was found', () => {
  const { world, loop, handle, pause, tick, accept } = pauseOf({ _connections: 0 });
  pause.quota({ step: 8, upTo: 1 });
  accept();
  tick();
  expect(handle.accepting).toBe(true); // It looks.
  pause.quota({ step: 8, upTo: 100 });
  loop.runImmediates();
  expect([handle.accepting, world.reports.filter(({ found }) => found)]).toEqual([true, []]);
});

test('looks have found half of what comes to a worker: the report says so, once', () => {
  const { world, loop, pause, tick, accept } = pauseOf({ _connections: 0 });
  pause.quota({ step: 8, upTo: 1 });
  accept();
  for (let times = 0; times < 2; times++) {
    tick();
    for (let found = 0; found < (times === 0 ? 8 : 7); found++) accept();
    loop.runImmediates();
    loop.runImmediates();
    world.now += 250;
    tick();
    loop.runImmediates();
  }
  expect(world.reports.map(({ total, found }) => [total, found])).toEqual([[1, undefined], [9, true], [16, undefined]]);
});

test('a quota grows at its pace, and a paused worker goes on when a quarter of `step` is free', () => {
  const { world, loop, handle, pause, tick, accept } = pauseOf({ _connections: 0 });
  pause.quota({ step: 8, upTo: 1, pace: 0.1 });
  accept();
  const after = (ms: number): boolean => {
    world.now += ms;
    tick();
    const { accepting } = handle;
    loop.runImmediates();
    return accepting && handle.accepting; // Not only for a look.
  };
  expect([after(5), after(15), after(5)]).toEqual([false, false, true]); // It may have 1.5, 3.0 and 3.5: one, and two beyond it.
});

test.each([['the primary does not answer', 1500, true], ['nothing has come', 1000, false]] as const)('%s for %i ms: the worker has no quota any more, until it hears from the primary', (_what, ms, comes) => {
  const { world, loop, handle, pause, tick, accept } = pauseOf({ _connections: 0 });
  pause.quota({ step: 8, upTo: 1 });
  accept();
  let passed = 0;
  for (; passed < ms - 10; passed += 10) {
    world.now += 10;
    tick();
    if (comes && passed % 100 === 0) accept(); // In a look.
    for (let turn = 0; turn < 3; turn++) loop.runImmediates();
    expect([passed, handle.accepting]).toEqual([passed, false]);
  }
  world.now += 20;
  tick();
  loop.runImmediates();
  expect(handle.accepting).toBe(true);
  pause.quota({ step: 8, upTo: 1 });
  expect(handle.accepting).toBe(false);
});

test('a worker whose event loop was 100 ms late says in its next report that it is full, and one that is full reports once in a period', () => {
  const server: FakeServer = { _connections: 0 };
  const { world, tick, accept } = pauseOf(server);
  accept();
  world.now += 230;
  tick();
  world.now += 10;
  tick();
  expect(world.reports.map(({ full }) => full)).toEqual([true]);
  server.maxConnections = 2;
  accept();
  expect(world.reports).toHaveLength(1);
});

test('a getter that throws is no reason to pause', () => {
  const { handle, accept } = pauseOf({ _connections: 0, get maxConnections(): number { throw new Error('of the getter'); } });
  accept();
  expect(handle.accepting).toBe(true);
});

// It paused until the next tick. So a worker whose quota was too low for what came accepted a few in each 10 ms, until the
// shared socket was full.
test('a worker that goes on with a tick and is at its quota at once goes on until a turn finds nothing', () => {
  for (const bound of ['upTo', 'mostOpen'] as const) {
    const server = { _connections: 0 };
    const { world, loop, handle, pause, tick, accept } = pauseOf(server);
    pause.quota(bound === 'upTo' ? { step: 8, upTo: 1, pace: 0.5 } : { step: 8, mostOpen: 2 });
    accept();
    accept();
    expect([bound, handle.accepting]).toEqual([bound, false]);
    server._connections = 0;
    world.now += 10; // The quota has grown by 5.
    tick();
    for (let turn = 0; turn < 20; turn++) {
      expect([bound, turn, handle.accepting]).toEqual([bound, turn, true]);
      accept();
      loop.runImmediates();
    }
    loop.runImmediates();
    expect([bound, handle.accepting]).toEqual([bound, false]);
  }
});

// The look that had begun with the tick ended the second one, in the turn in which it began.
test('a look that begins in the turn of another one goes on until a turn finds nothing', () => {
  const { world, loop, handle, pause, tick, accept } = pauseOf({ _connections: 0 });
  pause.quota({ step: 8, upTo: 1, pace: 0.5 });
  accept();
  tick(); // It looks.
  world.now += 4; // The quota has grown by 2.
  for (let connection = 0; connection < 3; connection++) accept(); // It goes on, and is at its quota again.
  for (let turn = 0; turn < 3; turn++) {
    loop.runImmediates();
    expect([turn, handle.accepting]).toEqual([turn, true]);
    accept();
  }
  loop.runImmediates();
  loop.runImmediates();
  expect(handle.accepting).toBe(false);
});

// libuv would accept with its last fd and close the connection, and then all others that wait in the shared socket.
test('the fds of the process run out: the server stops accepting before the last one, and goes on when there are some again', () => {
  const { world, handle, tick, accept, fail } = pauseOf({ _connections: 0 });
  accept(mostFds() - 9);
  expect(handle.accepting).toBe(true);
  accept(mostFds() - 8);
  expect([handle.accepting, world.reports.at(-1)?.full]).toEqual([false, true]);
  tick(); // This process has fds.
  expect(handle.accepting).toBe(true);
  fail();
  expect(handle.accepting).toBe(false);
  tick();
  expect(handle.accepting).toBe(true);
});

test('the trace has the reason of each pause, and why it ends', () => {
  const seen: string[] = [];
  const note = (event: unknown): void => {
    const { what, from, to, why } = event as StateTrace;
    if (what === 'W1') seen.push(`${from} → ${to}${why === undefined ? '' : `: ${why}`}`);
  };
  diagnostics.subscribe('cluster-internals:state', note);
  try {
    const server: FakeServer = { _connections: 0, maxConnections: 3 };
    const { world, pause, tick, accept, fail } = pauseOf(server);
    pause.quota({ step: 8, upTo: 1 });
    accept();
    pause.quota({ step: 8, upTo: 100 });
    pause.quota({ step: 8, upTo: 100, mostOpen: 1 });
    pause.quota({ step: 8 });
    accept();
    accept();
    server._connections = 0;
    tick();
    fail();
    world.now += 5000; // Nothing has come meanwhile, and this process has fds.
    tick();
    pause.close();
  } finally {
    diagnostics.unsubscribe('cluster-internals:state', note);
  }
  expect(seen).toEqual([
    'accepting → paused: quota', 'paused → accepting: room', 'accepting → paused: open connections', 'paused → accepting: no quota',
    'accepting → paused: maxConnections', 'paused → accepting: no quota', 'accepting → paused: fds', 'paused → accepting: no quota', 'accepting → closed',
  ]);
});

// It was read at the first connection, when no file could be opened: nothing was reserved from then on.
test('the fds of the process have run out before the first connection: the last ones are known all the same', () => {
  const program = `
    const { AcceptPause } = require(${JSON.stringify(dist('internal/child/accept_pause.js'))});
    const fs = require('node:fs');
    let accepting = true;
    const handle = { onconnection() {}, readStart() { accepting = true; }, readStop() { accepting = false; } };
    const pause = new AcceptPause('W1', handle, { _connections: 0 }, () => {}, { now: () => 1000, every: () => ({}), afterPoll() {} });
    pause.begin();
    try { for (;;) fs.openSync('/dev/null'); } catch {}
    handle.onconnection(0, { fd: 63 });
    fs.writeSync(1, String(accepting));
  `;
  expect(execFileSync('sh', ['-c', 'ulimit -n 64; exec "$0" -e "$1"', process.execPath, program], { encoding: 'utf8' })).toBe('false');
});

// The next fd was taken for none at all: a worker whose fds had run out once accepted nothing any more.
test('a process that may not open /dev/null does not take that for the end of its fds', () => {
  const flag = nodeMajor < 22 ? '--experimental-permission' : '--permission';
  const program = `process.stdout.write(String(require(${JSON.stringify(dist('internal/fds.js'))}).nextFd()))`;
  expect(execFileSync(process.execPath, ['--no-warnings', flag, `--allow-fs-read=${dist('')}`, '-e', program], { encoding: 'utf8' })).toBe('0');
});

/** The servers of a worker that gets this reply, with a handle. */
function listeningThat(reply: object, sendsHandle = true) {
  const said: string[] = [];
  const handle = new FakeListener(9);
  handle.readStop = () => void said.push('paused');
  const worker = {
    name: 'W1',
    calls: {
      call: (_query: object, answered: (reply: object, handle?: FakeListener) => void) => answered(reply, sendsHandle ? handle : undefined),
      notify: ({ act }: { act: string }) => said.push(act),
    },
    deliveries: { listen: () => undefined, close: () => said.push('not delivered any more'), hold: () => () => undefined },
    counts: { watch: () => undefined, unwatch: () => undefined },
    returns: { listen: () => undefined },
    listens: () => undefined,
  };
  return { listening: new Listening(worker as unknown as OfWorker), handle, said };
}

// It took the reply for one of round robin, listened to nothing, and the primary counted it among those who accept.
test('the listening socket did not arrive, because this process has no fd: `listen` fails with EMFILE, and the primary hears of it', () => {
  const { listening, said } = listeningThat({ ack: 1, seq: 1, errno: null, key: 'k', quotas: true }, false);
  const server = { once: () => server };
  const errors: number[] = [];
  listening.getServer(server as never, { address: null, port: 0, addressType: 4, fd: null } as never, (errno) => void errors.push(errno));
  expect([errors, said, listening.held]).toEqual([[-24], ['close'], []]);
});

// Nobody ended the pause: the closed server reported for ever.
test('a getter `maxConnections` that closes the server when it is read first: the server is closed for the primary, and no quota reaches it', () => {
  const { listening, handle, said } = listeningThat({ ack: 1, seq: 1, errno: null, key: 'k', quotas: true });
  const server = { once: () => server, get maxConnections(): number { handle.close(); return -1; } };
  listening.getServer(server as never, { address: null, port: 0, addressType: 4, fd: null } as never, () => undefined);
  expect([said, listening.held]).toEqual([['not delivered any more', 'close'], []]);
  listening.quota({ act: 'quota', key: 'k', step: 8, upTo: 0 } as never);
  expect(said).toHaveLength(2);
});
