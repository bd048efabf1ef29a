/**
 * A day of an app, played with the real command line: start, scale, a good deploy, a bad one, a rollback; a worker, the
 * daemon and the primary are killed; logs, save, resurrect, stop, delete, kill. Clients ask all the time. They may lose
 * nothing, except while the primary is dead or the app is stopped.
 *
 *   npx tsx test/operate/day.ts --help
 *
 * Owns     a directory in TMPDIR, with the sockets, the state and the releases; and every process that the CLI starts,
 *          which it kills at its end, also if the day went wrong
 */
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, realpathSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { Agent, get } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { claimPort } from '../support/own_port';
import { owning, runTool } from '../support/tool';

const root = path.resolve(__dirname, '../..');
const cli = path.join(root, 'dist/lib/cli.js');
const home = mkdtempSync(path.join(realpathSync(tmpdir()), 'day-'));
owning(home);
const environment: NodeJS.ProcessEnv = { ...process.env, XDG_RUNTIME_DIR: home, XDG_STATE_HOME: path.join(home, 'state'), NO_COLOR: '1' };
delete environment['NODE_UNIQUE_ID'];

/** Milliseconds that anything may take which the day waits for. */
const PATIENCE = 20_000;
const CLIENTS = 4;

class WentWrong extends Error {}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

function expect(isSo: boolean, what: string): void {
  if (!isSo) throw new WentWrong(what);
  say(`   ✓ ${what}`);
}

// ── the command line ───────────────────────────────────────────────────────────────────────────────

interface Ended { readonly code: number; readonly stdout: string; readonly stderr: string }

/** Runs one command quietly. */
function quietly(...args: string[]): Promise<Ended> {
  return new Promise((resolve) => {
    execFile(process.execPath, [cli, ...args], { env: environment, cwd: home, timeout: 60_000 }, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : 128;
      resolve({ code, stdout, stderr });
    });
  });
}

/** Runs one command as a person would see it. */
async function type(expected: number, ...args: string[]): Promise<Ended> {
  say(`\n$ cluster-internals ${args.join(' ')}`);
  const ended = await quietly(...args);
  const shown = `${ended.stderr}${ended.stdout}`.trimEnd();
  if (shown !== '') say(shown.replaceAll(home, '~'));
  expect(ended.code === expected, `exit ${ended.code}${expected === 0 ? '' : ', as it should be'}`);
  return ended;
}

async function json(...args: string[]): Promise<Record<string, unknown>> {
  const { stdout, code } = await quietly(...args, '--json');
  const value: unknown = JSON.parse(stdout);
  if (code !== 0 || typeof value !== 'object' || value === null) throw new WentWrong(`${args.join(' ')} --json: exit ${code}, ${stdout}`);
  return { ...value };
}

const listOf = (value: unknown): Record<string, unknown>[] => (Array.isArray(value) ? value.map((one: unknown) => ({ ...(one as object) })) : []);
const apps = async (): Promise<Record<string, unknown>[]> => listOf((await json('list'))['apps']);
const workers = async (): Promise<number[]> => listOf((await json('status', 'api'))['workers']).map(({ pid }) => Number(pid));

async function until(what: string, isSo: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + PATIENCE;
  while (!await isSo()) if (performance.now() > deadline) throw new WentWrong(`in ${PATIENCE / 1000} s it did not become true: ${what}`);
  expect(true, what);
}

// ── the clients ────────────────────────────────────────────────────────────────────────────────────

/** What may happen to requests at present. 'a worker dies': the requests in it end, and are sent once more, as a proxy does. */
let phase: 'nobody serves' | 'nothing may be lost' | 'a worker dies' = 'nobody serves';
let port = 0;
let isOver = false;
let answers = 0;
let retries = 0;
let refused = 0;
let lastVersion = '';
let lost: string | null = null;
const agents = [new Agent({ keepAlive: true }), new Agent({ keepAlive: false })];

