/** An app as a service of systemd: sockets that are open before it, what systemd is told, and what the workers are not. */
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import net, { type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, expect, onTestFinished, test } from 'vitest';
import type { ListeningHandle } from '../../internal/native/bindings';
import { handleOf } from '../../internal/native/handles';
import { makePausable, setAccepting } from '../../internal/native/listening';
import { fixture, within } from '../support/children';
import { untilNextLook } from '../support/live';
import { Program, dist, root } from '../support/program';
import { activated, fakeNotify, notices, told } from '../support/systemd';

const directory = mkdtempSync(path.join(tmpdir(), 'systemd-'));
const file = path.join(directory, 'told');
const bin = path.join(directory, 'bin');
fakeNotify(bin, file);
const app = path.join(directory, 'app.js');
writeFileSync(app, `
  const variables = Object.keys(process.env).filter((name) => /^(LISTEN|NOTIFY|WATCHDOG)_/.test(name));
  require('node:http').createServer((request, response) => response.end(JSON.stringify({ pid: process.pid, variables }))).listen(Number(process.env.PORT), '127.0.0.1');
`);
const started: Program[] = [];
const servers: net.Server[] = [];
afterEach(async () => {
  for (const program of started.splice(0)) await program.stop();
  for (const server of servers.splice(0)) await new Promise((resolve) => server.close(resolve));
});
afterAll(() => rmSync(directory, { recursive: true }));

/** A socket as systemd holds one: it listens, and nobody accepts. */
async function listening(): Promise<{ readonly fd: number; readonly port: number }> {
  const server = net.createServer();
  makePausable(server);
  servers.push(server.listen(0, '127.0.0.1'));
  await once(server, 'listening');
  const handle = handleOf(server) as ListeningHandle;
  setAccepting(handle, false);
  return { fd: handle.fd as number, port: (server.address() as AddressInfo).port };
}

const agent = new Agent({ keepAlive: false });
/** The answer; rejects if the connection is refused or lost. */
function ask(port: number): Promise<{ readonly pid: number; readonly variables: readonly string[] }> {
  return new Promise((resolve, reject) => {
    request({ port, host: '127.0.0.1', agent }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (text: string) => { body += text; }).on('end', () => resolve(JSON.parse(body) as never)).on('error', reject);
    }).on('error', reject).end();
  });
}

const has = (variable: string) => (call: readonly string[]): boolean => call.some((each) => each.startsWith(variable));

test('clients wait in the socket before the start and while no worker lives; ready, reload, watchdog and stop are told', async () => {
  const [web, spare] = [await listening(), await listening()];
  const early = ask(web.port); // Before there is a process.
  const options = activated([web.fd, spare.fd], 'web:spare');
  const program = new Program(dist('lib/cli.js'), {
    ...options, args: ['run', app, '--env', `PORT=${web.port}`, '--canary', '0'],
    env: { ...options.env, XDG_RUNTIME_DIR: directory, XDG_STATE_HOME: directory, PATH: `${bin}:${process.env['PATH']}`, NOTIFY_SOCKET: '/run/nobody', WATCHDOG_USEC: '100000' },
  });
  started.push(program);
  const first = await early;
  expect(first.variables).toEqual([]);
  await told(file, has('READY=1'));
  await told(file, has('WATCHDOG=1'));
  await program.prints(new RegExp(`No worker listens at 127.0.0.1:${spare.port} \\(fd 4, spare\\), which systemd has passed`));
  // The only worker dies. Without systemd the address would be closed until the next one listens.
  process.kill(first.pid, 'SIGKILL');
  await program.prints(/gone/);
  const second = await ask(web.port);
  expect(second.pid).not.toBe(first.pid);
  program.child.kill('SIGHUP');
  await told(file, has('RELOADING=1'));
  await program.prints(/reload done/);
  expect((await ask(web.port)).pid).not.toBe(second.pid);
  program.child.kill('SIGTERM');
  await told(file, has('STOPPING=1'));
  const { code, stderr } = await program.ended;
  expect(code).toBe(0);
  expect(stderr.match(/SystemdWarning/g)).toHaveLength(1);
  const states = notices(file).flat().filter((each) => /^(READY|RELOADING|STOPPING)=/.test(each));
  expect(states).toEqual(['READY=1', 'RELOADING=1', 'READY=1', 'STOPPING=1']);
  expect(notices(file).flat()).toContain('STATUS=1 of 1 workers ready, release 1');
  // systemd keeps its copy of the socket: nobody is refused, also now.
  const late = net.connect(web.port, '127.0.0.1');
  await once(late, 'connect');
  late.destroy();
});

test.each([
  ['stock', 'rr', 'EADDRINUSE', undefined], ['off', 'rr', 'EADDRINUSE', []], ['ours', 'none', 'listening', [[3, true]]], ['ours', 'rr', 'listening', [[3, true]]],
])('a bare cluster: %s, %s → %s', async (mode, policy, code, sockets) => {
  const { fd, port } = await listening();
  const options = activated([fd], '');
  const program = new Program(fixture('inherited_cluster.js'), { ...options, env: { ...options.env, MODE: mode, PORT: String(port), NODE_CLUSTER_SCHED_POLICY: policy } });
  started.push(program);
  await program.prints(/}\n/);
  expect(JSON.parse(/^{.*}$/m.exec(program.output)?.[0] ?? '')).toEqual({ code, ...(sockets === undefined ? {} : { sockets }) });
  if (code !== 'listening') return;
  const answer = await new Promise<string>((resolve, reject) => {
    request({ port, host: '127.0.0.1', agent }, (response) => response.setEncoding('utf8').once('data', resolve)).on('error', reject).end();
  });
  expect(answer).toBe('served');
});

test('after an upgrade the socket of systemd stays open without a worker, as before', async () => {
  const { fd, port } = await listening();
  const options = activated([fd], '');
  const program = new Program(path.join(root, 'test/upgrade/app.js'), { ...options, args: ['{"workers":1}', '{}', String(port)] });
  started.push(program);
  await program.prints(/"port":/);
  program.child.kill('SIGUSR2');
  await program.prints(/"upgrade":"done"/);
  await program.prints(/"exit":0/);
  const successor = Number(/"successor":(\d+)/.exec(program.output)?.[1]);
  onTestFinished(() => { if (existsSync(`/proc/${successor}`)) process.kill(successor, 'SIGKILL'); });
  const workers = (): number[] => readFileSync(`/proc/${successor}/task/${successor}/children`, 'utf8').trim().split(' ').map(Number);
  const answer = (): Promise<number | undefined> => new Promise((resolve, reject) => {
    request({ port, host: '127.0.0.1', agent }, (response) => response.resume().on('end', () => resolve(response.statusCode))).on('error', reject).end();
  });
  expect(await answer()).toBe(200);
  const killed = workers();
  for (const pid of killed) process.kill(pid, 'SIGKILL');
  // The kernel lists no child that its parent has waited for. Until then the worker could still have taken the connection.
  await within(20_000, 'the death of the worker', (resolve: (none: null) => void) => {
    const look = (): void => (workers().some((pid) => killed.includes(pid)) ? void untilNextLook().then(look) : resolve(null));
    look();
  });
  expect(await answer()).toBe(200); // Of the next worker. If the successor had closed the socket, systemd would still hold the port.
  process.kill(successor, 'SIGTERM');
  await program.ended;
});
