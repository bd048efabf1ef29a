/**
 * Two machines (two loopback addresses) behind HAProxy, with the configuration of the guide: both are replaced in turn, under
 * load, and no request fails. ROUNDS=5 deploys five times, and prints what was counted.
 */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { get } from 'node:http';
import net, { type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, expect, test } from 'vitest';
import { Program, dist, root } from '../support/program';
import { SteadyLoad } from '../support/steady_load';

const hasHaproxy = spawnSync('haproxy', ['-v']).status === 0;
if (!hasHaproxy) console.warn('NOT TESTED: two machines behind HAProxy, because there is no program haproxy (Debian: apt-get install haproxy)');

const rounds = Number(process.env['ROUNDS'] ?? 1);
const directory = mkdtempSync(path.join(tmpdir(), 'haproxy-'));
const stats = path.join(directory, 'stats.sock');
const app = path.join(directory, 'app.js');
writeFileSync(app, `
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

async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, '0.0.0.0');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

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

test.skipIf(!hasHaproxy)('a rolling deployment of two machines under load: no request fails (left out where haproxy is not installed)', async () => {
  const [front, port, health] = [await freePort(), await freePort(), await freePort()];
  const [, block = ''] = /^```haproxy\n([^]*?)^```$/m.exec(readFileSync(path.join(root, 'lib/README.md'), 'utf8')) ?? [];
  // The times of the guide, divided by ten; other ports.
  const config = block.replace('/run/haproxy.sock', stats).replace('127.0.0.1:8080', `127.0.0.1:${front}`).replaceAll(':8000', `:${port}`).replace('port 9000 inter 1s', `port ${health} inter 100ms`);
  const file = path.join(directory, 'haproxy.cfg');
  writeFileSync(file, config);
  expect(spawnSync('haproxy', ['-c', '-q', '-f', file], { encoding: 'utf8' })).toMatchObject({ status: 0, stderr: '' });

  const machines = [['one', '127.0.0.1'], ['two', '127.0.0.2']] as const;
  const start = async ([name, host]: (typeof machines)[number], version: number): Promise<Program> => {
    const program = new Program(dist('lib/cli.js'), {
      deadline: 60_000 * rounds, env: { XDG_RUNTIME_DIR: directory, XDG_STATE_HOME: directory },
      args: ['run', app, '--name', name, '--health', `${host}:${health}`, '--drain-delay', '1500ms', '--env', `HOST=${host}`, '--env', `PORT=${port}`, '--env', `VERSION=${version}`],
    });
    running.add(program);
    await until(`${name} is ready`, async () => await readyz(host, health) === 200);
    return program;
  };
  const apps = [await start(machines[0], 1), await start(machines[1], 1)];
  proxy = spawn('haproxy', ['-db', '-f', file], { stdio: 'ignore' });
  for (const [name] of machines) await until(`HAProxy sees ${name}`, async () => (await statusOf(name)).startsWith('UP'));

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
