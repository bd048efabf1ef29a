/** A test for each fact about undocumented parts of Node on which internal/native relies. */
import childProcess, { spawn, type ChildProcess } from 'node:child_process';
import dgram from 'node:dgram';
import { closeSync, mkdtempSync, openSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { getSystemErrorName } from 'node:util';
import { describe, expect, test } from 'vitest';
import { UV_EADDRINUSE, UV_EINVAL, UV_EOF, UV_TCP_IPV6ONLY, nodeMajor, type ListeningHandle, type NativeHandle, type NativePipe } from '../../internal/native/bindings';
import { datagramHandleOf, datagramType, detachSocket, handleOf, isPipe, isTcp, isUdp } from '../../internal/native/handles';
import { bindDatagram, bindStream, makePausable, removeWhenClosed, socketName, setAccepting, takeListeningHandle } from '../../internal/native/listening';
import { PENDING, WRITTEN, newPipe, openPipe, readPipe, stopReading, writePipe } from '../../internal/native/pipes';
import { serverOf } from '../../internal/native/servers';
import { isExiting } from '../../internal/native/process_end';
import { delayClose, interceptSpawn, isSingleExecutable, startWithPipe, type PreparedSpawn } from '../../internal/native/spawning';
import { cleanEnvironment, endChildrenAfterEachTest, event, fixture, keep, within } from '../support/children';
import { allOf, closed, connected, connection, listening, portOf } from '../support/handles';
import { run } from '../support/program';

endChildrenAfterEachTest();

/** The first child that `start` starts gets `pipe` as fd 3. */
function spawnWithPipe(pipe: NativePipe, start: () => ChildProcess): ChildProcess {
  const end = interceptSpawn((child, _options, go) => startWithPipe(child, pipe, 3, (given) => given, go));
  try {
    return start();
  } finally {
    end();
  }
}

/** A child with our pipe on fd 3, and its stdout as text. */
function piped(program: string): { child: ChildProcess; pipe: NativePipe; text: () => string } {
  const pipe = newPipe();
  const child = spawnWithPipe(pipe, () => keep(spawn(process.execPath, [fixture('unit-native-child.js'), program], {
    stdio: ['ignore', 'pipe', 'inherit', 'ignore'], env: cleanEnvironment(),
  })));
  let text = '';
  child.stdout?.setEncoding('utf8').on('data', (data: string) => { text += data; });
  return { child, pipe, text: () => text };
}

const closedHandle = (handle: NativeHandle): Promise<void> => within(30_000, 'the close', (resolve) => handle.close(() => resolve()));

interface Read { chunks: [text: string, handle: string | null][]; errno: number }
const readBy = (text: string): Read => JSON.parse(text.slice(text.indexOf('{'))) as Read;

describe('pipes', () => {
  test('a handle arrives with its message; the kernel ends a read at it, so one read never has two handles', async () => {
    const { child, pipe, text } = piped('reads');
    const servers = [await listening(), await listening()];
    const written = servers.map((server, at) => within<number>(30_000, 'the write', (resolve) => {
      expect(writePipe(pipe, `before ${at} `, null, () => {}, null)).toBe(WRITTEN);
      expect(writePipe(pipe, `with ${at} `, handleOf(server), resolve, null)).toBe(PENDING);
    }));
    expect(writePipe(pipe, Buffer.from('bytes'), null, () => {}, null)).toBeGreaterThanOrEqual(WRITTEN);
    expect(await Promise.all(written)).toEqual([0, 0]);
    await Promise.all(servers.map(closed));
    // Close only after everything was read: libuv reports the end too early after a read that an fd cut short.
    const stdout = child.stdout as NonNullable<ChildProcess['stdout']>;
    while (!text().includes('read\n')) await event(stdout, 'data');
    await closedHandle(pipe);
    await event(child, 'close');
    const { chunks, errno } = readBy(text());
    expect([errno, chunks.map(([part]) => part).join('')]).toEqual([UV_EOF, 'before 0 with 0 before 1 with 1 bytes']);
    expect(chunks.filter(([, handle]) => handle === 'TCP').length).toBe(2);
    expect(errno).toBe(UV_EOF);
  });

  test('a large write is pending while nobody reads, counts in writeQueueSize, and is done when it was read', async () => {
    const { child, pipe } = piped('reads');
    await event(child.stdout as NonNullable<ChildProcess['stdout']>, 'data');
    child.kill('SIGSTOP');
    const done = within<number>(30_000, 'the write', (resolve) => {
      expect(writePipe(pipe, 'x'.repeat(1 << 20), null, resolve, null)).toBe(PENDING);
    });
    expect(pipe.writeQueueSize).toBeGreaterThan(131072);
    child.kill('SIGCONT');
    expect(await done).toBe(0);
    expect(pipe.writeQueueSize).toBe(0);
    await closedHandle(pipe);
    await event(child, 'exit');
  });

  test.each<[string, (piece: Buffer) => Buffer | string]>([
    ['bytes', (piece) => piece], ['texts', (piece) => piece.toString()],
  ])('the pieces of one write arrive in order, also if the kernel takes only some of them at once: %s', async (_name, form) => {
    const { child, pipe, text } = piped('reads');
    const pieces = Array.from({ length: 40 }, (_, at) => Buffer.alloc(at * 998, at % 2 === 0 ? `${at}.` : 'é'));
    expect(await within<number>(30_000, 'the write', (resolve) => {
      expect(writePipe(pipe, pieces.map(form) as string[], null, resolve, null)).toBe(PENDING);
    })).toBe(0);
    expect(writePipe(pipe, [form(Buffer.from('the last ')), form(Buffer.from('bytes'))] as string[], null, () => {}, null)).toBe(WRITTEN);
    const stdout = child.stdout as NonNullable<ChildProcess['stdout']>;
    while (!text().includes('read\n')) await event(stdout, 'data');
    await closedHandle(pipe);
    await event(child, 'close');
    expect(readBy(text()).chunks.map(([part]) => part).join('')).toBe(`${Buffer.concat(pieces).toString()}the last bytes`);
  });

  test('a write after the other end has gone is a negative errno', async () => {
    const { child, pipe } = piped('nothing');
    await event(child, 'exit');
    expect(getSystemErrorName(writePipe(pipe, 'late', null, () => {}, null))).toBe('EPIPE');
    await closedHandle(pipe);
  });

  test('onEnd is called once, and no callback after it', async () => {
    const { child, pipe } = piped('nothing');
    const ends: number[] = [];
    await within<void>(30_000, 'the end', (resolve) => {
      expect(readPipe(pipe, () => {}, (errno) => { ends.push(errno); resolve(); })).toBe(0);
    });
    await event(child, 'close').catch(() => undefined);
    stopReading(pipe);
    expect(ends).toEqual([UV_EOF]);
    await closedHandle(pipe);
  });

  test('a pipe that is not connected cannot be read', async () => {
    const pipe = newPipe();
    expect(readPipe(pipe, () => {}, () => {})).toBeLessThan(0);
    await closedHandle(pipe);
  });

  test('openPipe throws on an fd that is not open', () => {
    expect(() => openPipe(9999)).toThrow(/fd 9999 is not a pipe/);
  });
});

describe('spawning', () => {
  const prototype = childProcess.ChildProcess.prototype as object as { spawn: unknown };
  const spawnOfNode = (): unknown => prototype.spawn;
  const nativeSpawn = (): unknown => Object.getPrototypeOf((new childProcess.ChildProcess() as unknown as { _handle: object })._handle).spawn;

  test('Node\'s spawn and the native one are put back, also when the start throws or starts nothing', async () => {
    const before = [spawnOfNode(), nativeSpawn()];
    const now = (): unknown[] => [spawnOfNode(), nativeSpawn()];
    const pipe = newPipe();
    expect(() => spawnWithPipe(pipe, () => { throw new Error('mine'); })).toThrow('mine');
    expect(now()).toEqual(before);
    const child = spawnWithPipe(pipe, () => keep(spawn('/no/such/program', [], { stdio: ['ignore', 'ignore', 'ignore', 'ignore'] })));
    expect(now()).toEqual(before);
    expect((await event<[NodeJS.ErrnoException]>(child, 'error'))[0].code).toBe('ENOENT');
    await closedHandle(pipe);
  });

  test('begin gets program, arguments, environment and stdio, whichever function starts the child, and can change them', async () => {
    const seen: PreparedSpawn[] = [];
    const pipe = newPipe();
    const end = interceptSpawn((child, options, start) => {
      seen.push({ ...options });
      return startWithPipe(child, pipe, 3, ({ args, envPairs }) => ({ args: [...args, 'more'], envPairs: [...envPairs, 'B=b'] }), start);
    });
    const stdio = ['ignore', 'pipe', 'inherit', 'ignore'] as const;
    const child = keep(spawn(process.execPath, ['-p', '[process.argv.slice(1), process.env.A, process.env.B].join()', 'one'], { stdio: [...stdio], env: { A: 'a' } }));
    end();
    let text = '';
    child.stdout?.setEncoding('utf8').on('data', (data: string) => { text += data; });
    await event(child, 'close');
    expect(text).toBe('one,more,a,b\n');
    expect(child.spawnargs.at(-1)).toBe('one');
    expect(seen).toMatchObject([{ file: process.execPath, args: child.spawnargs, envPairs: ['A=a'], stdio }]);
    await closedHandle(pipe);
  });

  test('other code that has replaced Node\'s spawn in the meantime keeps its replacement', () => {
    const nodes = prototype.spawn;
    const end = interceptSpawn((_child, _options, start) => start());
    const theirs = (): number => 0;
    prototype.spawn = theirs;
    end();
    expect(spawnOfNode()).toBe(theirs);
    prototype.spawn = nodes;
  });

  test('Node gives the pipe no socket of its own', async () => {
    const { child, pipe } = piped('nothing');
    expect(child.stdio[3] ?? null).toBe(null);
    await event(child, 'close');
    await closedHandle(pipe);
  });

  test('delayClose: close waits for one more event, and is emitted once', async () => {
    const child = keep(spawn(process.execPath, ['-e', 'process.exit(5)'], { stdio: 'ignore', env: cleanEnvironment() }));
    const events: unknown[] = [];
    child.on('close', (...args) => events.push(args));
    const ended = delayClose(child);
    await event(child, 'exit');
    await new Promise((resolve) => setImmediate(resolve));
    expect(events).toEqual([]);
    ended();
    expect(events).toEqual([[5, null]]);

    const other = keep(spawn(process.execPath, ['-e', '0'], { stdio: 'ignore', env: cleanEnvironment() }));
    const closing = event(other, 'close');
    delayClose(other)(); // before it exits
    expect(await closing).toEqual([0, null]);
  });
});

describe('the process', () => {
  test('B-1: the bindings print no warning, and process.noDeprecation is left as it was', async () => {
    const file = fixture('unit-native-child.js');
    const pending = await run(file, { args: ['quiet'], execArgv: ['--pending-deprecation', '--throw-deprecation'], env: cleanEnvironment() });
    expect(pending).toMatchObject({ code: 0, stderr: '', stdout: '[false,null,null]\n' });
    const silent = await run(file, { args: ['quiet'], execArgv: ['--no-deprecation'], env: cleanEnvironment() });
    expect(silent).toMatchObject({ code: 0, stderr: '' });
    expect((JSON.parse(silent.stdout) as unknown[])[1]).toBe(true);
  });

  test('isExiting: false before exit listeners, true in them', async () => {
    expect(isExiting()).toBe(false);
    const { stdout } = await run(fixture('unit-native-child.js'), { args: ['exiting'], env: cleanEnvironment() });
    expect(JSON.parse(stdout)).toEqual([false, true]);
  });

  test('isSingleExecutable: false for a Node that runs a script', () => {
    expect(isSingleExecutable()).toBe(false);
  });

  test('the numbers of libuv, and the major version', () => {
    expect([UV_EOF, UV_EINVAL, UV_EADDRINUSE].map((errno) => getSystemErrorName(errno))).toEqual(['EOF', 'EINVAL', 'EADDRINUSE']);
    expect(`v${nodeMajor}`).toBe(process.version.split('.')[0]);
    expect(UV_TCP_IPV6ONLY).toBe(1);
  });
});

describe('what a handle is', () => {
  test('isTcp, isPipe and isUdp distinguish the three kinds, and refuse objects that only look like a handle', async () => {
    const directory = mkdtempSync(path.join(tmpdir(), 'unit-'));
    const servers = [await listening(), await listening(path.join(directory, 's'))];
    const socket = dgram.createSocket('udp6').bind(0, '::1');
    await event(socket, 'listening');
    const [tcp, pipe] = servers.map(handleOf);
    const udp = datagramHandleOf(socket);
    const kinds = [tcp, pipe, udp, {}, null, undefined, { close() {}, ref() {}, unref() {}, fd: 3 }].map((handle) => [isTcp(handle), isPipe(handle), isUdp(handle)]);
    expect(kinds).toEqual([[true, false, false], [false, true, false], [false, false, true], ...Array(4).fill([false, false, false])]);
    expect(datagramType(socket)).toBe('udp6');
    expect(socketName(tcp as ListeningHandle)).toEqual({ address: '127.0.0.1', family: 'IPv4', port: portOf(servers[0] as net.Server) });
    expect(socketName(pipe as ListeningHandle)).toBe(null);
    for (const handle of [tcp, pipe, udp]) expect(handle?.fd).toBeGreaterThan(2);
    await Promise.all([...servers, socket].map(closed));
    expect(datagramHandleOf(socket)).toBe(null);
    rmSync(directory, { recursive: true });
  });

  test('handleOf: null for a server that does not listen and a socket that is not connected', () => {
    expect([handleOf(net.createServer()), handleOf(new net.Socket())]).toEqual([null, null]);
  });

  test('serverOf: the server that accepted, by its key; null for a client', async () => {
    const { client, accepted } = await connection();
    expect(serverOf(accepted)).toMatchObject({ key: '4:127.0.0.1:0' });
    expect(serverOf(client)).toBe(null);
    const gone = event(client, 'close');
    accepted.destroy();
    client.resume();
    await gone;
  });
});

describe('detachSocket', () => {
  test('the socket has nothing left: no handle, no timer, no place among its server\'s; the handle works on', async () => {
    const server = await listening();
    const [client, [accepted]] = await Promise.all([connected(portOf(server)), event<[net.Socket]>(server, 'connection')]);
    accepted.setTimeout(60_000);
    const handle = detachSocket(accepted) as NativeHandle;
    expect([isTcp(handle), handleOf(accepted), accepted.timeout, detachSocket(accepted)]).toEqual([true, null, 0, null]);
    await closed(server); // it emits 'close', so it counts no connection any more
    const text = allOf(client);
    const options = { handle, readable: true, writable: true };
    new net.Socket(options as net.SocketConstructorOpts).end('again');
    expect(await text).toBe('again');
  });

  test('an HTTP server\'s socket: the parser lets go, and what comes later is the new owner\'s', async () => {
    const server = http.createServer().listen(0, '127.0.0.1');
    await event(server, 'listening');
    const [client, [accepted]] = await Promise.all([connected(portOf(server)), event<[net.Socket]>(server, 'connection')]);
    const requests: unknown[] = [];
    server.on('request', (request) => requests.push(request));
    const handle = detachSocket(accepted) as NativeHandle;
    expect((accepted as unknown as { parser: unknown }).parser).toBe(null);
    const options = { handle, readable: true, writable: true };
    const socket = new net.Socket(options as net.SocketConstructorOpts);
    const came = event<[Buffer]>(socket, 'data');
    client.write('GET / HTTP/1.1\r\n\r\n');
    expect(String((await came)[0])).toBe('GET / HTTP/1.1\r\n\r\n');
    expect(requests).toEqual([]);
    const gone = event(client, 'close');
    socket.destroy();
    client.resume();
    await gone;
    await closed(server);
  });
});

describe('listening', () => {
  test('takeListeningHandle: the server is an empty shell, the handle accepts for its new owner', async () => {
    const server = await listening();
    const port = portOf(server);
    const handle = takeListeningHandle(server);
    expect([server.listening, server.address(), handle.onconnection]).toEqual([false, null, null]);
    const accepted = within<[number, NativeHandle]>(30_000, 'a connection', (resolve) => { handle.onconnection = (...args) => resolve(args); });
    const client = await connected(port);
    const [errno, connectionHandle] = await accepted;
    expect([errno ?? 0, isTcp(connectionHandle)]).toEqual([0, true]);
    const gone = event(client, 'close');
    connectionHandle.close();
    client.resume();
    await gone;
    await closedHandle(handle);
  });

  // The primary that inherits the socket threw in the query of its first worker, or where it closed the address.
  test('removeWhenClosed: a path at which this process cannot look is left alone', () => {
    const directory = mkdtempSync(path.join(tmpdir(), 'unit-remove-'));
    try {
      const [file, loop] = [path.join(directory, 'socket'), path.join(directory, 'loop')];
      writeFileSync(file, '');
      symlinkSync(loop, loop);
      let closed = 0;
      const closing = (): NativeHandle => ({ close() { closed++; }, ref() {}, unref() {} });
      const [there, unseen] = [closing(), closing()];
      removeWhenClosed(unseen, path.join(loop, 'socket'));
      removeWhenClosed(there, file);
      unseen.close();
      there.close();
      expect([closed, readdirSync(directory)]).toEqual([2, ['loop']]);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });

  test.each<[name: string, options: () => net.ListenOptions]>([
    ['a port', () => ({ port: 0, host: '127.0.0.1' })], ['any address', () => ({ port: 0 })],
    ['a path', () => ({ path: `\0unit-pausable-${process.pid}` })],
  ])('makePausable, setAccepting: while accepting is stopped, connections wait in the backlog, also after the first stop: %s', async (_name, options) => {
    const server = net.createServer();
    makePausable(server);
    server.listen(options());
    await event(server, 'listening');
    const where = server.address() as net.AddressInfo | string;
    const handle = takeListeningHandle(server);
    let accepted = 0;
    let wake = (): void => {};
    handle.onconnection = (_errno, connected) => {
      accepted++;
      connected.close();
      wake();
    };
    const until = (count: number): Promise<void> => within(30_000, `connection ${count}`, (resolve) => {
      wake = () => void (accepted >= count && resolve());
      wake();
    });
    for (let round = 0; round < 2; round++) {
      setAccepting(handle, false);
      const client = typeof where === 'string' ? net.connect(where) : net.connect(where.port, '127.0.0.1');
      await event(client, 'connect');
      // If the connection were closed, its end would come through this event loop, within a few turns.
      for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
      expect(accepted).toBe(round);
      setAccepting(handle, true);
      setAccepting(handle, true);
      await until(round + 1);
      client.destroy();
    }
    await closedHandle(handle);
  });

  test('B-3: bindStream binds without listening, or gives a negative errno', async () => {
    const handle = bindStream('127.0.0.1', 0, 4, undefined, 0) as ListeningHandle;
    expect(isTcp(handle)).toBe(true);
    const { port } = socketName(handle) as { port: number };
    const client = net.connect(port, '127.0.0.1');
    expect((await event<[NodeJS.ErrnoException]>(client, 'error'))[0].code).toBe('ECONNREFUSED');
    expect(handle.listen?.(1)).toBe(0);
    await closedHandle(handle);
    expect(bindStream('192.0.2.1', 0, 4, undefined, 0)).toBeLessThan(0);
    expect(bindStream('/no/such/directory/s', -1, -1, undefined, undefined)).toBeLessThan(0);
  });

  test('bindDatagram: bound, or a negative errno; an fd that is no socket is EINVAL', async () => {
    const first = bindDatagram('127.0.0.1', 0, 'udp4', -1, 0) as ListeningHandle;
    expect(isUdp(first)).toBe(true);
    const { port } = socketName(first) as { port: number };
    expect(getSystemErrorName(bindDatagram('127.0.0.1', port, 'udp4', undefined, 0) as number)).toBe('EADDRINUSE');
    const six = bindDatagram(null, null, 'udp6', undefined, null) as ListeningHandle;
    expect(socketName(six)).toMatchObject({ family: 'IPv6', address: '::' });
    expect(bindDatagram('no address', 0, 'udp4', undefined, 0)).toBeLessThan(0);
    const file = openSync('/dev/null', 'r');
    expect([bindDatagram(null, null, 'udp4', file, null), bindDatagram(null, null, 'udp4', 9999, null), bindDatagram(null, null, 'udp4', 3.5, null)])
      .toEqual([UV_EINVAL, UV_EINVAL, UV_EINVAL]);
    closeSync(file);
    await Promise.all([closedHandle(first), closedHandle(six)]);
  });

  test('socketName: a negative errno of a closed handle', async () => {
    const handle = bindStream('127.0.0.1', 0, 4, undefined, 0) as ListeningHandle;
    await closedHandle(handle);
    expect(socketName(handle)).toBeLessThan(0);
  });
});
