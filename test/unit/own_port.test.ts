/**
 * Ports for tests (support/own_port.js). A test that closed its port and asked for it again, or expected nobody there, failed
 * when the kernel had given that port to another program meanwhile.
 */
import dgram from 'node:dgram';
import net from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { event } from '../support/children';
import { freePort } from '../support/free_port';
import { claimPort, claimTenPorts } from '../support/own_port';

/** Takes a port as a program does that knows of no claims. */
async function occupied(socket: net.Server | dgram.Socket, take: () => unknown): Promise<void> {
  onTestFinished(() => new Promise<void>((resolve) => void socket.close(() => resolve())));
  const listens = event(socket, 'listening');
  take();
  await listens;
}

test('a claim holds until it is released, and the port is none that the kernel gives out', async () => {
  const claims = await Promise.all(Array.from({ length: 20 }, claimPort));
  expect(new Set(claims.map(({ port }) => port)).size).toBe(20);
  for (const { port } of claims) expect(port).toBeLessThan(20_000);
  const again = net.createServer();
  const error = event<[NodeJS.ErrnoException]>(again, 'error');
  again.listen(`\0own-port-${claims[0]?.port}`);
  expect((await error)[0].code).toBe('EADDRINUSE');
  await Promise.all(claims.map(({ release }) => release()));
  await occupied(again, () => again.listen(`\0own-port-${claims[0]?.port}`));
});

test.each(['::', '0.0.0.0', '127.0.0.1', '127.0.0.2', '::1'])('a port that a program without a claim uses at %s is not given', async (host) => {
  const next = await freePort() + 1;
  const server = net.createServer();
  await occupied(server, () => server.listen(next, host));
  expect(await freePort()).not.toBe(next);
});

test('ten ports in a row, of which none is in use for UDP either', async () => {
  const { port, release } = await claimTenPorts();
  onTestFinished(release);
  expect([port % 10, port >= 20_000, port + 9 < 32_000]).toEqual([0, true, true]);
  const socket = dgram.createSocket('udp4');
  await occupied(socket, () => socket.bind(port + 13, '127.0.0.1'));
  const other = await claimTenPorts();
  onTestFinished(other.release);
  expect(other.port).not.toBe(port + 10);
});
