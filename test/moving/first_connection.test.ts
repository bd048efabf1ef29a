/** A connection that waits while its worker starts to listen is one that can move, time out and be closed like any other. */
import path from 'node:path';
import { expect, test } from 'vitest';
import { Program } from '../support/program';

// It was delivered before 'listening', when a server of node:http has no list of its connections yet. So it never moved: its
// worker could not leave, and was killed with a request in progress.
test.each(['round-robin', 'shared'])('%s: a connection that comes with the answer to `listen` is delivered after \'listening\', and node:http knows of it', { timeout: 60_000 }, async (rule) => {
  const { stdout, stderr } = await new Program(path.join(__dirname, 'first_connection.js'), { args: [rule] }).ended;
  expect([stdout.trim(), stderr]).toEqual(['["listening","connection",true]', '']);
});
