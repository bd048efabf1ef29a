/** One app of the daemon, without processes: when its primary is restarted, and when it is given up; commands that meet. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { appCommands } from '../../internal/operate/app/app_commands';
import { currentFile, readRecord, recordFile, writeJson, type AppRecord } from '../../internal/operate/app/app_record';
import { checkSpec } from '../../internal/operate/app/app_spec';
import { App, type Primary } from '../../internal/operate/daemon/app';
import type { ProcessEnd, StartedPrimary } from '../../internal/operate/daemon/primary_process';

const turns = async (): Promise<void> => { for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => { setImmediate(resolve); }); };

/** A primary without a process: the test says what becomes of it. */
class FakePrimary {
  readonly signals: string[] = [];
  readonly stops: boolean[] = [];
  servedMs = 0;
  hasStarted = false;
  readonly isOurs: boolean;
  readonly pid: number;
  readonly of: AppRecord;
  readonly #changed: ((detail: object | null) => void)[] = [];
  ready: (isReady: boolean) => void = () => undefined;
  exit: (end: Partial<ProcessEnd>) => void = () => undefined;
  over: (text: string) => void = () => undefined;
  readonly isReady = new Promise<boolean>((resolve) => { this.ready = resolve; });
  readonly hasExited = new Promise<ProcessEnd>((resolve) => { this.exit = (end) => resolve({ code: null, signal: null, error: '', ...end }); });
  readonly ended = new Promise<string>((resolve) => { this.over = resolve; });

  constructor(pid: number, of: AppRecord, isOurs = true) {
    this.pid = pid;
    this.of = of;
    this.isOurs = isOurs;
  }

