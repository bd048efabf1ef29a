/** A server that accepts by itself (D63), where the app or the primary comes in between. Every order of the other events: model/sharing. */
import { expect, test } from 'vitest';
import { AcceptPause } from '../../internal/child/accept_pause';
import { mostFds } from '../../internal/fds';
import { Listening, type OfWorker } from '../../internal/child/listening';
import type { Progress } from '../../internal/messages';
import type { ListeningHandle, NativeHandle } from '../../internal/native/bindings';

interface FakeServer {
  _connections: number;
  maxConnections?: number;
}

function pauseOf(server: FakeServer) {
  const world = { now: 1000, reading: true, ticks: [] as (() => void)[], afterPoll: [] as (() => void)[], reports: [] as Partial<Progress>[] };
  const handle: ListeningHandle & { readStart(): void; readStop(): void } = {
    onconnection: () => { server._connections++; },
    close() {}, ref() {}, unref() {},
    readStart() { world.reading = true; },
    readStop() { world.reading = false; },
  };
  const pause = new AcceptPause('W1', handle, server, (progress) => void world.reports.push(progress), {
    now: () => world.now,
    every(_ms, callback) {
      world.ticks.push(callback);
      return { hold: () => undefined, stop: () => { world.ticks = []; } };
    },
    afterPoll: (callback) => void world.afterPoll.push(callback),
  });
  pause.begin();
  const accept = (fd = 20): void => handle.onconnection?.(0, { fd } as NativeHandle);
  const fail = (): void => handle.onconnection?.(-24, undefined as never);
  return { world, pause, accept, fail };
}

// It was counted only with the next tick, if there was a timer at all. Until then the server accepted one more, and dropped it.
test('a connection of the primary fills the server: it stops accepting at once', () => {
  const { world, pause } = pauseOf({ _connections: 0, maxConnections: 1 });
  expect(world.reading).toBe(true);
  pause.connection({} as NativeHandle);
  expect(world.reading).toBe(false);
});

test('a connection of the primary does not pause a server that has room', () => {
  const { world, pause } = pauseOf({ _connections: 0, maxConnections: 2 });
  pause.connection({} as NativeHandle);
  expect([world.reading, world.reports]).toEqual([true, []]);
});

// The closed server became 'paused': its timer ran on, and the worker reported for it.
test('a getter `maxConnections` that closes the server: nothing is reported afterwards, and no timer runs', () => {
  for (const when of ['accept', 'tick', 'quota', 'connection'] as const) {
    let closes = false;
    const server = { _connections: 0, get maxConnections(): number { if (closes) pause.close(); return 1 + Number(!closes); } };
    const { world, pause, accept } = pauseOf(server);
    accept();
    const { ticks: [tick], reports: { length } } = world;
    closes = true;
    world.now += 200;
    if (when === 'accept') accept();
    else if (when === 'tick') tick?.();
    else if (when === 'quota') pause.quota({ step: 8, upTo: 100 });
    else pause.connection({} as NativeHandle);
    expect([when, world.ticks, world.reports.length - length]).toEqual([when, [], 0]);
  }
});

// The primary took it for a connection that the others do not accept.
test('a higher quota that arrives during a look is no connection that was found', () => {
  const { world, pause, accept } = pauseOf({ _connections: 0 });
  pause.quota({ step: 8, upTo: 1 });
  accept();
  world.ticks[0]?.();
  expect(world.reading).toBe(true); // It looks.
  pause.quota({ step: 8, upTo: 100 });
  for (const callback of world.afterPoll) callback();
  expect([world.reading, world.reports.filter(({ found }) => found)]).toEqual([true, []]);
});

// libuv would accept with its last fd and close the connection, and then all others that wait in the shared socket.
test('the fds of the process run out: the server stops accepting before the last one, and goes on when there are some again', () => {
  const { world, accept, fail } = pauseOf({ _connections: 0 });
  accept(mostFds() - 9);
  expect(world.reading).toBe(true);
  accept(mostFds() - 8);
  expect([world.reading, world.reports.at(-1)?.full]).toEqual([false, true]);
  world.ticks[0]?.(); // This process has fds.
  expect(world.reading).toBe(true);
  fail();
  expect(world.reading).toBe(false);
  world.ticks[0]?.();
  expect(world.reading).toBe(true);
});

/** The servers of a worker that gets this reply, with a handle. */
function listeningThat(reply: object, sendsHandle = true) {
  const said: string[] = [];
  const handle: ListeningHandle & { readStart(): void; readStop(): void } = {
    onconnection: () => undefined, close() {}, ref() {}, unref() {}, readStart() {}, readStop: () => void said.push('paused'),
  };
  const worker = {
    name: 'W1',
    calls: {
      call: (_query: object, answered: (reply: object, handle?: ListeningHandle) => void) => answered(reply, sendsHandle ? handle : undefined),
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
