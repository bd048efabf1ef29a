/** `npm start` from the outside: requests, signals, arguments, and what it prints. */
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { get } from '../interop/load';
import { freePort } from '../support/free_port';
import { untilNextLook } from '../support/live';
import { Program, dist, run, type ProgramOptions } from '../support/program';
import { groupMembers, isAlive } from './proc';

let started: Program[] = [];
let clients: Socket[] = [];
const main = dist('lib/main.js');

/** In a process group of its own, so that the group can be signalled and counted. */
function start(env: NodeJS.ProcessEnv, options: ProgramOptions = {}): Program {
  const program = new Program(main, { node: 'setsid', execArgv: [process.execPath], env, ...options });
  started.push(program);
  return program;
}

afterEach(async () => {
  for (const socket of clients) socket.destroy();
  clients = [];
  for (const program of started) {
    const group = program.child.pid as number;
    if (groupMembers(group).length > 0) process.kill(-group, 'SIGKILL');
    await program.ended.catch(() => undefined);
  }
  started = [];
});

/** Waits until workers of these ids listen; gives the port. */
async function listens(program: Program, ...ids: number[]): Promise<number> {
  let port = 0;
  for (const id of ids) {
    port = Number((await program.prints(new RegExp(`^worker ${id} \\(pid \\d+\\): listening on \\*:(\\d+)$`, 'm')))[1]);
  }
  return port;
}

const pids = (program: Program): number[] =>
  [...program.output.matchAll(/^worker \d+ \(pid (\d+)\): listening/gm)].map((match) => Number(match[1]));

const answererOf = (body: string): string => (/^worker (\d+) \(pid \d+\)\n$/.exec(body) ?? [])[1] ?? `not an answer: ${body}`;

test('answers requests, worker by worker in turn', async () => {
  const program = start({ PORT: '0', WORKERS: '2' });
  const port = await listens(program, 1, 2);
  const answers: string[] = [];
  for (let request = 0; request < 6; request++) answers.push(answererOf(await get(port)));
  expect([answers.join(''), [...answers].reverse().join('')].sort()).toEqual(['121212', '212121']);
  await program.stop();
});

test('forks one worker per CPU by default', async () => {
  const program = start({ PORT: '0', WORKERS: undefined });
  const [, workers] = await program.prints(/^primary \(pid \d+\): starting (\d+) workers? for port 0$/m);
  await listens(program, Number(workers));
  const { availableParallelism } = await import('node:os');
  expect(Number(workers)).toBe(availableParallelism());
  expect((await program.stop()).code).toBe(0);
});

describe.each(['SIGTERM', 'SIGINT'] as const)('%s', (signal) => {
  test.each(['the primary', 'its whole group'])('to %s: a request in progress finishes, exit 0, nobody left', async (whom) => {
    const port = await freePort();
    const program = start({ PORT: String(port), WORKERS: '1' }, { deadline: 40_000 });
    await listens(program, 1);
    const group = program.child.pid as number;

    // A whole request and half of the next in one write: the answer says that the half has been read.
    const slow = await client(port, 'GET / HTTP/1.1\r\nHost: slow\r\n\r\nGET / HTTP/1.1\r\nHo');
    const idle = await client(port, 'GET / HTTP/1.1\r\nHost: idle\r\n\r\n');
    const idleClosed = once(idle, 'close');
    process.kill(whom === 'the primary' ? group : -group, signal);
    await idleClosed; // The worker has stopped accepting.
    expect(await outcome(port), 'a new connection').toBe('ECONNREFUSED');

    slow.write('st: slow\r\nConnection: close\r\n\r\n');
    const answer = await rest(slow);
    expect(answer).toMatch(/^HTTP\/1.1 200 OK\r\n/);
    expect(answer).toMatch(/worker 1 \(pid \d+\)\n/);
    const { code, stdout, stderr } = await program.ended;
    expect(stderr).toBe('');
    expect(stdout).toMatch(/^worker 1 \(pid \d+\): gone \(stopped\), exited with 0$/m);
    expect(code).toBe(0);
    expect(groupMembers(group)).toEqual([]);
  });

  test.each([
    ['its first line', /^primary \(pid \d+\): starting 3 workers/m], ['the first worker', /: listening on/m],
  ])('while the workers start, right after %s: exit 0, nobody left', async (_name, line) => {
    const program = start({ PORT: '0', WORKERS: '3' }, { deadline: 40_000 });
    await program.prints(line);
    process.kill(program.child.pid as number, signal);
    const { code, stderr } = await program.ended;
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(groupMembers(program.child.pid as number)).toEqual([]);
  });
});

