/** D60: a primary is replaced by one on another version of Node, and by one that loads this library from another directory, under load. */
import { cpSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { Clients } from '../moving/clients';
import { Kept } from '../moving/supervised';
import { root } from '../support/program';
import { Probe, Upgraded } from '../upgrade/upgraded';

const directory = mkdtempSync(path.join(tmpdir(), 'upgrades-'));
afterAll(() => rmSync(directory, { recursive: true }));

const nodeOf = (major: number): string => path.join(root, `.nodes/${major}/node_modules/node/bin/node`);
const app = path.join(root, 'test/upgrade/app.js');

/** Replaces the primary as `argument` says, under load. Returns the line of the new one. */
async function upgraded(execPath: string, argument: object): Promise<Record<string, unknown>> {
  const running = new Upgraded({ commands: true, options: { workers: 2 }, execPath });
  const port = await running.port();
  const kept = await Kept.open(port, 20);
  const clients = new Clients(port, { get: 3, late: 2, body: 2 }, Math.random, 1);
  const probe = new Probe(port);
  const old = running.pid;
  expect(await running.command('upgrade', argument)).toMatchObject({ outcome: 'done', pid: old });
  await running.line((line) => line.pid === old && 'exit' in line);
  await probe.stop();
  const { failed, wrong } = await clients.stop();
  expect({ failed, wrong, refused: probe.failures, closed: kept.closed }).toEqual({ failed: [], wrong: [], refused: [], closed: 0 });
  expect((await kept.ask()).every((reply) => reply !== null)).toBe(true);
  kept.end();
  const line = await running.line(({ pid, port: at }) => pid !== old && at === port);
  await running.end();
  return line;
}

// Skipped until Node 26 is installed: npm run conformance -- --node 26 does that.
test.skipIf(!existsSync(nodeOf(26)))('from the Node at hand to Node 26, and from 26 back to it', { timeout: 120_000 }, async () => {
  expect(await upgraded(process.execPath, { execPath: nodeOf(26) })).toMatchObject({ node: expect.stringMatching(/^26\./) as string });
  expect(await upgraded(nodeOf(26), { execPath: process.execPath })).toMatchObject({ node: process.versions.node });
});

test('to a build of this library in another directory', { timeout: 60_000 }, async () => {
  cpSync(path.join(root, 'dist'), path.join(directory, 'dist'), { recursive: true });
  cpSync(path.join(root, 'package.json'), path.join(directory, 'package.json'));
  const script = path.join(directory, 'app.js');
  writeFileSync(script, `process.env.LIBRARY = ${JSON.stringify(path.join(directory, 'dist'))}; process.env.EXEC = ${JSON.stringify(app)}; require(${JSON.stringify(app)});\n`);
  await upgraded(process.execPath, { script });
});
