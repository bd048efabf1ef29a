/**
 * `cluster-internals record`: unmodified programs, on our cluster and on Node's own, and programs that make it hard. Each
 * program is started once; the tests look at its recording.
 */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ConnectionEvent, MessageEvent, ProcessEvent, RecordedEvent, RecordingHeader } from '../../internal/recording/format';
import { readRecording } from '../../internal/recording/read';
import { release } from '../../internal/recording/sources';
import { cleanEnvironment, fixture } from '../support/children';
import '../support/leaks';
import { dist, Program, run, type Ended } from '../support/program';

const directory = mkdtempSync(path.join(tmpdir(), 'recording-'));
afterAll(() => rmSync(directory, { recursive: true }));

interface Read {
  readonly ended: Ended;
  readonly header: RecordingHeader;
  readonly events: RecordedEvent[];
  readonly text: string;
}

async function recorded(file: string, flags: readonly string[], program: readonly string[]): Promise<Read> {
  const target = path.join(directory, file);
  const ended = await run(dist('lib/cli.js'), { args: ['record', '-o', target, ...flags, ...program], env: cleanEnvironment() });
  const { header, events } = await readRecording(target);
  const all: RecordedEvent[] = [];
  for await (const event of events) all.push(event);
  return { ended, header, events: all, text: readFileSync(target, 'utf8') };
}

const messages = ({ events }: Read): MessageEvent[] => events.filter((event) => event.kind === 'message');
const connections = ({ events }: Read): ConnectionEvent[] => events.filter((event) => event.kind === 'connection');
const of = (read: Read, name: string): RecordedEvent[] => read.events.filter((event) => event.name === name && event.derived !== true);

/** What must hold of every recording. */
function holds(read: Read): void {
  const { header, events } = read;
  expect(events.length).toBe(header.events);
  for (const [index, event] of events.entries()) expect(event.at, `event ${index}`).toBeGreaterThanOrEqual(events[index - 1]?.at ?? 0);
  for (const { name, missing } of header.processes) {
    const numbers = new Set(of(read, name).map(({ seq }) => seq));
    expect(missing).toBe(0);
    expect([...numbers], `the numbers of ${name}`).toEqual([...numbers.keys()].map((_, index) => index));
  }
  // What was received was sent before, by the process that the receiver names.
  const sent = new Map(messages(read).filter(({ way }) => way === 'sent').map((event) => [event.id, event]));
  for (const event of messages(read).filter(({ way, derived }) => way === 'received' && derived !== true)) {
    const from = sent.get(event.id);
    expect(from, event.id).toBeDefined();
    expect([from?.from, from?.to, from?.act, from?.fields]).toEqual([event.from, event.to, event.act, event.fields]);
    expect(from?.at).toBeLessThanOrEqual(event.at);
  }
}

