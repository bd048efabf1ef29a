/** Part files, their ring, full disks; reading recordings of any kind; what is hidden. */
import { execFileSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { appendFileSync, createWriteStream, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import type { RecordedEvent } from '../../internal/recording/format';
import { readParts } from '../../internal/recording/merge';
import { PartFile } from '../../internal/recording/part_file';
import { readRecording } from '../../internal/recording/read';
import { show } from '../../internal/recording/redact';
import type { FrameTrace } from '../../internal/trace';
import '../support/leaks';
import { dist } from '../support/program';
import { header, smallRecording } from '../page/recordings';

// The framing loads one of its forms by `require`, as only compiled code can.
const load = createRequire(__filename);
const { codecFor } = load(dist('internal/channel/framing.js')) as typeof import('../../internal/channel/framing');
const { channelFields, receivedFields, sentFields } = load(dist('internal/recording/frame_lines.js')) as typeof import('../../internal/recording/frame_lines');

const directory = mkdtempSync(path.join(tmpdir(), 'recording-files-'));
afterAll(() => rmSync(directory, { recursive: true }));

const head = (first: number, at: number): string => JSON.stringify({ k: 'S', t: 0, seq: first, at, pid: process.pid, parent: 1, worker: null, node: 'v20', argv: [] });
const bytesIn = (place: string): number => readdirSync(place).reduce((sum, name) => sum + statSync(path.join(place, name)).size, 0);

function eventsIn(place: string): RecordedEvent[] {
  const events: RecordedEvent[] = [];
  readParts(place, (event) => void events.push(event));
  return events;
}

/** Writes lines of about 100 bytes. */
function fill(part: PartFile, count: number): void {
  for (let index = 0; index < count; index++) part.add('t', index, `,"w":"W1","f":"${'x'.repeat(60)}","o":"${index}"`);
  part.flush();
}

describe('the part file of a process', () => {
  test('few events are on the disk at once, without a flush', () => {
    const place = path.join(directory, 'few');
    mkdirSync(place);
    const part = new PartFile(place, 1e6, 0, head);
    part.add('l', 1, ',"busy":0,"delay":0');
    expect(eventsIn(place).map(({ kind }) => kind)).toEqual(['process', 'loop']);
  });

  // Node calls nothing of ours after the 'exit' listeners of a process that ends by itself: what was joined meanwhile was lost.
  test('events while the process ends are on the disk at once, also in a flood', () => {
    const place = path.join(directory, 'ends');
    mkdirSync(place);
    const part = new PartFile(place, 1e6, 0, head);
    for (let at = 0; at < 100; at++) part.add('l', 1, ',"busy":0,"delay":0');
    const node = process as unknown as { _exiting: boolean };
    node._exiting = true; // As Node does before it emits 'exit'.
    try {
      for (let at = 0; at < 3; at++) part.add('l', 2, ',"busy":0,"delay":0');
    } finally {
      node._exiting = false;
    }
    expect(eventsIn(place).length).toBe(1 + 103);
  });

  test('a flood in one long turn: what is older than 5 ms is on the disk, and so is everything soon after its end', async () => {
    const place = path.join(directory, 'flood');
    mkdirSync(place);
    const part = new PartFile(place, 1e8, 0, head);
    const onDisk = (): number => eventsIn(place).at(-1)?.at ?? -1;
    const STEP = 100_000;
    let reads = 0;
    for (let at = STEP; at <= 4000 * STEP; at += STEP) {
      part.add('l', at, ',"busy":0,"delay":0');
      if (at % (97 * STEP) !== 0) continue;
      reads++;
      expect(at - onDisk()).toBeLessThanOrEqual(5_000_000);
    }
    expect(reads).toBeGreaterThan(40);
    // It has written some hundred times fewer than there are lines; the timer writes the last ones.
    expect(part.isFlooded).toBe(true);
    const deadline = performance.now() + 10_000;
    while (onDisk() < 4000 * STEP && performance.now() < deadline) await new Promise((resolve) => setImmediate(resolve));
    expect(onDisk()).toBe(4000 * STEP);
  });

  test('a flood in one moment: not more than 64 KB wait in memory', () => {
    const place = path.join(directory, 'moment');
    mkdirSync(place);
    const part = new PartFile(place, 1e8, 0, head);
    const line = `,"w":"W1","f":"${'x'.repeat(60)}","o":"to"`;
    for (let count = 0; count < 5000; count++) part.add('t', 1, line);
    expect(5000 * line.length - bytesIn(place)).toBeLessThan(65_536);
  });

  test('the times of the lines are right in every segment, though each is written as the distance from the one before', () => {
    const place = path.join(directory, 'times');
    mkdirSync(place);
    const part = new PartFile(place, 256 << 10, 7, head);
    const COUNT = 9000;
    for (let index = 1; index <= COUNT; index++) part.add('t', index * 1000 + (index % 7), `,"w":"W1","f":"${'x'.repeat(60)}","o":"${index}"`);
    part.flush();
    expect(readdirSync(place).length).toBeGreaterThan(2);
    const states = eventsIn(place).filter((event) => event.kind === 'state');
    expect(states.length).toBeLessThan(COUNT);
    for (const { at, to } of states) expect(at).toBe(Number(to) * 1000 + (Number(to) % 7));
  });

  test('a ring: all parts together stay within the limit, the newest events are there, and the rest is counted', () => {
    const place = path.join(directory, 'ring');
    mkdirSync(place);
    const limit = 256 << 10;
    const part = new PartFile(place, limit, 0, head);
    for (let round = 0; round < 20; round++) {
      fill(part, 1000);
      expect(bytesIn(place)).toBeLessThanOrEqual(limit + 2 * 65_536);
    }
    const events = eventsIn(place);
    const gap = events.find((event) => event.kind === 'gap');
    const states = events.filter((event) => event.kind === 'state');
    expect(gap).toMatchObject({ why: 'ring', missing: 20_000 - states.length });
    expect(states.at(-1)).toMatchObject({ to: '999', seq: 20_000 });
    expect(events.filter(({ kind }) => kind === 'process')).toHaveLength(1);
  });

  test('the last line was cut off in the middle: it is a gap, and all before it is there', () => {
    const place = path.join(directory, 'torn');
    mkdirSync(place);
    fill(new PartFile(place, 1e6, 0, head), 10);
    const [file = ''] = readdirSync(place);
    const text = readFileSync(path.join(place, file), 'utf8');
    writeFileSync(path.join(place, file), text.slice(0, -20));
    expect(eventsIn(place).map(({ kind }) => kind)).toEqual(['process', ...Array.from({ length: 9 }, () => 'state'), 'gap']);
  });

  test('a part that grows while it is read: a line that the first pass has not seen is left to the next reading', () => {
    const place = path.join(directory, 'growing');
    mkdirSync(place);
    fill(new PartFile(place, 1e6, 0, head), 2);
    const [name = ''] = readdirSync(place);
    const exits = (grow: boolean): unknown[] => {
      const found: unknown[] = [];
      let isFirst = grow;
      readParts(place, (event) => {
        if (isFirst) appendFileSync(path.join(place, name), '{"k":"x","t":9,"code":0}\n');
        isFirst = false;
        if (event.kind === 'process' && event.event === 'exit') found.push(event.code);
      });
      return found;
    };
    // `watch` once showed an exit without its code, because only the second pass had seen the line.
    expect(exits(true)).toEqual([]);
    expect(exits(false)).toEqual([0]);
  });

  test('a directory that cannot be written: nothing is thrown', () => {
    const part = new PartFile('/proc/nothing', 1e6, 0, head);
    expect(() => fill(part, 100)).not.toThrow();
  });

  test('a full disk: the process goes on, and its part says that it is cut off', () => {
    const place = path.join(directory, 'full');
    mkdirSync(place);
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'none', place], { stdio: 'ignore' });
    } catch {
      console.warn('NOT TESTED: a full disk. Only root may mount a small file system.');
      return;
    }
    try {
      const part = new PartFile(place, 1e9, 0, head);
      expect(() => fill(part, 10_000)).not.toThrow();
      expect(() => fill(part, 10)).not.toThrow();
      const events = eventsIn(place);
      const states = events.filter(({ kind }) => kind === 'state').length;
      expect(states).toBeGreaterThan(500);
      expect(events.find((event) => event.kind === 'process' && event.event === 'cut off')).toMatchObject({ reason: expect.stringMatching(/^ENOSPC: no space left/) });
      const gap = events.findLast((event) => event.kind === 'gap');
      expect(gap).toMatchObject({ why: 'cut off', missing: expect.any(Number) });
      // The times are 0, 1, 2, …
      expect(gap?.at).toBe(states + (gap?.missing ?? 0) - 1);
    } finally {
      // The part file is still open.
      execFileSync('umount', ['-l', place]);
    }
  });
});

