/** The exports of a recording, of a mean one, and the diagram of internal/README.md, which is one of them. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { EXPORTS } from '../../internal/recording/exports/index';
import type { MessageEvent, RecordedEvent } from '../../internal/recording/format';
import { readRecording } from '../../internal/recording/read';
import { cleanEnvironment, fixture } from '../support/children';
import { parts, textOf } from '../support/documents';
import '../support/leaks';
import { dist, root, run } from '../support/program';
import { header, smallRecording, waitingRecording } from '../page/recordings';

const directory = mkdtempSync(path.join(tmpdir(), 'recording-exports-'));
afterAll(() => rmSync(directory, { recursive: true }));
const dissector = path.join(root, 'internal/recording/cluster_internals.lua');

async function exported(file: string, to: keyof typeof EXPORTS): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of EXPORTS[to](await readRecording(file))) pieces.push(Buffer.from(piece));
  return Buffer.concat(pieces);
}

const write = (name: string, events: readonly object[]): string => {
  const file = path.join(directory, name);
  writeFileSync(file, [header({ events: events.length }), ...events].map((one) => `${JSON.stringify(one)}\n`).join(''));
  return file;
};

/** A text that ends strings, lines, statements, tags and terminals. */
const HOSTILE = 'a";\n#</script><img src=x onerror=alert(1)>\x1b[2J\u2028\u202e%s`${x}`--> end\r\0';

/** Every text of every event is hostile. */
function hostile(value: unknown, key = ''): unknown {
  if (typeof value === 'string') return ['kind', 'way', 'event', 'of', 'dialect', 'encoding', 'tag', 'name', 'id', 'from', 'to', 'role'].includes(key) ? value : HOSTILE;
  if (Array.isArray(value)) return value.map((one) => hostile(one));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, hostile(one, name)]));
}

const small = smallRecording();
let whole = '';
let mean = '';
beforeAll(() => {
  whole = write('small.jsonl', small.events);
  // Names are hostile, too, but consistent.
  const texts = small.events.map((event) => JSON.stringify(hostile(event)).replaceAll('"W2"', JSON.stringify(HOSTILE)));
  mean = write('mean.jsonl', texts.map((text) => JSON.parse(text) as object));
});

test('text: a line for each event, and no control character of a message reaches the terminal', async () => {
  const lines = (await exported(whole, 'text')).toString().trimEnd().split('\n').filter((line) => !line.startsWith('#'));
  expect(lines).toHaveLength(small.events.length);
  expect(lines.find((line) => line.includes('newconn'))).toMatch(/^ +\d+\.\d{3} ms {2}P {3}→ W\d {2}newconn /);
  const text = (await exported(mean, 'text')).toString();
  expect(text.split('\n').filter((line) => !line.startsWith('#'))).toHaveLength(small.events.length + 1);
  expect(text).not.toMatch(/[\0-\x09\x0b-\x1f\x7f\u2028\u202e]/);
});

