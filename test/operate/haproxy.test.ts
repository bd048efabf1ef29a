/**
 * The guide's chapter on HAProxy, block by block: two machines (two loopback addresses) are started with its commands, behind
 * HAProxy with its configuration; both are replaced in turn, under load, and no request fails. ROUNDS=5 deploys five times,
 * and prints what was counted.
 */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { get } from 'node:http';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, expect, test } from 'vitest';
import { chapterBlocks, replaced } from '../support/guide';
import { freePort } from '../support/free_port';
import { Program, dist } from '../support/program';
import { SteadyLoad } from '../support/steady_load';

const hasHaproxy = spawnSync('haproxy', ['-v']).status === 0;
if (!hasHaproxy) console.warn('NOT TESTED: two machines behind HAProxy, because there is no program haproxy (Debian: apt-get install haproxy)');

const hasSocat = spawnSync('socat', ['-V']).status === 0;
if (!hasSocat) console.warn('NOT TESTED: the command of the guide that asks HAProxy, because there is no program socat (Debian: apt-get install socat)');

const rounds = Number(process.env['ROUNDS'] ?? 1);
const directory = mkdtempSync(path.join(tmpdir(), 'haproxy-'));
const stats = path.join(directory, 'stats.sock');
const bin = path.join(directory, 'bin');
mkdirSync(bin);
symlinkSync(dist('lib/cli.js'), path.join(bin, 'cluster-internals'));
writeFileSync(path.join(directory, 'api.js'), `
  const server = require('node:http').createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url, 'http://app');
    const line = process.env.VERSION + ' ' + process.env.HOST + '\\n';
    if (pathname !== '/stream') return response.end(line);
    let left = Number(searchParams.get('lines'));
    const timer = setInterval(() => {
      if (left-- > 0) return response.write(line);
      clearInterval(timer);
      response.end('end\\n');
    }, 10);
  });
  server.keepAliveTimeout = 65_000;
  server.listen(Number(process.env.PORT), process.env.HOST);
`);

const running = new Set<Program>();
let proxy: ChildProcess | null = null;
afterEach(async () => {
  for (const program of running) await program.stop();
  running.clear();
  if (proxy !== null && proxy.exitCode === null && proxy.signalCode === null) {
    const ended = once(proxy, 'close');
    proxy.kill('SIGKILL');
    await ended;
  }
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** The status of a server, as HAProxy sees it: UP, DOWN, …; '' if HAProxy does not answer yet. */
function statusOf(server: string): Promise<string> {
  return new Promise((resolve) => {
    let text = '';
    const socket = net.connect(stats, () => socket.write('show stat\n'));
    socket.setEncoding('utf8').on('data', (part: string) => { text += part; }).on('error', () => resolve(''))
      .on('close', () => resolve(text.split('\n').map((line) => line.split(',')).find(([backend, name]) => backend === 'api' && name === server)?.[17] ?? ''));
  });
}

const readyz = (host: string, port: number): Promise<number> => new Promise((resolve) => {
  get({ host, port, path: '/readyz', agent: false }, (response) => response.resume().on('end', () => resolve(response.statusCode ?? 0))).on('error', () => resolve(0));
});

/** HAProxy and a health server have no events: they are asked again and again. */
async function until(what: string, isSo: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + 20_000;
  while (!(await isSo())) {
    if (performance.now() > end) throw new Error(`${what} did not happen within 20 s`);
    await delay(20);
  }
}

/** A block that is not named here has no test. */
const [startBlock, configBlock, statusBlock] = chapterBlocks('Several machines behind HAProxy', ['sh', 'haproxy', 'sh']) as [string, string, string];

test.skipIf(!hasHaproxy)('a rolling deployment of two machines under load: no request fails (left out where haproxy is not installed)', async () => {
  const [front, port, health] = [await freePort(), await freePort(), await freePort()];
  // The guide's configuration with other ports, and with times that are about ten times shorter. Only the time for a health
  // check is longer than in the guide, because this machine may be busy with other tests.
  const differences = { '/run/haproxy.sock': stats, ':8080': `:${front}`, ':8000': `:${port}`, ':9000': `:${health}`, 'port 9000': `port ${health}`, 'inter 1s': 'inter 100ms', 'timeout check 5s': 'timeout check 20s', '--drain-delay 5s': '--drain-delay 1500ms' };
  const file = path.join(directory, 'haproxy.cfg');
  writeFileSync(file, replaced(configBlock, differences));
  expect(spawnSync('haproxy', ['-c', '-q', '-f', file], { encoding: 'utf8' })).toMatchObject({ status: 0, stderr: '' });

  const machines = [['one', '127.0.0.1'], ['two', '127.0.0.2']] as const;
  const start = async ([name, host]: (typeof machines)[number], version: number): Promise<Program> => {
    // Each line is a command of a machine of its own.
    const line = startBlock.split('\n').find((one) => one.includes(`--name ${name} `)) ?? '';
    const program = new Program(`exec ${replaced(line, differences)}`, {
      node: 'sh', execArgv: ['-c'], cwd: directory, deadline: 60_000 * rounds,
      env: { XDG_RUNTIME_DIR: directory, XDG_STATE_HOME: directory, PATH: `${bin}:${process.env['PATH']}`, PORT: String(port), VERSION: String(version) },
    });
    running.add(program);
    await until(`${name} is ready`, async () => await readyz(host, health) === 200);
    return program;
  };
  const apps = [await start(machines[0], 1), await start(machines[1], 1)];
  proxy = spawn('haproxy', ['-db', '-f', file], { stdio: 'ignore' });
  for (const [name] of machines) await until(`HAProxy sees ${name}`, async () => await statusOf(name) === 'UP');
  if (hasSocat) expect(spawnSync('sh', ['-c', replaced(statusBlock, differences)], { encoding: 'utf8' })).toMatchObject({ stdout: 'api,one,UP\napi,two,UP\n', stderr: '' });

  const load = new SteadyLoad(front, { chosen: ['one-shot', 're-used', 'keepAlive agent', 'streaming'] });
  for (let version = 2; version <= rounds + 1; version++) {
    for (const [index, machine] of machines.entries()) {
      const before = apps[index] as Program;
      before.child.kill('SIGTERM');
      await until('HAProxy takes it out', async () => (await statusOf(machine[0])).startsWith('DOWN'));
      expect((await before.ended).code).toBe(0);
      running.delete(before);
      apps[index] = await start(machine, version);
      await until('HAProxy takes it in', async () => await statusOf(machine[0]) === 'UP');
    }
  }
  const tallies = await load.stop();
  expect(load.failures).toEqual([]);
  expect(load.requests).toBeGreaterThan(100);
  for (const style of ['one-shot', 're-used', 'keepAlive agent', 'streaming'] as const) expect(Object.keys(tallies[style].versions)).toContain(String(rounds + 1));
  if (process.env['ROUNDS'] !== undefined) console.log(`${rounds} deployments of two machines: ${load.requests} requests, ${load.failures.length} failed`);
}, 60_000 * rounds);