describe('reading a recording', () => {
  const write = (name: string, text: string): string => {
    const file = path.join(directory, name);
    writeFileSync(file, text);
    return file;
  };
  const all = async (file: string): Promise<RecordedEvent[]> => {
    const events: RecordedEvent[] = [];
    for await (const event of (await readRecording(file)).events) events.push(event);
    return events;
  };
  const small = smallRecording();
  const lines = [header({ events: small.events.length }), ...small.events].map((one) => JSON.stringify(one));

  test('a whole one', async () => {
    expect(await all(write('whole.jsonl', `${lines.join('\n')}\n`))).toEqual(small.events);
  });

  test('one that is cut off: all events before the end, then a gap', async () => {
    const text = lines.join('\n');
    const events = await all(write('cut.jsonl', text.slice(0, -30)));
    expect(events.slice(0, -1)).toEqual(small.events.slice(0, -1));
    expect(events.at(-1)).toMatchObject({ kind: 'gap', why: 'file cut off' });
  });

  test.each([
    ['of another version', JSON.stringify(header({ version: 2 })), 'ERR_RECORDING_VERSION', /version 2; this program reads version 1/],
    ['with a damaged header', JSON.stringify(header({ processes: 'none' })), 'ERR_RECORDING_FORMAT', /damaged/],
    ['that is no recording', '{"a":1}', 'ERR_RECORDING_FORMAT', /is no recording/],
    ['that is no JSON', '\x7fELF\0\0', 'ERR_RECORDING_FORMAT', /is no recording/],
    ['that is empty', '', 'ERR_RECORDING_FORMAT', /is no recording/],
  ])('one %s is refused', async (_name, text, code, message) => {
    await expect(readRecording(write('bad.jsonl', `${text}\n`))).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
  });

  test('one of another release is read, with a note that its source lines may be other lines here', async () => {
    const notesOf = async (more: object): Promise<readonly string[]> => (await readRecording(write('release.jsonl', `${JSON.stringify(header(more))}\n`))).notes;
    expect(await notesOf({})).toEqual([]);
    expect(await notesOf({ release: '9.9.9 (0123abcd)' })).toEqual([expect.stringMatching(/^This recording was made by another release of this project: 9\.9\.9 \(0123abcd\)\. .* may be other lines\.$/)]);
    // One that was made before recordings had a release, and one whose release would write to the terminal.
    for (const release of [undefined, '\x1b[2J (0123abcd)']) expect((await notesOf({ release }))[0]).toContain('another release of this project: one without a name.');
    // Of Node's own cluster no line is shown.
    expect(await notesOf({ release: '9.9.9 (0123abcd)', stock: true })).toEqual([]);
  });

  test('one that is not there, and a directory without parts', async () => {
    await expect(readRecording(path.join(directory, 'missing'))).rejects.toMatchObject({ code: 'ERR_RECORDING_FILE' });
    await expect(readRecording(tmpdir())).rejects.toMatchObject({ code: 'ERR_RECORDING_FORMAT' });
  });

  test('lines of a later program, and lines that lie about their types, are skipped or become gaps', async () => {
    const [first = ''] = lines;
    const mean = ['{"kind":"tomorrow","at":1,"pid":1,"name":"P","role":"primary","seq":1}', '{"kind":"connection","at":"now"}', '[]', 'null', 'no json', '{"at":1e999,"kind":"loop"}'];
    const events = await all(write('mean.jsonl', `${[first, ...mean, ...lines.slice(1)].join('\n')}\n`));
    expect(events.filter(({ kind }) => kind !== 'gap')).toEqual(small.events);
  });

  test('200 MB are read as a stream', async () => {
    const file = path.join(directory, 'long.jsonl');
    const stream = createWriteStream(file);
    stream.write(`${lines[0]}\n`);
    const event = JSON.stringify({ at: 1, pid: 1, name: 'P', role: 'primary', worker: null, seq: 1, kind: 'state', of: 'worker', what: 'x'.repeat(100_000), from: 'a', to: 'b' });
    for (let index = 0; index < 2000; index++) if (!stream.write(`${event}\n`)) await once(stream, 'drain');
    stream.end();
    await once(stream, 'finish');
    expect(statSync(file).size).toBeGreaterThan(200e6);
    const before = process.memoryUsage().rss;
    let count = 0;
    for await (const one of (await readRecording(file)).events) if (one.kind === 'state') count++;
    expect(count).toBe(2000);
    expect(process.memoryUsage().rss - before).toBeLessThan(150e6);
    rmSync(file);
  });
});