describe('our cluster, a program with NODE_OPTIONS and a working directory of its own', () => {
  let read: Read;
  beforeAll(async () => { read = await recorded('ours.jsonl', [], [fixture('recording_app.js'), 'die']); });

  test('the program runs as without a recorder, and its exit code is that of record', () => {
    expect(read.ended.code).toBe(7);
    const answers = JSON.parse(read.ended.stdout) as string[];
    // Two processes answer; the second one was killed before it could.
    expect(answers.map((answer) => answer.replace(/ \d+ /, ' '))).toEqual(['1 true', '', expect.stringMatching(/^[13] true$/)]);
    expect(existsSync(path.join(directory, 'ours.jsonl.parts'))).toBe(false);
    expect(statSync(path.join(directory, 'ours.jsonl')).mode & 0o777).toBe(0o600);
  });

  test('every event has its place: times, numbers, senders and receivers', () => holds(read));

  test('each worker is recorded from `online` on, also the one that was forked later', () => {
    expect(read.header.release).toBe(release());
    expect(read.header.processes.map(({ name, role, recorded: own }) => [name, role, own])).toEqual([['P', 'primary', true], ['W1', 'worker', true], ['W2', 'worker', true], ['W3', 'worker', true]]);
    for (const name of ['W1', 'W2', 'W3']) {
      const first = messages(read).find((event) => event.from === name);
      expect([first?.act, first?.way, first?.bytes, first?.dialect]).toEqual(['online', 'sent', 46, 'pipelined']);
    }
  });

  test('a connection has one id from accept to close, through all processes', () => {
    const path = connections(read).filter(({ connection }) => connection === 'c1');
    expect(path.filter(({ name }) => name === 'P').map(({ event, queue, inFlight }) => [event, queue, inFlight])).toEqual([['queued', 1, 0], ['handed off', 0, 1], ['acknowledged', 0, 0]]);
    expect(path.filter(({ name }) => name === 'W1').map(({ event, by }) => [event, by])).toEqual([['delivered', undefined], ['opened', undefined], ['closed', 'worker']]);
    expect(path.find(({ event }) => event === 'opened')?.client).toMatch(/^\[::ffff:127\.0\.0\.1\]:\d+$/);
    const newconn = messages(read).filter(({ act, connection }) => act === 'newconn' && connection === 'c1');
    expect(newconn.map(({ way, tag, fd }) => [way, tag, typeof fd])).toEqual([['sent', 'H', 'number'], ['received', 'H', 'number']]);
    const accepted = messages(read).filter(({ act, connections: all }) => act === 'accepted' && all?.includes('c1'));
    expect(accepted.map(({ way }) => way)).toEqual(['sent', 'received']);
  });

  test('a worker that is killed inside its connection listener: what it did until then is there, and how it ended', () => {
    const last = of(read, 'W2').at(-1) as ConnectionEvent;
    expect([last.kind, last.event, last.connection]).toEqual(['connection', 'delivered', 'c2']);
    const ends = read.events.filter((event): event is ProcessEvent => event.kind === 'process' && event.event === 'exit' && event.name === 'W2');
    expect(ends.map(({ signal, code, seenBy }) => [signal, code, seenBy])).toEqual([['SIGKILL', null, 'parent']]);
    expect(connections(read).filter(({ connection, event }) => connection === 'c2' && event === 'closed').map(({ by, derived }) => [by, derived])).toEqual([['process ended', true]]);
    expect(read.header.processes.find(({ name }) => name === 'W2')).toMatchObject({ signal: 'SIGKILL', code: null });
  });

  test('secrets: ticket keys and messages of the app are nowhere in the file', () => {
    const queries = messages(read).filter(({ act, redacted }) => act === 'queryServer' && redacted !== undefined);
    expect(queries.length).toBeGreaterThanOrEqual(4);
    for (const { fields, redacted } of queries) expect([fields?.['data'], redacted]).toEqual(['[redacted]', ['data']]);
    expect(read.text).not.toMatch(/ticketKeys|"type":"Buffer"|a message of the app/);
    const ofApp = messages(read).filter(({ app }) => app);
    expect(ofApp.map(({ way, from, to, fields, bytes }) => [way, from, to, fields, bytes])).toEqual([
      ['sent', 'P', 'W1', null, 34], ['received', 'P', 'W1', null, 34], ['sent', 'W1', 'P', null, 40], ['received', 'W1', 'P', null, 40],
    ]);
  });

  test('each message names the line of our source that sends it, and the one that receives it', () => {
    for (const { act, way, source } of messages(read)) expect([act, way, source?.file]).toEqual([act, way, expect.stringMatching(/^internal\/.*\.ts$/)]);
    const sent = messages(read).find(({ act, way }) => act === 'online' && way === 'sent');
    const { file = '', line = 0 } = sent?.source ?? {};
    expect(readFileSync(path.join(dist('..'), file), 'utf8').split('\n')[line - 1]).toContain("act: 'online'");
  });
});

describe("Node's own cluster (--stock)", () => {
  let read: Read;
  beforeAll(async () => { read = await recorded('stock.jsonl', ['--stock', '--payloads'], [fixture('recording_app.js'), 'die']); });

  test('both ends of its channels: the envelope, its acknowledgement, the reply', () => {
    holds(read);
    expect(read.header.stock).toBe(true);
    const ofC1 = messages(read).filter(({ connection }) => connection === 'c1');
    expect(ofC1.map(({ act, way, carries }) => [act, way, carries?.act])).toEqual([
      ['NODE_HANDLE', 'sent', 'newconn'], ['NODE_HANDLE', 'received', 'newconn'], ['reply', 'sent', undefined], ['reply', 'received', undefined],
    ]);
    expect(messages(read).some(({ act, dialect, bytes }) => act === 'NODE_HANDLE_ACK' && dialect === 'node' && bytes === 26)).toBe(true);
    expect(messages(read).every(({ source }) => source === undefined)).toBe(true);
  });

  test('`online` of each worker is there, as derived: it was sent before any recorder could run', () => {
    const online = messages(read).filter(({ act, way }) => act === 'online' && way === 'sent');
    expect(online.map(({ from, derived }) => [from, derived]).sort()).toEqual([['W1', true], ['W2', true], ['W3', true]]);
  });

  test('the header lists what such a recording cannot show, and the guide has the same list', () => {
    expect(read.header.cannotShow.length).toBeGreaterThanOrEqual(5);
    expect(read.header.cannotShow.join()).toMatch(/queue/);
    const guide = readFileSync(path.join(dist('..'), 'lib/README.md'), 'utf8').replace(/\s+/g, ' ');
    for (const one of read.header.cannotShow) expect(guide).toContain(`- ${one} `);
  });

  test('the states of its workers follow from messages and exits', () => {
    const states = read.events.filter((event) => event.kind === 'state' && event.of === 'worker' && event.what === 'W2');
    expect(states.map((event) => (event.kind === 'state' ? event.to : ''))).toEqual(['online', 'listening', 'listening', 'dead']);
  });

  test('--payloads: the messages of the app are recorded with their content', () => {
    const ofApp = messages(read).filter(({ app, way }) => app && way === 'sent');
    expect(ofApp.map(({ fields }) => fields)).toEqual([{ secret: 'a message of the app' }, { answer: 'another message of the app' }]);
    expect(read.text).not.toMatch(/ticketKeys|"type":"Buffer"/);
  });
});

