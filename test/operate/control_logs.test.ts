/** logs and reopenLogs over a control socket, with the log files of an app: what its workers print, while they print it. */
import type { Worker } from 'node:cluster';
import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { PassThrough } from 'node:stream';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { appCommands } from '../../internal/operate/app/app_commands';
import { AppLogs } from '../../internal/operate/app/app_logs';
import { ControlClient } from '../../internal/operate/control/client';
import { appMethods, type LogSource } from '../../internal/operate/control/methods';
import { LONGEST_REPLY } from '../../internal/operate/control/protocol';
import { ControlServer } from '../../internal/operate/control/server';
import type { Supervisor } from '../../internal/supervisor/supervisor';
import { within } from '../support/children';
import { RawClient } from './raw_client';

let directory: string;
let file: string;
let logs: AppLogs;
let stdout: PassThrough;
/** How many follow. */
let following = 0;
let server: ControlServer;
let client: ControlClient;
const runtime = process.env['XDG_RUNTIME_DIR'];
const state = process.env['XDG_STATE_HOME'];

beforeEach(async () => {
  directory = mkdtempSync(path.join(tmpdir(), 'control-logs-'));
  process.env['XDG_RUNTIME_DIR'] = directory;
  process.env['XDG_STATE_HOME'] = path.join(directory, 'state');
  file = path.join(directory, 'web.log');
  await open();
});
afterEach(async () => {
  await close();
  if (runtime === undefined) delete process.env['XDG_RUNTIME_DIR'];
  else process.env['XDG_RUNTIME_DIR'] = runtime;
  if (state === undefined) delete process.env['XDG_STATE_HOME'];
  else process.env['XDG_STATE_HOME'] = state;
  rmSync(directory, { recursive: true });
});

/** An app whose worker is this test: it prints to `stdout`. */
async function open(): Promise<void> {
  logs = new AppLogs({ file, errorFile: null, maxBytes: 0, keep: 1, time: false, worker: false }, (text) => { throw new Error(text); });
  stdout = new PassThrough();
  logs.add({ process: { stdout, stderr: null } } as unknown as Worker, () => 1);
  following = 0;
  const counted: LogSource = {
    lastLines: (count) => logs.lastLines(count), reopen: () => logs.reopen(),
    follow(listener) {
      following++;
      const stop = logs.follow(listener);
      return () => { following--; stop(); };
    },
  };
  server = new ControlServer({ kind: 'app', name: 'web', pid: process.pid, startedBy: 'daemon' }, appMethods({} as Supervisor, { logs: counted }));
  await server.listen(path.join(directory, 'web.sock'));
  client = await ControlClient.connect(path.join(directory, 'web.sock'));
}

async function close(): Promise<void> {
  client.close();
  await server.close();
  stdout.end();
  await logs.end();
}

/** The lines that a call of `logs` has sent so far, and its end. */
class Reader {
  readonly lines: string[] = [];
  readonly ended: Promise<unknown>;
  readonly #abort = new AbortController();
  #wake = (): void => undefined;

  constructor(params: object) {
    this.ended = client.call('logs', params, {
      signal: this.#abort.signal,
      onProgress: (value) => {
        this.lines.push((value as { line: string }).line);
        this.#wake();
      },
    });
  }

  until(last: string): Promise<void> {
    return within(20_000, `the line ${last}`, (resolve) => {
      this.#wake = () => this.lines.at(-1) === last && resolve();
      this.#wake();
    });
  }

  async end(): Promise<string[]> {
    this.#abort.abort();
    await this.ended;
    return this.lines;
  }
}

async function read(params: object = {}): Promise<string[]> {
  const reader = new Reader(params);
  expect(await reader.ended).toBeNull();
  return reader.lines;
}

const print = (...lines: string[]): void => void stdout.write(lines.map((line) => `${line}\n`).join(''));

test('the last lines, 20 if the client does not say how many; none, and none of a file that is not there', async () => {
  expect([existsSync(file), await read()]).toEqual([false, []]);
  writeFileSync(file, Array.from({ length: 100 }, (_, at) => `line ${at}\n`).join(''));
  expect(await read()).toEqual(Array.from({ length: 20 }, (_, at) => `line ${80 + at}`));
  expect([await read({ lines: 2 }), await read({ lines: 0 }), (await read({ lines: 100_000 })).length]).toEqual([['line 98', 'line 99'], [], 100]);
});

