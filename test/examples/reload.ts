/**
 * Reload: a new release takes over while clients ask all the time, and none of them notices; a release
 * that does not start does no harm.
 *
 *   npx tsx test/examples/reload.ts
 *
 * The release is a symlink, `current`, as deployments have it. `supervise` follows it anew at each
 * reload: one worker of the new release first, the canary, then the others one by one, each ready before
 * the one that it replaces leaves.
 */
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { Agent, get } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import cluster from '../../lib/cluster';
import { supervise } from '../../lib/supervisor';

const directory = mkdtempSync(path.join(tmpdir(), 'releases-'));

void main();

async function main(): Promise<void> {
  deploy('1', "require('node:http').createServer((_, response) => response.end('release 1')).listen(0, '127.0.0.1');");
  const supervisor = supervise({ exec: path.join(directory, 'current/app.js'), workers: 2, canaryMs: 200, execArgv: [] });
  supervisor.on('reload', ({ state }) => console.log(`reload ${state}`));
  let port = 0;
  cluster.on('listening', (_worker, address) => { port = address.port; });
  await supervisor.started;
  const clients = ask(() => port);

  deploy('2', "require('node:http').createServer((_, response) => response.end('release 2')).listen(0, '127.0.0.1');");
  const { workers } = await supervisor.reload();
  for (const { became, reason } of workers) console.log(`a worker ${became}${reason && ` (${reason})`}`);

  deploy('3', 'process.exit(1);');
  await supervisor.reload().catch(() => console.log('release 3 is refused'));

  const { releases, failed } = await clients.stop();
  console.log(`answers from ${releases.join(' and ')}, ${failed} failed`);
  await supervisor.stop();
  rmSync(directory, { recursive: true });
}

/** Puts a release beside the others, and points `current` at it in one step. */
function deploy(name: string, code: string): void {
  mkdirSync(path.join(directory, name));
  writeFileSync(path.join(directory, name, 'app.js'), code);
  symlinkSync(name, path.join(directory, 'next'));
  renameSync(path.join(directory, 'next'), path.join(directory, 'current'));
}

/** Four clients on connections that they keep, until told to stop. */
function ask(port: () => number): { stop(): Promise<{ releases: string[]; failed: number }> } {
  const agent = new Agent({ keepAlive: true });
  const seen = new Set<string>();
  let failed = 0;
  let stopped = false;
  const one = async (): Promise<void> => {
    while (!stopped) {
      await new Promise<void>((resolve) => {
        get({ host: '127.0.0.1', port: port(), agent }, (response) => {
          void text(response).then((body) => seen.add(body), () => failed++).then(() => resolve());
        }).on('error', () => {
          failed++;
          resolve();
        });
      });
    }
  };
  const clients = Promise.all([one(), one(), one(), one()]);
  return {
    async stop() {
      stopped = true;
      await clients;
      agent.destroy();
      return { releases: [...seen].sort(), failed };
    },
  };
}
