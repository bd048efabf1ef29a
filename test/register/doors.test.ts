/**
 * The entry points of lib/ in whole processes: each module has one instance (7), spawn uses our channel (11), each child
 * loads the preload (E13), and servers can be collected (6, E13).
 */
import { execFileSync } from 'node:child_process';
import { chmodSync, copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, test } from 'vitest';
import { cleanEnvironment, fixture } from '../support/children';
import { dist, run, type Ended, type ProgramOptions } from '../support/program';

async function ended(file: string, options: ProgramOptions = {}): Promise<Ended> {
  const end = await run(fixture(file), { ...options, env: { ...cleanEnvironment(), ...options.env } });
  expect([end.code, end.signal], end.stderr).toEqual([0, null]);
  return end;
}

test('7: whichever entry points a process loads, and how often, each module runs once: one cluster, no further listener, no trace line twice', async () => {
  const { stdout, stderr } = await ended('register_doors.js', { env: { NODE_DEBUG: 'cluster-internals' } });
  const other = (is: string): object => ({ is, twice: [], same: true, fork: 'function' });
  expect(JSON.parse(stdout)).toEqual({ twice: [], same: true, listeners: true, children: [other('child'), other('worker')], onOurs: ['pipelined', 'pipelined'] });
  const lines = stderr.split('\n').filter((line) => line !== '');
  expect(lines.length).toBeGreaterThan(4);
  expect(lines.filter((line, at) => lines.indexOf(line) !== at)).toEqual([]);
});

/** Each pair of entry points, loaded in both orders. */
const orders = ['cluster,child_process,register_fork,supervisor,shared_state,register', 'register,shared_state,supervisor,register_fork,child_process,cluster', 'supervisor,shared_state,cluster,register,child_process,register_fork'];

test.concurrent.each(orders.flatMap((order) => [[order, 'cjs'], [order, 'esm']]))('7: one primary, whichever entry point is loaded first: %s (%s)', async (order, how) => {
  const { stdout } = await ended('register_orders.js', { args: [how], env: { ORDER: order } });
  const heard = ['cluster', 'cluster online', 'cluster, once', 'seat online', 'seat, before'];
  expect(JSON.parse(stdout)).toEqual({ names: [[], [], []], weight: 2, table: [['1'], true, true], counts: [true, true], states: [true, true, true], heard });
});

test('11: under register_fork each child with an ipc has our channel at both ends, also if this Node is found in PATH or through a link; another program and a worker of Node\'s cluster have Node\'s channel', async () => {
  const { stdout } = await ended('register_probe.js', { execArgv: ['--require', dist('lib/register_fork.js')] });
  const ours = { answer: 'hello', parent: true, child: true };
  expect(JSON.parse(stdout)).toEqual({
    fork: ours, spawn: ours, 'spawn on another fd': ours, 'ChildProcess by hand': ours,
    'another program': { answer: 'hello', parent: true, child: false },
    'by name': ours, 'by a link': ours, 'by a link seen from its cwd': ours,
    'by a name that is another program\'s': { answer: 'hello', parent: true, child: false },
    'of Node\'s cluster': { answer: 'hello', parent: false, child: false },
    'without ipc': { answer: null, parent: false, child: null },
  });
});

test('6, E13: servers whose sockets were sent can be collected, without a listener or a warning for each; so can received sockets', async () => {
  const { stdout } = await ended('register_sent_servers.js', { execArgv: ['--expose-gc'] });
  expect(JSON.parse(stdout)).toEqual({ afterSent: [1, 0, 0], afterReceived: [1, 0, 0], warnings: [], kept: 'few' });
});

/** The user that runs the copy of Node. It is not root: for root a file capability is no additional privilege. */
const nobody = { uid: 65534, gid: 65534 };

/** The reason why a copy of Node with a file capability cannot be made here: setcap (of libcap2-bin) is missing, or needs root. */
function whyNotCapable(node: string): string | null {
  try {
    execFileSync('setcap', ['cap_net_raw+ep', node], { stdio: 'pipe' });
    const text = execFileSync(node, ['-p', '1'], { ...nobody, env: { NODE_OPTIONS: '--no-such-flag' }, encoding: 'utf8', stdio: 'pipe' });
    return text === '1\n' ? null : 'it does not ignore NODE_OPTIONS';
  } catch (error) {
    return String(error);
  }
}

test('E13: a Node binary with file capabilities ignores NODE_OPTIONS, and still its workers and forks have their channel', async ({ skip }) => {
  const directory = mkdtempSync(path.join(tmpdir(), 'capable-'));
  const node = path.join(directory, 'node');
  try {
    chmodSync(directory, 0o755);
    copyFileSync(process.execPath, node);
    const why = whyNotCapable(node);
    if (why !== null) return skip(`no Node binary with file capabilities here: ${why}`);
    // Started here, because no helper of the tests starts a process as another user.
    const text = execFileSync(node, [fixture('register_capable.js')], { ...nobody, env: { ...cleanEnvironment(), NODE_OPTIONS: '--no-warnings' }, encoding: 'utf8', timeout: 30_000 });
    const seen = [[], '--no-warnings'];
    expect(JSON.parse(text)).toEqual([['fork', seen], ['fork', 0], ['worker', seen], ['worker', 0]].sort());
  } finally {
    rmSync(directory, { recursive: true });
  }
});