function ask(agent: Agent): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = get({ host: '127.0.0.1', port, agent, timeout: 10_000 }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (text: string) => { body += text; }).on('end', () => resolve(body)).on('error', reject);
    }).on('error', reject);
    request.on('timeout', () => request.destroy(new Error('no answer in 10 s')));
  });
}

/** Asks until the day is over. Every second client keeps its connection. */
async function client(number: number): Promise<void> {
  while (!isOver) {
    const began = phase;
    try {
      const [, version = 'none'] = /^version (\S+) of \d+$/.exec(await ask(agents[number % 2] as Agent)) ?? [];
      lastVersion = version;
      answers++;
    } catch (error) {
      const { code = '', message } = error as NodeJS.ErrnoException;
      if ([began, phase].includes('nobody serves')) refused++;
      else if ([began, phase].includes('a worker dies') && code === 'ECONNRESET') retries++;
      else lost ??= `client ${number}: ${code} ${message} (${phase})`;
    }
    await delay(2);
  }
}

/** Waits for an answer of this version from every worker that may answer. */
async function serves(version: string): Promise<void> {
  const from = answers;
  await until(`version ${version} answers`, async () => {
    await delay(10);
    return answers >= from + 3 * CLIENTS && lastVersion === version;
  });
}

// ── the releases ───────────────────────────────────────────────────────────────────────────────────

function release(version: string, text: string): void {
  mkdirSync(path.join(home, 'releases', version), { recursive: true });
  writeFileSync(path.join(home, 'releases', version, 'app.js'), text);
}

const app = (version: string): string => `const { createServer } = require('node:http');
createServer((request, response) => response.end('version ${version} of ' + process.pid)).listen(${port}, '127.0.0.1');
console.log('version ${version} starts');
`;

/** `current` leads to this version from now on. It is renamed, so that it leads somewhere at any moment. */
function deploy(version: string): void {
  symlinkSync(path.join('releases', version), path.join(home, 'next'));
  renameSync(path.join(home, 'next'), path.join(home, 'current'));
  say(`\n$ ln -sfn releases/${version} current`);
}

/** Processes that have the day's directory in their environment: the daemon, primaries, workers. */
function processes(): number[] {
  return readdirSync('/proc').map(Number).filter((pid) => {
    if (!(pid > 0) || pid === process.pid) return false;
    try {
      const [, state] = /\) (\S)/.exec(readFileSync(`/proc/${pid}/stat`, 'utf8')) ?? [];
      return state !== 'Z' && readFileSync(`/proc/${pid}/environ`, 'latin1').split('\0').includes(`XDG_RUNTIME_DIR=${home}`);
    } catch {
      return false; // It has ended.
    }
  });
}

function kill(pid: number, what: string): void {
  say(`\n$ kill -9 ${what}`);
  process.kill(pid, 'SIGKILL');
}

// ── the day ────────────────────────────────────────────────────────────────────────────────────────