describe('what is hidden', () => {
  const line = (frame: string | Buffer, payloads = false): Record<string, unknown> => {
    const trace: FrameTrace = { channel: 'W"1', dialect: 'pipelined', way: 'sent', frame };
    return JSON.parse(`{"k":"s"${sentFields(trace, channelFields(trace), 0, payloads)}}`) as Record<string, unknown>;
  };

  test.each(['json', 'advanced'] as const)('%s: cluster messages as they are, without data; messages of the app only with payloads', (form) => {
    const codec = codecFor(form);
    const encode = (message: unknown): string | Buffer => codec.whole(codec.encode(message, 'plain'));
    const plain = { cmd: 'NODE_CLUSTER', act: 'close', key: 'a"b\\', seq: 1 };
    expect(line(encode(plain))).toMatchObject({ c: 'W"1', m: plain });
    expect(line(encode({ ...plain, data: null }))['m']).toEqual({ ...plain, data: null });
    for (const data of [{ keys: 'secret' }, 'secret', ['secret'], { data: null, keys: 'secret' }]) {
      const shown = line(encode({ ...plain, data }));
      expect([shown['m'], shown['r'], JSON.stringify(shown).includes('secret'), shown['x']]).toEqual([{ ...plain, data: '[redacted]' }, ['data'], false, undefined]);
    }
    for (const message of ['secret', { secret: 1 }, { cmd: 'secret', x: '"NODE_' }, ['"cmd":"NODE_'], { cmd: 'NODE_SHARED', value: 'secret' }, { cmd: 'NODE_HANDLE', type: 'net.Socket', msg: { secret: 1 } }]) {
      expect(JSON.stringify(line(encode(message)))).not.toContain('secret');
      expect(JSON.stringify(line(encode(message), true)['m'])).toBe(JSON.stringify(message));
    }
    expect(line(encode({ secret: 'x'.repeat(100_000) }), true)['m']).toBeUndefined();
  });

  test('what cannot be written as JSON, and what is no frame at all', () => {
    expect(show({ big: 1n }, true).json).toBeNull();
    expect(line('{"cmd":"NODE_').m).toBeUndefined();
    expect(line(Buffer.from([0, 0, 0, 9, 1])).m).toBeUndefined();
    expect(line('').b).toBe(0);
  });

  test('a received message gives its names and numbers only', () => {
    const received = (message: unknown): unknown => {
      const trace: FrameTrace = { channel: 'W1', dialect: 'node', way: 'received', message, tag: 'plain' };
      return (JSON.parse(`{"k":"r"${receivedFields(trace, channelFields(trace), 0)}}`) as Record<string, unknown>)['m'];
    };
    expect(received({ cmd: 'NODE_CLUSTER', act: 'newconn', key: 'k', seq: 3, data: 'secret' })).toEqual({ cmd: 'NODE_CLUSTER', act: 'newconn', seq: 3 });
    expect(received({ cmd: 'NODE_HANDLE', msg: { cmd: 'NODE_CLUSTER', act: '"\n', ack: 2, upTo: Infinity, seq: -1 } })).toEqual({ cmd: 'NODE_HANDLE', msg: { cmd: 'NODE_CLUSTER', act: '"\n', ack: 2 } });
    for (const message of [null, 'secret', 1, { secret: 1 }, { cmd: { a: 1 } }]) expect(received(message)).toBeUndefined();
    let nested: object = {};
    for (let depth = 0; depth < 100_000; depth++) nested = { cmd: 'NODE_HANDLE', msg: nested };
    expect(received(nested)).toEqual({ cmd: 'NODE_HANDLE', msg: { cmd: 'NODE_HANDLE' } });
  });
});