test('on SIGTERM a client that keeps its connection alive is told to close it, and does not hold the exit', async () => {
  const program = start({ PORT: '0', WORKERS: '1' }, { deadline: 40_000 });
  const port = await listens(program, 1);
  const busy = await client(port, 'GET / HTTP/1.1\r\nHost: busy\r\n\r\nGET / HTTP/1.1\r\nHo');
  const idle = await client(port, 'GET / HTTP/1.1\r\nHost: idle\r\n\r\n');
  const idleClosed = once(idle, 'close');
  process.kill(program.child.pid as number, 'SIGTERM');
  await idleClosed;
  busy.write('st: busy\r\n\r\n');
  expect(await rest(busy)).toMatch(/^HTTP\/1.1 200 OK\r\n(.*\r\n)*Connection: close\r\n/);
  expect((await program.ended).code).toBe(0);
});

test('the death of the primary ends the workers', async () => {
  const program = start({ PORT: '0', WORKERS: '2' });
  await listens(program, 1, 2);
  const workers = pids(program);
  expect(workers.filter(isAlive)).toHaveLength(2);
  await program.stop('SIGKILL'); // Its output closes when nobody holds it any more: when the workers have ended too, or are about to.
  const deadline = performance.now() + 20_000;
  while (workers.some(isAlive) && performance.now() < deadline) await untilNextLook();
  expect(workers.filter(isAlive)).toEqual([]);
});

test('a worker killed with SIGKILL is replaced, and the port answers all the time', async () => {
  const program = start({ PORT: '0', WORKERS: '2' });
  const port = await listens(program, 1, 2);
  const [first] = pids(program);
  process.kill(first as number, 'SIGKILL');
  await program.prints(/: gone, killed by SIGKILL$/m);
  const [, id] = /^worker (\d+) \(pid \d+\): gone, killed by SIGKILL$/m.exec(program.output) ?? [];
  const other = id === '1' ? '2' : '1';
  expect(answererOf(await get(port))).toBe(other);
  expect(await listens(program, 3)).toBe(port);
  const answers = [answererOf(await get(port)), answererOf(await get(port))];
  expect(answers.sort()).toEqual([other, '3']);
  expect((await program.stop()).code).toBe(0);
});

test('kill -HUP replaces every worker by a new one, each transition is a line, and the port answers all the time', async () => {
  const program = start({ PORT: '0', WORKERS: '2' });
  const port = await listens(program, 1, 2);
  const old = pids(program);
  process.kill(program.child.pid as number, 'SIGHUP');
  const answers = new Set<string>();
  while (!/^primary \(pid \d+\): reload done$/m.test(program.output)) answers.add(answererOf(await get(port)));
  expect([...answers].filter((id) => !['1', '2', '3', '4'].includes(id))).toEqual([]);
  // Two in a row can go to one, when the other has not acknowledged what it was handed just before.
  const now = new Set<string>();
  while (now.size < 2) now.add(answererOf(await get(port)));
  expect([...now].sort()).toEqual(['3', '4']);
  expect(old.filter(isAlive)).toEqual([]);
  const lines = program.output.replaceAll(/ \(pid \d+\)/g, '').split('\n');
  const phases = [
    'primary: reload started', 'worker 3: starting', `worker 3: listening on *:${port}`, 'worker 3: ready', 'primary: reload rolling', 'worker 1: leaving (reload), told',
    'worker 1: leaving (reload), out of rotation', 'worker 1: leaving (reload), disconnecting', 'worker 1: gone (reload), exited with 0', 'primary: reload done',
  ];
  expect(lines.filter((line) => phases.includes(line)), 'each phase once, in its order').toEqual(phases);
  const { code, stderr } = await program.stop();
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
});

test('SIGTTIN adds a worker, SIGTTOU takes it away', async () => {
  const program = start({ PORT: '0', WORKERS: '1' });
  const port = await listens(program, 1);
  process.kill(program.child.pid as number, 'SIGTTIN');
  expect(await listens(program, 2)).toBe(port);
  process.kill(program.child.pid as number, 'SIGTTOU');
  await program.prints(/^worker 2 \(pid \d+\): gone \(scaled down\), exited with 0$/m);
  expect(answererOf(await get(port))).toBe('1');
  expect((await program.stop()).code).toBe(0);
});

test('Ctrl-C that arrives twice, as under npm start, is one: the request in progress is answered', async () => {
  const program = start({ PORT: '0', WORKERS: '1' }, { deadline: 40_000 });
  const port = await listens(program, 1);
  const group = program.child.pid as number;
  const slow = await client(port, 'GET / HTTP/1.1\r\nHost: slow\r\n\r\nGET / HTTP/1.1\r\nHo');
  process.kill(-group, 'SIGINT');
  process.kill(group, 'SIGINT');
  await program.prints(/^worker 1 \(pid \d+\): leaving \(stopped\), told$/m);
  process.kill(group, 'SIGINT');
  slow.write('st: slow\r\nConnection: close\r\n\r\n');
  expect(await rest(slow)).toMatch(/^HTTP\/1.1 200 OK\r\n/);
  const { code, stderr } = await program.ended;
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
});

