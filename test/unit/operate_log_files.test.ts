/** The log files of an app: whole lines, rotation, a file that was taken away, a disk that is full, followers. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { PassThrough } from 'node:stream';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { LogFile, type LogFileOptions } from '../../internal/operate/app/log_files';
import { readLastLines } from '../../internal/operate/app/log_tail';
import { prefixed, readWorker } from '../../internal/operate/app/worker_output';
import { StderrOutput } from '../../internal/supervisor/stderr_lines';

let directory: string;
let now = 0;
let warnings: string[] = [];
const opened: LogFile[] = [];

beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'log-files-'));
  now = 0;
  warnings = [];
});

afterEach(async () => {
  for (const file of opened.splice(0)) await new Promise<void>((resolve) => { file.end(resolve); });
  rmSync(directory, { recursive: true, force: true });
});

function logFile(options: Partial<LogFileOptions> = {}): LogFile {
  const file = new LogFile({ file: path.join(directory, 'a.log'), maxBytes: 0, keep: 2, ...options }, { clock: { now: () => now }, warn: (text) => warnings.push(text) });
  opened.push(file);
  return file;
}

const write = (file: LogFile, text: string): Promise<void> => new Promise((resolve) => { file.write(text, () => resolve()); });
const turn = (): Promise<void> => new Promise((resolve) => { setImmediate(resolve); });
const content = (name = 'a.log'): string => readFileSync(path.join(directory, name), 'utf8');

test('it appends to what is there, and ends a line that a killed primary has left unfinished', async () => {
  writeFileSync(path.join(directory, 'a.log'), 'old\nunfinis');
  await write(logFile(), 'new\n');
  expect(content()).toBe('old\nunfinis\nnew\n');
  await write(logFile({ file: path.join(directory, 'b.log') }), 'new\n');
  expect(statSync(path.join(directory, 'b.log')).mode & 0o007).toBe(0);
});

test('rotation: no file is longer than maxBytes, no line is in two files, `keep` old files stay', async () => {
  const file = logFile({ maxBytes: 30 });
  for (let count = 0; count < 20; count++) file.write(`line ${String(count).padStart(2, '0')}\n`); // 8 bytes each, and all of them in one or two writes
  await write(file, 'the end\n');
  const files = ['a.log.2', 'a.log.1', 'a.log'].map((name) => content(name));
  expect(files.every((text) => text.length <= 30 && text.endsWith('\n'))).toBe(true);
  expect(files.join('').split('\n').slice(-4)).toEqual(['line 18', 'line 19', 'the end', '']);
  expect(existsSync(path.join(directory, 'a.log.3'))).toBe(false);
  await write(file, `${'x'.repeat(50)}\n`); // A line that no file could hold gets one for itself.
  expect(content()).toBe(`${'x'.repeat(50)}\n`);
});

test('keep 0: the file is emptied', async () => {
  const file = logFile({ maxBytes: 10, keep: 0 });
  await write(file, '12345678\n');
  await write(file, 'abc\n');
  expect([content(), existsSync(path.join(directory, 'a.log.1'))]).toEqual(['abc\n', false]);
});

/** May this process mount a file system of its own? Root may, and root in a container often not. */
function canMount(): boolean {
  const place = mkdtempSync(path.join(tmpdir(), 'log-mount-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', place], { stdio: 'ignore' });
    execFileSync('umount', [place]);
    return true;
  } catch {
    return false;
  } finally {
    rmSync(place, { recursive: true });
  }
}

const isRoot = process.getuid?.() === 0;

// Only root may make a device.
test.skipIf(!isRoot)('a device is never rotated', async () => {
  const link = path.join(directory, 'null');
  execFileSync('mknod', [link, 'c', '1', '3']);
  const file = logFile({ file: link, maxBytes: 10 });
  for (let count = 0; count < 5; count++) await write(file, '12345678\n');
  expect([existsSync(`${link}.1`), warnings]).toEqual([false, []]);
});

test('a FIFO that nobody reads does not stop this process: its lines are lost', async () => {
  execFileSync('mkfifo', [path.join(directory, 'a.log')]);
  await write(logFile(), 'lost\n');
  expect(warnings).toHaveLength(1);
});

test('logrotate renames the file: the lines after `reopen` are in a new one; without it, those after a second', async () => {
  const file = logFile();
  await write(file, 'one\n');
  renameSync(path.join(directory, 'a.log'), path.join(directory, 'moved'));
  file.reopen();
  await write(file, 'two\n');
  expect([content('moved'), content()]).toEqual(['one\n', 'two\n']);
  rmSync(path.join(directory, 'a.log'));
  now += 1_000;
  await write(file, 'three\n');
  expect(content()).toBe('three\n');
});

test('the directory is gone: it is made again', async () => {
  const file = logFile({ file: path.join(directory, 'logs/a.log') });
  await write(file, 'one\n');
  rmSync(path.join(directory, 'logs'), { recursive: true });
  now += 1_000;
  await write(file, 'two\n');
  expect(content('logs/a.log')).toBe('two\n');
});

test('the file cannot be opened: one warning, counted lines, and it goes on when it can', async () => {
  writeFileSync(path.join(directory, 'logs'), 'a file where the directory should be');
  const file = logFile({ file: path.join(directory, 'logs/a.log') });
  for (let count = 0; count < 5; count++) {
    await write(file, 'lost\nlost too\n');
    now += 600;
  }
  expect(warnings).toHaveLength(1);
  expect(warnings[0]).toMatch(/^cannot write the log file .*a\.log: E(NOTDIR|EXIST)/);
  rmSync(path.join(directory, 'logs'));
  now += 1_000;
  await write(file, 'back\n');
  expect(content('logs/a.log')).toMatch(/^cluster-internals: 10 lines were lost here: E(NOTDIR|EXIST).*\nback\n$/);
  expect([file.writableNeedDrain, file.errored]).toEqual([false, null]);
});