describe('programs and places that make it hard', () => {
  test('a program that ends at once, and one that does not exist: their exit codes, and a recording', async () => {
    const { ended, header } = await recorded('short.jsonl', [], [fixture('recording_ends.js')]);
    expect([ended.code, header.processes.map(({ name, code }) => [name, code])]).toEqual([3, [['P', 3]]]);
    const none = await run(dist('lib/cli.js'), { args: ['record', '-o', path.join(directory, 'none.jsonl'), 'does-not-exist.js'], env: cleanEnvironment() });
    expect([none.code, none.stderr]).toEqual([1, expect.stringContaining('does-not-exist.js')]);
  });

  test('a program that changes `process.argv`, and goes on into a second segment: the recorder does not end it', async () => {
    const { ended, header } = await recorded('argv.jsonl', ['--limit', '256K'], [fixture('recording_argv.js')]);
    expect([ended.code, ended.stdout]).toEqual([0, 'the worker ended with 0\n']);
    expect(header.processes.map(({ name, missing }) => [name, missing > 0])).toEqual([['P', true], ['W1', true]]);
  });

  test('connections that nobody accepts wait in the kernel: how many, as long as the primary is blocked', async () => {
    const read = await recorded('backlog.jsonl', [], [fixture('recording_backlog.js')]);
    expect([read.ended.code, existsSync(`${path.join(directory, 'backlog.jsonl')}.parts`)]).toEqual([0, false]);
    const samples = read.events.filter((event) => event.kind === 'kernel');
    const port = messages(read).find(({ act }) => act === 'listening')?.fields?.['port'];
    expect(new Set(samples.map(({ name, address }) => `${name} ${address}`))).toEqual(new Set([`kernel 127.0.0.1:${String(port)}`]));
    // All five stay until the primary goes on; a look in between may have seen some of them come.
    expect(samples.map(({ waiting }) => waiting).slice(-2)).toEqual([5, 0]);
    expect(read.header.processes.map(({ name }) => name)).toEqual(['P', 'W1']);
  });

  test('no write permission: a clear error, and the program was not started', async () => {
    mkdirSync(path.join(directory, 'a-directory.jsonl'));
    for (const place of ['/proc/recording.jsonl', path.join(directory, 'a-directory.jsonl'), path.join(directory, 'missing/x.jsonl')]) {
      const { code, stderr, stdout } = await run(dist('lib/cli.js'), { args: ['record', '-o', place, fixture('recording_app.js')], env: cleanEnvironment() });
      expect([code, stdout]).toEqual([1, '']);
      expect(stderr).toMatch(new RegExp(`^cluster-internals: Cannot write the recording ${place}: .*Name another file with -o`));
    }
  });

  test('the directory of the parts is deleted while the program runs: the program goes on, and the error says what happened', async () => {
    const target = path.join(directory, 'deleted.jsonl');
    const program = new Program(dist('lib/cli.js'), { args: ['record', '-o', target, fixture('recording_waits.js')], env: cleanEnvironment() });
    const [, pid = ''] = await program.prints(/waits (\d+)/);
    rmSync(`${target}.parts`, { recursive: true });
    process.kill(Number(pid), 'SIGTERM');
    const { code, stderr } = await program.ended;
    expect([code, stderr]).toEqual([1, `cluster-internals: Cannot write the recording ${target}: ${target}.parts, which held its parts, was deleted while the program ran.\n`]);
  });

  test('`record` itself is killed: its parts can be exported', async () => {
    const target = path.join(directory, 'killed.jsonl');
    const program = new Program(dist('lib/cli.js'), { args: ['record', '-o', target, fixture('recording_waits.js')], env: cleanEnvironment() });
    const [, pid = ''] = await program.prints(/waits (\d+)/);
    program.child.kill('SIGKILL');
    // The program has inherited stdout, so it must end before that does.
    process.kill(Number(pid), 'SIGTERM');
    expect((await program.ended).signal).toBe('SIGKILL');
    const { code, stdout } = await run(dist('lib/cli.js'), { args: ['export', `${target}.parts`, '--to', 'text'], env: cleanEnvironment() });
    expect([code, stdout]).toEqual([0, expect.stringMatching(/^# .*recording_waits\.js[^]*\bP +starts\n/)]);
  });
});
