/** Is a process debugged? Asked of real processes, whose event loop is blocked. */
import { spawn, type ChildProcess } from 'node:child_process';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { isDebugged } from '../../internal/supervisor/debugged_process';

/** A process that runs this code, says so, and blocks its event loop. */
async function blocked(code: string): Promise<ChildProcess & { pid: number }> {
  const child = spawn(process.execPath, ['-e', `${code}; const block = () => { require('node:fs').writeSync(1, 'x'); for (;;); };`], { stdio: ['ignore', 'pipe', 'ignore'] });
  await once(child.stdout, 'data');
  return child as ChildProcess & { pid: number };
}

test('an open inspector is found though the event loop is blocked; a server that only listens, or answers something else, is none', async () => {
  const listen = (host: string): string => `require('node:net').createServer().listen(0, '${host}', () => setImmediate(() => block()))`;
  const children = await Promise.all([
    blocked("require('node:inspector').open(0); setImmediate(() => block())"),
    blocked("require('node:inspector').open(0, '::'); setImmediate(() => block())"),
    blocked(listen('127.0.0.1')), blocked(listen('::1')), blocked('setImmediate(() => block())'),
  ]);
  try {
    expect(await Promise.all(children.map(({ pid }) => isDebugged(pid)))).toEqual([true, true, false, false, false]);
  } finally {
    await Promise.all(children.map((child) => {
      child.kill('SIGKILL');
      return once(child, 'close');
    }));
  }
  expect(await isDebugged(children[0]?.pid ?? 0), 'a process that is gone').toBe(false);
});

test('an answer that has arrived is read, although the deadline has passed while this process did not run', async () => {
  const child = await blocked("require('node:inspector').open(0); setImmediate(() => block())");
  const pause = new Int32Array(new SharedArrayBuffer(4));
  const seen = (message: unknown): void => void (message as { socket: Socket }).socket.once('connect', () => setImmediate(() => Atomics.wait(pause, 0, 0, 1_000)));
  subscribe('net.client.socket', seen);
  try {
    expect(await isDebugged(child.pid)).toBe(true);
  } finally {
    unsubscribe('net.client.socket', seen);
    child.kill('SIGKILL');
    await once(child, 'close');
  }
});

test('a server that floods, and one that closes at once, end the look; what this process holds itself is not asked', async () => {
  const serve = (onConnection: string): Promise<ChildProcess & { pid: number }> =>
    blocked(`require('node:net').createServer((socket) => { socket.on('error', () => {}); ${onConnection} }).listen(0, '127.0.0.1', () => require('node:fs').writeSync(1, 'x'))`);
  const children = await Promise.all([
    serve("const write = () => { while (!socket.destroyed && socket.write('x'.repeat(65536))); }; socket.on('drain', write); write();"), serve('socket.destroy();'),
    serve("socket.end('HTTP/1.1 404 Not Found\\r\\n\\r\\n');"),
  ]);
  // The kernel takes megabytes from the flood that nobody reads: what counts is how much the look has read.
  const sockets: Socket[] = [];
  const seen = (message: unknown): void => void sockets.push((message as { socket: Socket }).socket);
  subscribe('net.client.socket', seen);
  onTestFinished(() => void unsubscribe('net.client.socket', seen));
  let asked = 0;
  const server = createServer((socket) => {
    asked++;
    socket.destroy();
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  expect([await Promise.all(children.map(({ pid }) => isDebugged(pid))), await isDebugged(process.pid), asked]).toEqual([[false, false, false], false, 0]);
  expect(sockets).toHaveLength(3);
  expect(Math.max(...sockets.map(({ bytesRead }) => bytesRead)), 'an answer of 4 KiB and one read of 64 KiB at most').toBeLessThanOrEqual((4 + 64) << 10);
  await Promise.all([once(server.close(), 'close'), ...children.map((child) => {
    child.kill('SIGKILL');
    return once(child, 'close');
  })]);
});