test('a disk without room (/dev/full): one warning, and it goes on in another file', async () => {
  const link = path.join(directory, 'a.log');
  symlinkSync('/dev/full', link);
  const file = logFile();
  for (let count = 0; count < 3; count++) await write(file, 'lost\n');
  rmSync(link);
  now += 1_000;
  await write(file, 'back\n');
  expect(content()).toBe('cluster-internals: 3 lines were lost here: ENOSPC: no space left on device, write\nback\n');
  expect(warnings).toHaveLength(1);
});

test.skipIf(!canMount())('a full disk: lines are lost, none is torn, and it goes on when there is room', async () => {
  const disk = path.join(directory, 'disk');
  mkdirSync(disk);
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', disk]);
  try {
    const file = logFile({ file: path.join(disk, 'a.log') });
    writeFileSync(path.join(disk, 'other'), Buffer.alloc(32_768));
    const line = `${'x'.repeat(999)}\n`;
    for (let count = 0; count < 100; count++) file.write(line);
    await write(file, line);
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain('ENOSPC');
    rmSync(path.join(disk, 'other'));
    now += 1_000;
    await write(file, 'back\n');
    const lines = content('disk/a.log').split('\n');
    const whole = lines.filter((text) => text.length === 999).length;
    const lost = Number(/(\d+) lines were lost here: ENOSPC/.exec(lines.at(-3) ?? '')?.[1]);
    expect([whole + lost, lines.at(-2), lines.at(-1)]).toEqual([101, 'back', '']);
  } finally {
    for (const file of opened.splice(0)) await new Promise<void>((resolve) => { file.once('close', resolve).destroy(); file.end(); });
    execFileSync('umount', ['-l', disk]);
  }
});

test('two workers, time and number: each line has its own prefix; a character is not cut, a line of 3 MiB comes in pieces', async () => {
  const file = logFile();
  const output = new StderrOutput(file);
  const workers = [new PassThrough(), new PassThrough()];
  workers.forEach((worker, index) => readWorker(worker, () => index + 1, output, { time: true, worker: true }));
  const euro = Buffer.from('€');
  for (const worker of workers) worker.write(Buffer.concat([Buffer.from('a '), euro.subarray(0, 1)]));
  await turn();
  for (const worker of workers) worker.write(Buffer.concat([euro.subarray(1), Buffer.from('\nb')]));
  await turn();
  const long = Buffer.from('€'.repeat(2 ** 20));
  for (let at = 0; at < long.length; at += 65_536) {
    workers[0]?.write(long.subarray(at, at + 65_536));
    await turn();
  }
  await Promise.all(workers.map((worker) => new Promise((resolve) => { worker.once('close', resolve).end(); })));
  await new Promise<void>((resolve) => { file.end(resolve); });
  opened.length = 0;
  const lines = content().split('\n');
  expect(lines.every((line) => line === '' || /^\d{4}-\d\d-\d\dT[\d:.]{12}Z \[[12]\] /.test(line))).toBe(true);
  expect(lines.filter((line) => line.endsWith('] a €'))).toHaveLength(2);
  expect(content()).not.toContain('\ufffd');
  expect(lines.map((line) => (line.match(/€/g) ?? []).length).reduce((sum, count) => sum + count)).toBe(2 + 2 ** 20);
  expect(lines.filter((line) => line.length > 300_000).length).toBeGreaterThanOrEqual(2);
});

test('a disk that is slow: the workers wait, this process holds a bounded amount', async () => {
  const file = logFile();
  let release = (): void => undefined;
  file._writev = (_chunks, done) => { release = done; };
  file._write = (_chunk, _encoding, done) => { release = done; };
  const worker = new PassThrough();
  readWorker(worker, () => 1, new StderrOutput(file), { time: false, worker: false });
  for (let count = 0; count < 100; count++) worker.write(`${'x'.repeat(65_535)}\n`);
  for (let turns = 0; turns < 200; turns++) await turn();
  expect(worker.isPaused()).toBe(true);
  expect(file.writableLength).toBeLessThan(1.2 * 2 ** 20);
  for (let turns = 0; turns < 400; turns++) {
    const once = release;
    release = () => undefined;
    once();
    await turn();
  }
  expect([worker.isPaused(), worker.readableLength]).toEqual([false, 0]);
});

test('followers get what is written after the last lines, each line once', async () => {
  const file = logFile();
  await write(file, 'one\ntwo\n');
  file.write('three\n');
  const seen = file.lastLines(10);
  const stop = file.follow((line) => seen.push(line));
  await write(file, 'four\nfive\n');
  stop();
  await write(file, 'six\n');
  expect(seen).toEqual(['one', 'two', 'three', 'four', 'five']);
});

test('the last lines of a file: fewer than there are, more than there are, none, longer than a block', () => {
  const file = path.join(directory, 'b');
  expect(readLastLines(file, 3)).toEqual([]);
  writeFileSync(file, `${'é'.repeat(100_000)}\n1\n2\n\n4`);
  expect(readLastLines(file, 3)).toEqual(['2', '', '4']);
  expect(readLastLines(file, 100).map((line) => line.length)).toEqual([100_000, 1, 1, 0, 1]);
  expect([readLastLines(file, 0), readLastLines(file, 1, 200_003)]).toEqual([[], ['1']]);
});

test('prefixes', () => {
  expect(String(prefixed(Buffer.from('a\n\nb\n'), '> '))).toBe('> a\n> \n> b\n');
  expect(String(prefixed(Buffer.from('a\nb'), '> '))).toBe('> a\n> b\n');
  expect(String(prefixed(Buffer.from('a'), ''))).toBe('a\n');
});
