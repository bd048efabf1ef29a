/** D60: the control socket, /livez and /metrics follow a primary that is replaced, and `cluster-internals upgrade` replaces it. */
import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { get } from 'node:http';
import path from 'node:path';
import { expect, onTestFailed, test } from 'vitest';
import { ControlClient } from '../../internal/operate/control/client';
import { ownDirectories } from '../operate/own_directories';
import { connected } from '../support/control';
import { freePort } from '../support/free_port';
import { dist } from '../support/program';
import { Kept } from '../moving/supervised';
import { Probe, Upgraded } from './upgraded';

const directory = ownDirectories();

test('`upgrade NAME` twice: the command says who serves, /livez is never refused, no counter of /metrics goes down, and the socket has one owner', { timeout: 120_000 }, async () => {
  const metrics = await freePort();
  const socket = path.join(directory, 'app.sock');
  const app = new Upgraded({ options: { workers: 2, control: socket, health: metrics, metrics, pidFile: path.join(directory, 'pid') } });
  const pidInFile = (): number => Number(readFileSync(path.join(directory, 'pid'), 'utf8'));
  const port = await app.port();
  const kept = await Kept.open(port, 30);
  const probe = new Probe(metrics);
  onTestFailed(() => {
    app.kill();
    void probe.stop();
  });
  const texts = [await ask(metrics, '/metrics')];
  for (let at = 0; at < 2; at++) {
    const before = app.pid;
    const { code, stdout, stderr } = await command(['upgrade', socket, '--json']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const report = JSON.parse(stdout) as { pid: number; connections: number; node: string };
    expect(report).toMatchObject({ connections: 30, node: process.version });
    await app.line((line) => line.pid === before && 'exit' in line);
    const client = await ControlClient.connect(socket);
    expect([client.hello.pid, pidInFile()]).toEqual([report.pid, report.pid]);
    expect(await client.call('status')).toMatchObject({ pid: report.pid, desired: 2, ready: 2 });
    client.close();
    texts.push(await ask(metrics, '/metrics'));
    expect(await ask(metrics, '/readyz')).toMatch(/2 of 2 workers are ready/);
  }
  await probe.stop();
  expect(probe.failures).toEqual([]);
  for (const name of ['cluster_connections_accepted_total', 'cluster_connections_acknowledged_total', 'cluster_connections_moved_total', 'cluster_handoff_latency_seconds_count']) {
    const values = texts.map((text) => Number(new RegExp(`^${name} (\\d+)`, 'm').exec(text)?.[1]));
    expect([name, values], texts.join('\n')).toEqual([name, [...values].sort((one, other) => one - other)]);
    expect(values.at(-1), name).toBeGreaterThanOrEqual(name.includes('moved') ? 60 : 30);
  }
  kept.end();
  await app.end();
  expect([app.stderr, existsSync(path.join(directory, 'pid'))]).toEqual(['', false]);
});

test('if the successor dies after the commit, the old primary has its socket and its addresses again', { timeout: 60_000 }, async () => {
  const metrics = await freePort();
  const socket = path.join(directory, 'again.sock');
  const app = new Upgraded({ options: { workers: 1, control: socket, health: metrics, metrics, pidFile: path.join(directory, 'pid') }, env: { DIES: 'S 7' } });
  await app.port();
  const { pid } = app;
  expect(await app.upgrade()).toMatchObject({ upgrade: 'failed', pid });
  const client = await connected(socket); // It is closed and opened again after the event.
  expect(client.hello.pid).toBe(pid);
  client.close();
  expect(await ask(metrics, '/livez')).toBe('ok\n');
  expect(Number(readFileSync(path.join(directory, 'pid'), 'utf8'))).toBe(pid);
  await app.end();
});

/** The command line, in this environment. The probe goes on meanwhile. */
function command(args: readonly string[]): Promise<{ code: number | string | null; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [dist('lib/cli.js'), ...args], (error, stdout, stderr) => resolve({ code: error === null ? 0 : error.code ?? null, stdout, stderr }));
  });
}

/** The body of the answer. */
function ask(port: number, url: string): Promise<string> {
  return new Promise((resolve, reject) => {
    get({ port, path: url, agent: false, host: '127.0.0.1' }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (text: string) => { body += text; }).on('end', () => resolve(body)).on('error', reject);
    }).on('error', reject);
  });
}