async function day(): Promise<void> {
  ({ port } = await claimPort()); // Until this program ends.
  release('1', app('1'));
  release('2', app('2'));
  release('3', "console.error('no database'); process.exit(3);\n");
  deploy('1');

  await type(0, 'list');
  await type(3, 'reload', 'api');
  await type(0, 'start', 'current/app.js', '--name', 'api', '-i', '2', '--canary', '300ms', '--leave-timeout', '5s', '--log-worker');
  const clients = Array.from({ length: CLIENTS }, (_none, number) => client(number));
  phase = 'nothing may be lost';
  await serves('1');
  await type(1, 'start', 'current/app.js', '--name', 'api');
  await type(0, 'list');
  await type(0, 'status', 'api');

  say('\n── more workers, fewer workers');
  await type(0, 'scale', 'api', '+1');
  expect((await workers()).length === 3, '3 workers');
  await type(0, 'scale', 'api', '2');

  say('\n── a good deploy');
  deploy('2');
  await type(0, 'reload', 'api');
  await serves('2');

  say('\n── a bad deploy');
  deploy('3');
  const bad = await type(1, 'reload', 'api');
  expect(bad.stderr.includes('cluster-internals: '), 'the reason is on stderr');
  await serves('2');

  say('\n── back to the release before');
  await type(0, 'rollback', 'api');
  await serves('1');
  deploy('1'); // The link still leads to the bad one, and the next start would follow it.

  say('\n── a worker is killed');
  const before = await workers();
  phase = 'a worker dies';
  kill(before[0] as number, 'a worker');
  await until('another one has its place', async () => {
    const now = await json('status', 'api');
    return now['ready'] === 2 && !listOf(now['workers']).some(({ pid }) => pid === before[0]);
  });
  phase = 'nothing may be lost';

  say('\n── the daemon is killed');
  const { daemon } = await json('list');
  kill(Number({ ...(daemon as object) as { pid?: number } }.pid), 'the daemon');
  const kept = await workers();
  await serves('1');
  await type(0, 'list');
  expect((await workers()).join() === kept.join(), 'the same workers as before');
  expect((await apps()).length === 1, 'the app is found once');

  say('\n── the primary is killed');
  phase = 'nobody serves';
  kill(Number((await json('status', 'api'))['pid']), 'the primary of api');
  await until('the daemon has started it again, with 2 workers', async () => {
    const [found] = await apps();
    return found?.['state'] === 'online' && found['ready'] === 2;
  });
  phase = 'nothing may be lost';
  await serves('1');

  say('\n── logs');
  const logs = await type(0, 'logs', 'api', '--lines', '3');
  expect(/version 1 starts/.test(logs.stdout), 'the workers\' lines are in the log');

  say('\n── everything stops, and comes back');
  await type(0, 'save');
  phase = 'nobody serves';
  await type(0, 'kill');
  await until('no process is left', async () => processes().length === 0);
  await type(0, 'resurrect');
  phase = 'nothing may be lost';
  await serves('1');

  say('\n── the end');
  phase = 'nobody serves';
  await type(0, 'stop', 'api');
  expect((await apps())[0]?.['state'] === 'stopped', 'it is stopped');
  await type(0, 'start', 'api');
  phase = 'nothing may be lost';
  await serves('1');
  phase = 'nobody serves';
  await type(0, 'delete', 'api');
  expect((await apps()).length === 0, 'it is forgotten');
  await type(0, 'kill');
  isOver = true;
  await Promise.all(clients);
  await until('no process is left', async () => processes().length === 0);
  expect(lost === null, `no request was lost${lost === null ? '' : `: ${lost}`}`);
  say(`\n${answers} answers; ${retries} sent once more when a worker was killed, ${refused} refused while nobody served.`);
}

/** Ends what the day has started, however it went. */
function cleanUp(): void {
  isOver = true;
  for (const agent of agents) agent.destroy();
  // The daemon first: it would start the others again.
  for (let turn = 0; turn < 20 && processes().length > 0; turn++) for (const pid of processes()) try { process.kill(pid, 'SIGKILL'); } catch { continue; /* It has ended. */ }
}

runTool({
  name: 'day',
  usage: 'npx tsx test/operate/day.ts',
  about: 'Plays a day of an app with the real command line, under load, and prints what it does. Exit code 1:\nthe day went wrong; it says why.',
  takes: 'some 60 s',
  example: 'npx tsx test/operate/day.ts',
  options: {},
}, async () => {
  process.once('exit', cleanUp);
  try {
    await day();
    say('A good day.');
  } catch (error) {
    process.exitCode = 1;
    say(`\nIt went wrong: ${error instanceof WentWrong ? error.message : error instanceof Error ? error.stack ?? '' : String(error)}`);
    const log = path.join(home, 'state/cluster-internals/daemon.log');
    try { say(`daemon.log:\n${readFileSync(log, 'utf8')}`); } catch { say('there is no daemon.log'); }
  } finally {
    cleanUp();
  }
});