describe('mermaid', () => {
  const STATEMENT = /^ {4}(?:(?:actor|participant|create participant) \w+(?: as [^;"#<>]*(?:#\d+;[^;"#<>]*)*)?|destroy \w+|\w+(?:->>|-x|--x)\w+: [^;"#<>]*(?:#\d+;[^;"#<>]*)*|Note over \w+: [^;"#<>]*(?:#\d+;[^;"#<>]*)*)$/;

  test.each(['whole', 'mean'])('each line is a statement that Mermaid knows (%s)', async (which) => {
    const [first, ...lines] = (await exported(which === 'whole' ? whole : mean, 'mermaid')).toString().trimEnd().split('\n');
    expect(first).toBe('sequenceDiagram');
    for (const line of lines) expect(line).toMatch(STATEMENT);
    const known = new Set(lines.flatMap((line) => /^ {4}(?:actor|participant|create participant) (\w+)/.exec(line)?.[1] ?? []));
    for (const line of lines) for (const name of /^ {4}(\w+)(?:->>|-x|--x)(\w+):/.exec(line)?.slice(1) ?? []) expect(known, line).toContain(name);
  });

  test('participants are created by fork and destroyed by their end', async () => {
    const text = (await exported(whole, 'mermaid')).toString();
    expect(text.match(/create participant W\d as worker \d\n {4}P->>W\d: fork/g)).toHaveLength(2);
    expect(text).toContain('    destroy W2\n    W2--xP: killed by SIGKILL\n');
    // The hand-off to the worker that was killed never arrived.
    expect(text).toMatch(/P-xW2: newconn .* c2\n[^]*reclaimed from W2[^]*P->>W1: newconn .* c2\n/);
  });
});

describe('perfetto', () => {
  interface TraceEvent { ph: string; name: string; pid: number; tid: number; ts?: number; dur?: number; id?: string; cat?: string; args?: Record<string, unknown> }
  test.each(['whole', 'mean'])('it is what the format of Chrome trace events says (%s)', async (which) => {
    const trace = JSON.parse((await exported(which === 'whole' ? whole : mean, 'perfetto')).toString()) as { traceEvents: TraceEvent[]; displayTimeUnit: string };
    expect(trace.displayTimeUnit).toBe('ms');
    const spans = new Map<string, number>();
    const arrows = new Set<string>();
    for (const event of trace.traceEvents) {
      const { ph, name, pid, tid, ts, dur, id, cat } = event;
      expect([typeof name, Number.isInteger(pid), Number.isInteger(tid)], JSON.stringify(event)).toEqual(['string', true, true]);
      expect(name).not.toMatch(/[\0-\x1f\u202e]/);
      if (ph !== 'M') expect(ts).toBeGreaterThanOrEqual(0);
      const span = `${cat} ${id} ${name} ${pid}`;
      switch (ph) {
        case 'M': expect(['process_name', 'process_sort_index', 'thread_name']).toContain(name); break;
        case 'X': expect(dur).toBeGreaterThanOrEqual(0); break;
        case 'C': for (const value of Object.values(event.args ?? {})) expect(typeof value).toBe('number'); break;
        case 'i': case 'n': break;
        case 'b': spans.set(span, (spans.get(span) ?? 0) + 1); break;
        case 'e': spans.set(span, (spans.get(span) ?? 0) - 1); expect(spans.get(span)).toBeGreaterThanOrEqual(0); break;
        case 's': arrows.add(id ?? ''); break;
        case 'f': expect(arrows.has(id ?? '')).toBe(true); break;
        default: throw new Error(`an unknown phase: ${ph}`);
      }
    }
    expect([...spans.values()].every((open) => open === 0)).toBe(true);
    expect([spans.size > 0, arrows.size > 0]).toEqual([true, true]);
  });
});

test('what waits in the kernel is a counter for each socket in Perfetto, and a line of text', async () => {
  const file = write('waiting.jsonl', waitingRecording().events);
  const trace = JSON.parse((await exported(file, 'perfetto')).toString()) as { traceEvents: { ph: string; name: string; id?: string; ts?: number; args: object }[] };
  expect(trace.traceEvents.filter(({ name }) => name.startsWith('accept queue')).map(({ ph, name, id, ts, args }) => [ph, name, id, ts, args])).toEqual([
    ['C', 'accept queue of [::]:8000', '7', 25_000, { waiting: 3 }], ['C', 'accept queue of [::]:8001', '8', 27_000, { waiting: 1 }], ['C', 'accept queue of [::]:8000', '7', 29_000, { waiting: 0 }],
  ]);
  expect((await exported(file, 'text')).toString()).toMatch(/ 25\.000 ms {2}kernel +connections at \[::\]:8000 that nobody has accepted yet: 3 {2}socket 7\n/);
  expect((await exported(file, 'mermaid')).toString()).not.toContain('kernel');
});

test('a pause of a worker under `scheduling: shared` has its reason in every export that has states', async () => {
  const state = (at: number, from: string, to: string, why?: string) => ({ at: at * 1e6, pid: 2, name: 'W1', role: 'worker', worker: 1, seq: at, kind: 'state', of: 'acceptor', what: 'W1 at 127.0.0.1:8000', from, to, ...(why === undefined ? {} : { why }) });
  const { header } = waitingRecording();
  const file = write('pauses.jsonl', [header, state(1, 'accepting', 'paused', 'quota'), state(2, 'paused', 'accepting', 'ro\u001bom'), state(3, 'accepting', 'closed')]);
  const text = (await exported(file, 'text')).toString();
  expect(text).toMatch(/W1 +acceptor W1 at 127\.0\.0\.1:8000: accepting → paused \(quota\)/);
  expect(text).toContain('paused → accepting (ro?om)');
  expect(text).toMatch(/accepting → closed$/m);
  expect((await exported(file, 'mermaid')).toString()).toContain('paused (quota)');
  const { traceEvents } = JSON.parse((await exported(file, 'perfetto')).toString()) as { traceEvents: { name: string }[] };
  expect(traceEvents.map(({ name }) => name)).toContain('acceptor W1 at 127.0.0.1:8000: paused (quota)');
});

describe('pcapng', () => {
  /** Reads the blocks of a file, each with its body. */
  function blocksOf(bytes: Buffer): { type: number; body: Buffer }[] {
    const blocks: { type: number; body: Buffer }[] = [];
    for (let at = 0; at < bytes.length;) {
      const length = bytes.readUInt32LE(at + 4);
      expect([length % 4, bytes.readUInt32LE(at + length - 4)]).toEqual([0, length]);
      blocks.push({ type: bytes.readUInt32LE(at), body: bytes.subarray(at + 8, at + length - 4) });
      at += length;
    }
    return blocks;
  }

  test.each(['whole', 'mean'])('blocks with the lengths that they say, a packet for each message (%s)', async (which) => {
    const [section, nic, ...packets] = blocksOf(await exported(which === 'whole' ? whole : mean, 'pcapng'));
    expect([section?.type, nic?.type, nic?.body.readUInt16LE(0)]).toEqual([0x0a0d0d0a, 1, 147]);
    const sent = small.events.filter((event) => event['kind'] === 'message' && event['way'] === 'sent');
    expect(packets.map(({ type }) => type)).toEqual(sent.map(() => 6));
    const [first] = packets;
    const at = (BigInt(first?.body.readUInt32LE(4) ?? 0) << 32n) + BigInt(first?.body.readUInt32LE(8) ?? 0);
    expect(at).toBe(BigInt(Date.parse(String(header()['started']))) * 1_000_000n + BigInt(Number(sent[0]?.['at'])));
  });
});

// ── real recordings ─────────────────────────────────────────────────────────────────────────────

describe('recordings of a program with one worker and one connection', () => {
  const files = { ours: '', stock: '', advanced: '' };
  beforeAll(async () => {
    for (const which of ['ours', 'stock', 'advanced'] as const) {
      files[which] = path.join(directory, `${which}.jsonl`);
      const flags = which === 'stock' ? ['--stock'] : [];
      const { code, stderr } = await run(dist('lib/cli.js'), { args: ['record', '-o', files[which], ...flags, fixture('recording_diagram.js'), which], env: cleanEnvironment() });
      expect([code, stderr]).toEqual([0, expect.stringMatching(/ events of 2 processes\n$/)]);
    }
  });

  async function sent(file: string): Promise<MessageEvent[]> {
    const all: RecordedEvent[] = [];
    for await (const event of (await readRecording(file)).events) all.push(event);
    return all.filter((event): event is MessageEvent => event.kind === 'message' && event.way === 'sent');
  }

  test('tshark shows the messages in both dialects and both encodings, with their fields', async () => {
    if (spawnSync('tshark', ['--version']).error !== undefined) {
      console.warn('NOT TESTED: pcapng with tshark, which is not installed (apt-get install tshark).');
      return;
    }
    const FIELDS = ['act', 'from', 'to', 'dialect', 'encoding', 'tag', 'fd', 'bytes', 'seq', 'length', 'connection'];
    for (const which of ['ours', 'stock', 'advanced'] as const) {
      const capture = path.join(directory, `${which}.pcapng`);
      writeFileSync(capture, await exported(files[which], 'pcapng'));
      const shown = execFileSync('tshark', ['-X', `lua_script:${dissector}`, '-r', capture, '-T', 'fields', ...FIELDS.flatMap((name) => ['-e', `cluster.${name}`])], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
      const rows = shown.replace(/\n$/, '').split('\n').map((row) => row.split('\t'));
      const expected = await sent(files[which]);
      expect(rows.map(([act, from, to, dialect, encoding]) => [act, from, to, dialect, encoding])).toEqual(expected.map(({ act, carries, from, to, dialect, encoding }) => (
        [carries === undefined ? act : `${act} [${carries.act}]`, from, to, dialect, encoding])));
      for (const [index, row] of rows.entries()) {
        const { tag, fd, bytes, fields, carries, connection = '' } = expected[index] as MessageEvent;
        const [, , , , encoding, shownTag, shownFd, shownBytes, seq, length, about] = row;
        expect([shownTag, shownFd, shownBytes, about]).toEqual([tag, fd === undefined ? '' : String(fd), String(bytes ?? 0), connection]);
        const inner = carries?.fields ?? fields;
        if (encoding === 'json' && typeof inner?.['seq'] === 'number') expect(Number(seq)).toBe(inner['seq']);
        if (encoding === 'advanced') expect(Number(length)).toBe(Number(bytes) - 4);
      }
    }
  });

  test('the wire of an `advanced` frame is in the recording, byte for byte', async () => {
    for (const { wire, bytes, encoding } of await sent(files.advanced)) expect([encoding, Buffer.from(wire ?? '', 'base64').length]).toEqual(['advanced', bytes]);
  });

  test('the sequence diagram of internal/README.md is the mermaid export of such a recording', async () => {
    const made = (await exported(files.ours, 'mermaid')).toString();
    const shown = parts(textOf('internal/README.md')).blocks.find(({ language, code }) => language === 'mermaid' && code.startsWith('sequenceDiagram'))?.code ?? '';
    // Numbers of ports, fds and bytes differ from run to run, and so does the order of what two processes do at the same time.
    const steady = (text: string): string[] => text.trimEnd().split('\n').filter((line) => !line.includes('event loop was blocked')).map((line) => line.replace(/\b(fd|port) \d+/g, '$1 N').replace(/\d+ bytes in, \d+ out/, 'N bytes in, N out'));
    const by = (lines: readonly string[], who: RegExp): string[] => lines.filter((line) => who.test(line));
    for (const who of [/^ {4}(?:P(?:->>|-x|--x)|Note over P:)/, /^ {4}(?:W1(?:->>|-x|--x)P|Note over W1:)/]) expect(by(steady(shown), who)).toEqual(by(steady(made), who));
    expect(steady(shown).sort()).toEqual(steady(made).sort());
  });
});
