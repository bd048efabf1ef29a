/** An app is told to stop while clients are connecting: each connection that the primary has accepted is answered. */
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { get, many } from '../interop/load';
import { Program } from '../support/program';

const fixture = path.join(__dirname, '../fixtures/stop_hand_off.js');

async function start(what: 'crossing' | 'queue', clients = 1): Promise<{ program: Program; port: number; directory: string }> {
  const directory = mkdtempSync(path.join(tmpdir(), 'stop-'));
  const program = new Program(fixture, { args: [what, directory, String(clients)] });
  onTestFinished(async () => {
    await program.stop();
    rmSync(directory, { recursive: true });
  });
  const [, port] = await program.prints(/^(\d+)\n/);
  return { program, port: Number(port), directory };
}

// The worker had closed its server, and rejected it. Nobody else was left, so the primary closed it: ECONNRESET, in 5 of 20 runs of `systemctl restart`.
test('a connection that the primary hands over after the last worker has begun to leave', async () => {
  const { program, port, directory } = await start('crossing');
  const socket = net.connect(port, '127.0.0.1');
  await once(socket, 'connect');
  socket.write('GET / HTTP/1.0\r\n\r\n');
  writeFileSync(path.join(directory, 'connected'), '');
  const parts: string[] = [];
  socket.setEncoding('utf8').on('data', (part: string) => void parts.push(part)).on('error', (error: NodeJS.ErrnoException) => void parts.push(error.code ?? ''));
  await once(socket, 'close');
  expect(parts.join('')).toMatch(/^HTTP\/1.1 200 [^]*served$/);
  expect(await program.ended).toMatchObject({ code: 0, stderr: '' });
});

// The primary closed those that waited there for room.
test('connections that wait in the primary for the last worker', async () => {
  const clients = 60;
  const { program, port } = await start('queue', clients);
  const answers = await many(clients, clients, () => get(port).catch((error: NodeJS.ErrnoException) => error.code ?? error.message));
  expect(answers.filter((answer) => answer !== 'served')).toEqual([]);
  expect(await program.ended).toMatchObject({ code: 0, stderr: '' });
});