test('follow: the last lines and then each line once, while the worker prints; a cancel ends it', async () => {
  writeFileSync(file, 'old 1\nold 2\n');
  const all = Array.from({ length: 3_000 }, (_, at) => `line ${at}`);
  print(...all.slice(0, 1_000));
  // It begins while lines are on their way into the file. Whether a line is an old one or a new one, it comes once.
  const reader = new Reader({ lines: 10_000, follow: true });
  for (let at = 1_000; at < 3_000; at += 100) {
    print(...all.slice(at, at + 100));
    await new Promise((resolve) => { setImmediate(resolve); });
  }
  await reader.until('line 2999');
  expect(await reader.end()).toEqual(['old 1', 'old 2', ...all]);
  expect(following).toBe(0);
  const next = new Reader({ lines: 0, follow: true });
  await client.call('logs', { lines: 0 });
  print('after');
  await next.until('after');
  await next.end();
  expect(reader.lines.at(-1)).toBe('line 2999');
});

test('reopenLogs: the next line goes to a new file, and who follows sees both', async () => {
  const reader = new Reader({ lines: 0, follow: true });
  await client.call('logs', { lines: 0 }); // Requests begin in their order.
  print('before');
  await reader.until('before');
  renameSync(file, `${file}.1`);
  print('between');
  await reader.until('between');
  expect(await client.call('reopenLogs')).toBeNull();
  print('after');
  await reader.until('after');
  expect([readFileSync(`${file}.1`, 'utf8'), readFileSync(file, 'utf8')]).toEqual(['before\nbetween\n', 'after\n']);
  expect(await reader.end()).toEqual(['before', 'between', 'after']);
});

test('more than a client may leave unread: the newest lines that fit, in their order, and the client is not cut off', async () => {
  const line = (at: number): string => `${at} ${'"'.repeat(1_000)}`; // JSON needs twice as many bytes for it.
  writeFileSync(file, Array.from({ length: 5_000 }, (_, at) => `${line(at)}\n`).join(''));
  const raw = await RawClient.connect(path.join(directory, 'web.sock'));
  raw.socket.pause();
  raw.write({ id: 1, version: 1, method: 'logs', params: { lines: 100_000 } });
  await client.call('logs', { lines: 0 });
  raw.socket.resume();
  expect(await raw.reply(1)).toEqual({ id: 1, result: null });
  const lines = raw.lines.flatMap(({ progress }) => (progress === undefined ? [] : [(progress as { line: string }).line]));
  expect(lines).toEqual(Array.from({ length: lines.length }, (_, at) => line(5_000 - lines.length + at)));
  const bytes = raw.lines.reduce((sum, one) => sum + JSON.stringify(one).length, 0);
  expect([bytes > 0.9 * LONGEST_REPLY, bytes < 1.1 * LONGEST_REPLY]).toEqual([true, true]);
  await raw.destroy();
});

test('a line that is longer than a reply may be is shortened, not left out', async () => {
  const long = 'x'.repeat(LONGEST_REPLY + 10);
  writeFileSync(file, `first\n${long}\nlast\n`);
  const lines = await read();
  expect(lines.map((line) => line.length < 10 ? line : line.slice(-3))).toEqual(['first', 'xx…', 'last']);
  expect(lines[1]?.length).toBeLessThan(LONGEST_REPLY);
});

test('one that follows and does not read is cut off, and the worker prints on', async () => {
  const raw = await RawClient.connect(path.join(directory, 'web.sock'));
  raw.socket.pause();
  raw.write({ id: 1, version: 1, method: 'logs', params: { follow: true } });
  await client.call('logs', { lines: 0 });
  const reader = new Reader({ lines: 0, follow: true });
  await client.call('logs', { lines: 0 }); // Requests begin in their order.
  for (let at = 0; at < 40; at++) {
    print(`${at} ${'x'.repeat(500_000)}`);
    await reader.until(`${at} ${'x'.repeat(500_000)}`);
  }
  raw.socket.resume();
  expect(await raw.closed).not.toBe(undefined);
  expect(raw.lines.length, 'lines until it was cut off').toBeLessThan(25);
  expect(following, 'only the one that reads').toBe(1);
  await reader.end();
});

test('the daemon gets its answer to `lifetime` also if it cancelled it before it began', async () => {
  const { lifetime } = appCommands({ name: 'web', supervisor: {}, logs, replaced: () => new Promise(() => undefined) } as unknown as Parameters<typeof appCommands>[0]);
  expect(await lifetime?.({}, { signal: AbortSignal.abort(), progress: () => undefined })).toEqual({});
});
