/** What systemd is told: in order, never more than once at a time, and without ever blocking this process. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, expect, test } from 'vitest';
import { Notifier } from '../../internal/operate/systemd/notify';
import { fakeNotify, notices } from '../support/systemd';

const directory = mkdtempSync(path.join(tmpdir(), 'notify-'));
afterAll(() => rmSync(directory, { recursive: true }));
let count = 0;

/** A notifier whose systemd-notify is this shell script. `told()`: the arguments of each call. */
function world(script = '', sendMs?: number) {
  const bin = path.join(directory, String(++count));
  const file = path.join(directory, `${count}.told`);
  const warnings: string[] = [];
  fakeNotify(bin, file, script);
  const env = { PATH: `${bin}:${process.env['PATH'] ?? ''}`, NOTIFY_SOCKET: '/run/nobody' };
  return { notifier: new Notifier(() => env, (text) => warnings.push(text), sendMs), told: () => notices(file), warnings, bin };
}

test('each notice becomes the variables of sd_notify, and resolves when it is sent', async () => {
  const { notifier, told, warnings } = world();
  expect(await notifier.notify({ ready: true, status: '2 of 2 workers\nREADY=0' })).toBe(true);
  expect(await notifier.notify({ mainPid: 42 })).toBe(true);
  expect(await notifier.notify({ watchdog: true })).toBe(true);
  const before = process.hrtime.bigint() / 1000n;
  expect(await notifier.notify({ reloading: true })).toBe(true);
  const [, usec = ''] = /^MONOTONIC_USEC=(\d+)$/.exec(told()[3]?.[1] ?? '') ?? [];
  expect(BigInt(usec)).toBeGreaterThanOrEqual(before);
  expect(told()).toEqual([['READY=1', 'STATUS=2 of 2 workers READY=0'], ['MAINPID=42'], ['WATCHDOG=1'], ['RELOADING=1', `MONOTONIC_USEC=${usec}`]]);
  expect(warnings).toEqual([]);
});

test('without NOTIFY_SOCKET nothing is started', async () => {
  expect(await new Notifier(() => ({ PATH: '/nowhere' }), () => expect.unreachable()).notify({ ready: true })).toBe(false);
});

test('what waits is joined, but two states stay two; of many states the last two are sent', async () => {
  const { notifier, told } = world();
  const all = [notifier.notify({ status: 'first' }), notifier.notify({ watchdog: true }), notifier.notify({ status: 'second' }), notifier.notify({ ready: true }), notifier.notify({ mainPid: 7, reloading: true }),
    notifier.notify({ ready: true }), notifier.notify({ reloading: true }), notifier.notify({ status: 'third', stopping: true })];
  expect(await Promise.all(all)).toEqual(all.map(() => true));
  const told1 = told().map((each) => each.filter((one) => !one.startsWith('MONOTONIC')));
  expect(told1).toEqual([['STATUS=first'], ['MAINPID=7', 'RELOADING=1', 'WATCHDOG=1', 'STATUS=second'], ['STOPPING=1', 'STATUS=third']]);
});

test('no program: one warning that says what to do, and no further attempt', async () => {
  const warnings: string[] = [];
  const notifier = new Notifier(() => ({ NOTIFY_SOCKET: '/x', PATH: directory }), (text) => warnings.push(text));
  expect(await Promise.all([notifier.notify({ ready: true }), notifier.notify({ stopping: true }), notifier.notify({ watchdog: true })])).toEqual([false, false, false]);
  expect(await notifier.notify({ ready: true })).toBe(false);
  expect(warnings).toEqual([expect.stringMatching(/^systemd is not told .*no program systemd-notify in PATH.*Type=exec/)]);
});

test('one that fails is a warning with its own words, once; the next is tried all the same', async () => {
  const { notifier, told, warnings } = world('echo "Failed to notify: Connection refused" >&2; exit 1');
  expect(await notifier.notify({ ready: true })).toBe(false);
  expect(await notifier.notify({ ready: true })).toBe(false);
  expect(told()).toHaveLength(2);
  expect(warnings).toEqual(['systemd is not told what this service does: systemd-notify exited with 1: Failed to notify: Connection refused']);
});

test('one that hangs is killed at its deadline, and a flood of output takes no memory; what waits comes afterwards', async () => {
  const { notifier, told, warnings } = world('case "$1" in READY=1) exec sleep 1000;; esac', 3_000);
  const first = notifier.notify({ ready: true });
  const second = notifier.notify({ stopping: true });
  expect(await Promise.all([first, second])).toEqual([false, true]);
  expect(told()).toEqual([['READY=1'], ['STOPPING=1']]);
  expect(warnings).toEqual(['systemd is not told what this service does: systemd-notify did not end within 3 s']);
  const loud = world('head -c 3000000 /dev/zero >&2; exit 3');
  expect(await loud.notifier.notify({ ready: true })).toBe(false);
  expect(loud.warnings[0]?.length).toBeLessThan(500);
});

test('a hanging one does not keep the process alive', async () => {
  const { bin } = world('exec tail --pid=$PPID -s 0.1 -f /dev/null'); // It hangs as long as the process lives.
  const program = `const { notify } = require(${JSON.stringify(path.join(__dirname, '../../dist/internal/operate/systemd/notify.js'))}); notify({ ready: true });`;
  const { status, stderr } = spawnSync(process.execPath, ['-e', program], { encoding: 'utf8', env: { PATH: `${bin}:${process.env['PATH'] ?? ''}`, NOTIFY_SOCKET: '/x' } });
  expect([status, stderr], 'a process that had waited would say so at the deadline').toEqual([0, '']);
});

const hasProgram = (name: string): boolean => spawnSync(name, ['--version']).status === 0;
/** Receives datagrams as systemd does, and closes the fds of a barrier. Node has no such sockets. */
const RECEIVER = `
import array, os, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.bind(sys.argv[1]); print('bound', flush=True)
while True:
    data, anc, _, _ = s.recvmsg(4096, 1024)
    for level, kind, fds in anc:
        if kind == socket.SCM_RIGHTS:
            got = array.array('i'); got.frombytes(fds[:len(fds) - len(fds) % got.itemsize])
            for fd in got: os.close(fd)
    print(data.decode().strip().replace('\\n', ' '), flush=True)
`;

test.skipIf(!hasProgram('systemd-notify') || !hasProgram('python3'))('the real systemd-notify sends the datagram that systemd expects (left out where systemd or python3 is not installed)', async () => {
  const socket = path.join(directory, 'notify.sock');
  const receiver = spawn('python3', ['-c', RECEIVER, socket], { stdio: ['ignore', 'pipe', 'inherit'] });
  try {
    const lines = createInterface(receiver.stdout)[Symbol.asyncIterator]();
    expect(await lines.next()).toMatchObject({ value: 'bound' });
    const warnings: string[] = [];
    const notifier = new Notifier(() => ({ PATH: process.env['PATH'], NOTIFY_SOCKET: socket }), (text) => warnings.push(text));
    expect(await notifier.notify({ ready: true, status: 'all well', mainPid: 42 })).toBe(true);
    expect(await lines.next()).toMatchObject({ value: expect.stringMatching(/^MAINPID=42 READY=1 STATUS=all well$/) });
    expect(warnings).toEqual([]);
  } finally {
    receiver.kill('SIGKILL');
    await once(receiver, 'close');
  }
});