test('SIGHUP, SIGTTIN and SIGTTOU to the whole group are commands for the primary: no worker dies or stops of them', async () => {
  const program = start({ PORT: '0', WORKERS: '1' });
  const port = await listens(program, 1);
  const group = program.child.pid as number;
  process.kill(-group, 'SIGTTIN');
  expect(await listens(program, 2)).toBe(port);
  process.kill(-group, 'SIGTTOU');
  await program.prints(/^worker 2 \(pid \d+\): gone \(scaled down\), exited with 0$/m);
  process.kill(-group, 'SIGHUP');
  await program.prints(/^primary \(pid \d+\): reload done$/m);
  expect(program.output).toMatch(/^worker 1 \(pid \d+\): gone \(reload\), exited with 0$/m);
  expect(answererOf(await get(port))).toBe('3');
  expect(program.output).not.toMatch(/killed by/);
  expect((await program.stop()).code).toBe(0);
});

test('a second SIGTERM, a second later, does not wait for a request in progress', async () => {
  const program = start({ PORT: '0', WORKERS: '1' });
  const port = await listens(program, 1);
  await client(port, 'GET / HTTP/1.1\r\nHost: slow\r\n\r\nGET / HTTP/1.1\r\nHo');
  const began = performance.now();
  process.kill(program.child.pid as number, 'SIGTERM');
  await program.prints(/^worker 1 \(pid \d+\): leaving \(stopped\), finishing$/m);
  const { code, stdout } = await program.insist('SIGTERM');
  expect(performance.now() - began, 'not at the deadline of 10 s').toBeLessThan(9_500);
  expect(code).toBe(0);
  expect(stdout).toMatch(/^worker 1 \(pid \d+\): gone \(stopped\), killed by SIGKILL$/m);
});

describe('what it cannot do is one line on stderr and exit 1', () => {
  test('PORT in use', async () => {
    const taken = createServer().listen(0);
    await once(taken, 'listening');
    const { port } = taken.address() as AddressInfo;
    const program = start({ PORT: String(port), WORKERS: '3' });
    const { code, stderr } = await program.ended;
    expect(stderr).toBe(`cannot listen on *:${port}: EADDRINUSE, another program uses this port; choose a free one with --port\n`);
    expect(code).toBe(1);
    expect(groupMembers(program.child.pid as number)).toEqual([]);
    taken.close();
  });

  test.each([
    ['PORT', 'abc'], ['PORT', '70000'], ['PORT', '-1'], ['PORT', '80.5'], ['PORT', '1e3'],
    ['WORKERS', '0'], ['WORKERS', 'many'], ['WORKERS', '-2'],
  ])('%s=%s', async (name, value) => {
    const { code, stdout, stderr } = await run(main, { env: { PORT: '0', WORKERS: '1', [name]: value } });
    expect(stderr).toMatch(new RegExp(`^${name} must be [^\n]*'${value}'\n$`));
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
  });
});

describe('arguments', () => {
  test('--port and --workers win over PORT and WORKERS', async () => {
    const program = start({ PORT: '1', WORKERS: '7' }, { args: ['--port', '0', '--workers', '2'] });
    await program.prints(/^primary \(pid \d+\): starting 2 workers for port 0$/m);
    expect(await listens(program, 1, 2)).toBeGreaterThan(1);
    expect((await program.stop()).code).toBe(0);
  });

  test.each([
    [['--port', 'abc'], /^--port must be a whole number from 0 to 65535, not 'abc'\n$/], [['--workers', '0'], /^--workers must be [^\n]*'0'\n$/],
    [['--prot', '80'], /^Unknown option '--prot'[^\n]*\n$/], [['8000'], /^Unexpected argument '8000'[^\n]*\n$/],
  ])('%j is one line, and exit 2', async (args, line) => {
    const { code, stdout, stderr } = await run(main, { args, env: { PORT: '0', WORKERS: '1' } });
    expect(stderr).toMatch(line);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  });

  test('--help names each, starts nothing, and fits 100 columns', async () => {
    const { code, stdout, stderr } = await run(main, { args: ['--help'] });
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    for (const part of ['npm start --', '--port N', '--workers N', 'Example']) expect(stdout).toContain(part);
    expect(stdout.split('\n').filter((line) => line.length > 100)).toEqual([]);
  });
});

/** A raw connection that has sent `text` and got one answer to it. */
async function client(port: number, text: string): Promise<Socket> {
  const socket = connect(port, '127.0.0.1').setEncoding('utf8');
  clients.push(socket);
  socket.write(text);
  await once(socket, 'data', { signal: AbortSignal.timeout(30_000) });
  return socket;
}

/** Everything that comes until the other end closes. */
async function rest(socket: Socket): Promise<string> {
  let received = '';
  socket.on('data', (text) => { received += text; });
  await once(socket, 'close', { signal: AbortSignal.timeout(30_000) });
  return received;
}

/** Whether a connection is made, or which error there is. */
function outcome(port: number): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy();
      resolve('connected');
    });
    socket.on('error', (error: NodeJS.ErrnoException) => resolve(String(error.code)));
  });
}