  isOf(record: AppRecord): boolean { return record.id === this.of.id && record.run === this.of.run; }
  async call(): Promise<unknown> { return {}; }
  watch(changed: (detail: object | null) => void): void { this.#changed.push(changed); }
  stop(now: boolean): void { this.stops.push(now); }
  kill(): void { this.signals.push('SIGKILL'); }
  letGo(): void { this.signals.push('let go'); }

  start(): void {
    this.hasStarted = true;
    for (const changed of this.#changed) changed(null);
  }

  /** Its process is gone. */
  die(end: Partial<ProcessEnd> = { signal: 'SIGKILL' }): void {
    this.exit(end);
    this.ready(false);
    this.over(end.signal === undefined ? `exited with ${end.code}` : `was killed by ${end.signal}`);
  }
}

class AppWorld {
  readonly state = mkdtempSync(path.join(tmpdir(), 'operate-app-'));
  readonly primaries: FakePrimary[] = [];
  readonly why: string[] = [];
  now = 0;
  /** Who answers at the socket. */
  answers: FakePrimary | null = null;
  readonly #timers = new Set<{ at: number; call: () => void }>();
  readonly app: App;

  constructor(record = this.record()) {
    writeJson(recordFile(this.state, 'web'), record);
    this.app = new App(record, {
      state: this.state, log: () => undefined, changed: () => undefined,
      clock: {
        now: () => this.now,
        after: (ms, call) => {
          const timer = { at: this.now + ms, call };
          this.#timers.add(timer);
          return () => void this.#timers.delete(timer);
        },
      },
      start: (started, _env, why) => {
        const primary = new FakePrimary(this.primaries.length + 1, started);
        this.primaries.push(primary);
        this.why.push(why);
        return { child: { kill: (signal: string) => primary.signals.push(signal) }, ready: primary.isReady, ended: primary.hasExited, printed: () => 'what it printed' } as unknown as StartedPrimary;
      },
      find: async () => this.answers as Primary | null,
    });
  }

  record(change: Partial<AppRecord> = {}): AppRecord {
    return { id: 'a', run: 1, wanted: 'running', reason: '', boot: 'b', spec: checkSpec({ name: 'web', exec: '/a.js', cwd: '/' }, '/logs'), ...change };
  }

  get last(): FakePrimary {
    return this.primaries.at(-1) as FakePrimary;
  }

  get timers(): number {
    return this.#timers.size;
  }

  /** The last primary has its socket, and all of its workers are ready. */
  async up(): Promise<void> {
    this.answers = this.last;
    this.last.ready(true);
    await turns();
    this.last.start();
  }

  async die(servedMs = 0, end?: Partial<ProcessEnd>): Promise<void> {
    this.answers = null;
    this.last.servedMs = servedMs;
    this.last.die(end);
    await turns();
  }

  /** Lets time pass up to the next timer. Returns how long that was. */
  async next(): Promise<number> {
    const [first] = [...this.#timers].sort((one, other) => one.at - other.at);
    if (first === undefined) return -1;
    const passed = first.at - this.now;
    this.now = first.at;
    this.#timers.delete(first);
    first.call();
    await turns();
    return passed;
  }
}

let world: AppWorld;
beforeEach(() => { world = new AppWorld(); });
afterEach(() => rmSync(world.state, { recursive: true }));

const recorded = (): string => {
  const record = readRecord(world.state, 'web');
  return record.is === 'there' ? record.content.wanted : record.is;
};

test('a primary that dies young again and again: longer and longer delays, and then errored, in the record, too', async () => {
  world.app.start(world.record());
  await world.up();
  expect(world.app.state).toBe('online');
  const delays: number[] = [];
  for (let death = 0; death < 11 && world.app.state !== 'errored'; death++) {
    await world.die(50);
    if (world.app.state === 'backing off') delays.push(Math.round(await world.next()));
    if (world.app.state === 'starting') await world.up();
  }
  expect(delays[0]).toBe(0);
  expect(delays.slice(1).every((delay, index) => delay >= 80 * 2 ** index || delay >= 8_000)).toBe(true);
  // The budget is for 60 s: with delays of up to 10 s, ten restarts need no more than that.
  expect([world.app.state, recorded(), world.timers]).toEqual(['errored', 'errored', 0]);
  expect(world.app.reason).toMatch(/died more than 10 times in 60 s; the last time: its primary was killed by SIGKILL/);
  expect(world.why.slice(0, 3)).toEqual(['command', 'restart', 'restart']);
  world.app.start(world.record({ run: 2 }));
  await world.up();
  expect([world.app.state, world.app.restarts]).toEqual(['online', 0]);
});

test('a primary that gives up before the daemon has connected to it: the reason is its own, and not its exit code', async () => {
  const record = world.record();
  world.app.start(record);
  writeJson(currentFile(world.state, 'web'), { id: record.id, run: record.run, spec: record.spec, pinned: null, ended: { is: 'given up', reason: 'the port of health is taken' } });
  world.last.ready(true); // It has said that it is ready, and is gone when the daemon connects.
  await turns();
  await world.die(0, { code: 69 });
  expect([world.app.state, world.app.reason, recorded(), world.timers]).toEqual(['errored', 'the port of health is taken', 'errored', 0]);
});

test('a primary that served for long is restarted at once, as often as that happens', async () => {
  world.app.start(world.record());
  for (let death = 0; death < 30; death++) {
    await world.up();
    world.now += 20_000;
    await world.die(20_000);
    await world.next();
    while (world.app.state === 'backing off') await world.next();
  }
  await world.up();
  expect(world.app.state).toBe('online');
});

test('the wall clock plays no part: no time but that of the given clock is asked for', async () => {
  const { now } = Date;
  Date.now = () => { throw new Error('the wall clock was read'); };
  try {
    world.app.start(world.record());
    await world.up();
    await world.die(0);
    await world.next();
    await world.up();
  } finally {
    Date.now = now;
  }
  expect(world.app.state).toBe('online');
});

test('a primary that gave up, or was stopped at its socket, is not restarted', async () => {
  world.app.start(world.record());
  await world.up();
  writeJson(currentFile(world.state, 'web'), { ...world.record(), pinned: null, ended: { is: 'given up', reason: 'no database' } });
  await world.die(0, { code: 69 });
  expect([world.app.state, world.app.reason, recorded()]).toEqual(['errored', 'no database', 'errored']);

  world.app.start(world.record({ run: 2 })); // What the first primary has written is history.
  await world.up();
  await world.die();
  expect(world.app.state).toBe('backing off');
  await world.next();
  await world.up();
  writeJson(currentFile(world.state, 'web'), { ...world.record({ run: 2 }), pinned: null, ended: { is: 'stopped', reason: '' } });
  await world.die(0, { code: 0 });
  expect([world.app.state, recorded()]).toEqual(['stopped', 'stopped']);
});

test('stop, at each moment: no timer stays, and the primary is told or killed', async () => {
  const stopped = world.record({ wanted: 'stopped' });
  world.app.start(world.record());
  world.app.stop(stopped, false); // It has no socket yet.
  expect(world.last.signals).toEqual(['SIGTERM']);
  await world.die();
  expect([world.app.state, world.timers]).toEqual(['stopped', 0]);

  world.app.start(world.record({ run: 2 }));
  world.app.stop(stopped, false);
  await world.up(); // It was quicker than the signal: it is told to stop.
  expect([world.app.state, world.last.stops]).toEqual(['stopping', [false]]);
  world.app.stop(stopped, true);
  expect(world.last.stops).toEqual([false, true]);
  await world.next(); // It does not end.
  expect(world.last.signals).toEqual(['SIGTERM', 'SIGKILL']);
  await world.die();
  expect([world.app.state, world.timers]).toEqual(['stopped', 0]);

  world.app.start(world.record({ run: 3 }));
  await world.up();
  await world.die();
  expect(world.app.state).toBe('backing off');
  world.app.stop(stopped, false);
  expect([world.app.state, world.timers]).toEqual(['stopped', 0]);
});

// Its record is of another command by now, so it has exited with 0: the app was errored with 'exited with 0 before it could work'.
test('restart while its primary is being started: the next one comes when that is gone', async () => {
  world.app.start(world.record());
  world.app.start(world.record({ run: 2 }));
  await world.die(0, { code: 0 });
  expect([world.primaries.length, world.last.of.run, world.app.state]).toEqual([2, 2, 'starting']);
  await world.up();
  expect([world.app.state, world.timers]).toEqual(['online', 0]);
});

// `stop` waited for ever for a primary that had been stopped (SIGSTOP) while it started.
test('stop while its primary is being started, and that does not react: it gets SIGKILL', async () => {
  world.app.start(world.record());
  world.app.stop(world.record({ wanted: 'stopped' }), false);
  await world.next();
  expect(world.last.signals).toEqual(['SIGTERM', 'SIGKILL']);
  await world.die();
  expect([world.app.state, world.timers]).toEqual(['stopped', 0]);
});

// On a machine that was too busy for five seconds the app stayed 'starting' for ever, and `start` with it.
test('a primary that has said that it is ready, and answers late: it is asked again', async () => {
  world.app.start(world.record());
  world.last.ready(true);
  await turns();
  expect(world.app.state).toBe('starting');
  world.answers = world.last;
  await world.next();
  world.last.start();
  expect([world.app.state, world.app.primary?.pid, world.timers]).toEqual(['online', 1, 0]);
});

test('start while it stops: the next primary comes when the old one is gone, and not before', async () => {
  world.app.start(world.record());
  await world.up();
  world.app.stop(world.record({ wanted: 'stopped' }), false);
  world.app.start(world.record({ run: 2 }));
  await turns();
  expect([world.primaries.length, world.app.state]).toEqual([1, 'stopping']);
  await world.die();
  expect([world.primaries.length, world.last.of.run]).toEqual([2, 2]);
  await world.up();
  expect([world.app.state, world.timers]).toEqual(['online', 0]);
});

test('a primary that ends before it has its socket: errored with what it printed, if a person waits; otherwise it is tried again', async () => {
  world.app.start(world.record());
  await world.die(0, { code: 9 });
  expect([world.app.state, world.app.reason]).toEqual(['errored', 'what it printed (its primary exited with 9 before it could work)']);
  world.app.start(world.record({ run: 2 }));
  await world.up();
  await world.die();
  await world.next();
  await world.die(0, { code: 1 });
  expect(world.app.state).toBe('backing off');
});

test('the socket is taken: by a primary of this app, which is adopted; by somebody else; by nobody any more', async () => {
  world.app.start(world.record());
  world.answers = new FakePrimary(77, world.record());
  world.last.die({ code: 75 });
  await turns();
  expect(world.app.primary?.pid).toBe(77);
  world.answers.die();
  world.answers = null;
  await turns();
  await world.next();
  world.last.die({ code: 75 });
  await turns();
  expect(world.app.state).toBe('backing off');
  await world.next();
  const stranger = world.answers = new FakePrimary(78, world.record(), false);
  world.last.die({ code: 75 });
  await turns();
  expect([world.app.state, stranger.stops, stranger.signals]).toEqual(['errored', [], ['let go']]);
});

test.each([['stop', 'stopped', 1], ['restart', 'online', 2]] as const)('a %s comes while the daemon looks who has the socket', async (command, state, starts) => {
  let found: (primary: null) => void = () => undefined;
  world.app.start(world.record());
  world.answers = new Promise((resolve) => { found = resolve; }) as unknown as FakePrimary;
  world.last.die({ code: 75 });
  await turns();
  if (command === 'stop') world.app.stop(world.record({ wanted: 'stopped' }), false);
  else world.app.start(world.record({ run: 2 }));
  found(null);
  await turns();
  if (command === 'restart') await world.up();
  while (world.timers > 0) await world.next();
  await turns();
  expect([world.app.state, world.primaries.length, world.timers]).toEqual([state, starts, 0]);
});

test.each([
  ['stop', 'lives', 'stopped', 1], ['stop', 'is gone', 'stopped', 1],
  ['restart', 'lives', 'online', 2], ['restart', 'is gone', 'online', 2],
] as const)('a %s comes when the primary has just been replaced, and the other one %s: that is stopped before anything else', async (command, is, state, starts) => {
  world.app.start(world.record());
  await world.up();
  const old = world.last;
  const successor = new FakePrimary(99, world.record());
  if (command === 'stop') world.app.stop(world.record({ wanted: 'stopped' }), false);
  else world.app.start(world.record({ run: 2 }));
  world.answers = is === 'lives' ? successor : null;
  old.over('was replaced');
  await turns();
  if (is === 'lives') {
    expect([world.app.state, world.primaries.length, successor.stops, old.signals]).toEqual(['stopping', 1, [false], []]);
    world.answers = null;
    successor.die();
    await turns();
  }
  if (command === 'restart') await world.up();
  expect([world.app.state, world.primaries.length, world.timers]).toEqual([state, starts, 0]);
});

test.each([
  ['runs, as it should', 'running', 1, true, 'online', 0],
  ['is gone', 'running', 0, true, 'online', 1],
  ['is gone with the last boot', 'running', 0, false, 'stopped', 0],
  ['runs, and should not', 'stopped', 1, true, 'stopped', 0],
  ['is of an earlier command', 'running', 2, true, 'online', 1],
  ['is gone, as it should', 'stopped', 0, true, 'stopped', 0],
  ['was given up', 'errored', 0, true, 'errored', 0],
] as const)('a new daemon takes over: the primary %s', async (_what, wanted, found, isThisBoot, state, starts) => {
  rmSync(world.state, { recursive: true });
  world = new AppWorld({ id: 'a', run: 3, wanted, reason: '', boot: 'b', spec: checkSpec({ name: 'web', exec: '/a.js', cwd: '/' }, '/logs') });
  const old = found === 0 ? null : new FakePrimary(77, world.record({ run: found === 1 ? 3 : 2 }));
  world.answers = old;
  await world.app.takeOver(isThisBoot);
  await turns();
  if (old !== null && old.stops.length > 0) {
    world.answers = null;
    old.die();
    await turns();
  }
  while (world.app.state === 'backing off') await world.next();
  if (world.primaries.length > 0) await world.up();
  else old?.start();
  await turns();
  expect([world.app.state, world.primaries.length, world.timers]).toEqual([state, starts, 0]);
});

test.each([
  ['by a stop, before the new release had proved itself: it is forgotten', 'superseded', 0, false, 0],
  ['by a stop, after that: it is kept', 'superseded', 0, true, 1],
  ['by another command', 'superseded', 2, false, 1],
  ['by nothing', 'done', 2, true, 1],
] as const)('a reload is ended %s', async (_what, outcome, desired, isProved, notes) => {
  const noted: unknown[] = [];
  const supervisor = {
    release: { exec: '/a.js', cwd: '/', args: [], execArgv: [], env: {} }, status: () => ({ desired }),
    async reload() {
      if (isProved) this.release = { ...this.release, env: {} };
      return { outcome };
    },
  };
  const current = { withNames: () => ({}), noteReload: (change: unknown) => noted.push(change) };
  const { reload } = appCommands({ name: 'web', supervisor, current } as unknown as Parameters<typeof appCommands>[0]);
  expect(await reload?.({ env: { X: '1' } }, { signal: new AbortController().signal, progress: () => undefined })).toEqual({ outcome });
  expect(noted).toEqual(Array.from({ length: notes }, () => ({ env: { X: '1' } })));
});
