/** How a page is made, without a browser: what it holds, what it takes of a long recording, and what it never reads or writes. */
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Script } from 'node:vm';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { makePage } from '../../internal/page/page';
import { pageScript } from '../../internal/page/script';
import { Sources } from '../../internal/page/sources';
import { pageFile, pageOf, WHOLE, writePage } from '../../internal/page/view';
import { root, run } from '../support/program';
import { HOSTILE, hostile, smallRecording, type MadeRecording } from './recordings';

let directory: string;
beforeAll(() => { directory = mkdtempSync(path.join(tmpdir(), 'cluster-page-files-')); });
afterAll(() => rmSync(directory, { recursive: true }));

async function* each(events: readonly object[]): AsyncGenerator<object> {
  yield* events;
}
const reading = ({ header, events }: MadeRecording): { header: object; events: AsyncIterable<object> } => ({ header, events: each(events) });
const dataOf = (html: string): { scenes: { tracks: { events: { at: number }[]; notes: string[] }[] }[]; notice: string | null; sources: Record<string, string> } =>
  JSON.parse(/<script type="application\/json" id="data">(.*)<\/script>/.exec(html)?.[1] ?? '');

describe('the text of the page', () => {
  test('its policy names the hashes of its one style and its one script, and lets nothing else in', () => {
    const html = makePage({ title: 'x', scenes: [], sources: {} });
    const inside = (name: string, attributes = ''): string => new RegExp(`<${name}${attributes}>([\\s\\S]*?)</${name}>`).exec(html)?.[1] ?? '';
    const hash = (text: string): string => createHash('sha256').update(text).digest('base64');
    const policy = /http-equiv="Content-Security-Policy" content="([^"]*)"/.exec(html)?.[1] ?? '';
    expect(policy).toContain(`script-src 'sha256-${hash(inside('script', ' type="module"'))}'`);
    expect(policy).toContain(`style-src 'sha256-${hash(inside('style'))}'`);
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("connect-src 'none'");
    expect(policy).not.toContain('unsafe');
    expect(html).not.toMatch(/https?:\/\/(?!www\.w3\.org\/2000\/svg)/);
  });

  test('a hostile title and hostile texts stay texts', () => {
    const made = hostile(smallRecording());
    const html = makePage({ title: HOSTILE, scenes: [{ key: 'recording', tracks: [{ label: HOSTILE, ...made, notes: [HOSTILE] }] }], sources: {}, notice: HOSTILE });
    expect(html.match(/<script/g)).toHaveLength(2);
    expect(html.match(/<\/script>/g)).toHaveLength(2);
    expect(html).not.toContain('<img');
    expect(dataOf(html).notice).toBe(HOSTILE);
  });

  test('its modules import only what is there, in no circle', () => {
    expect(pageScript()).toContain('const words_js = (() => {');
    // Without a browser, too: a name that is declared twice would leave the page empty.
    expect(() => new Script(pageScript())).not.toThrow();
    const circle = (name: string): string => (name === 'main' ? "import { a } from './x.js';\n" : "import { b } from './main.js';\nexport const a = 1;\n");
    expect(() => pageScript(circle)).toThrow('in a circle: main → x → main');
    expect(() => pageScript((name) => (name === 'main' ? "import { b } from './x.js';\n" : 'export const a = 1;\n'))).toThrow('imports b from x.js');
  });

  test('both languages have the same texts, with the same values in them', () => {
    const [english, chinese] = ['en', 'zh'].map((language) => JSON.parse(readFileSync(path.join(root, `internal/page/texts/${language}.json`), 'utf8')) as Record<string, string>) as [Record<string, string>, Record<string, string>];
    expect(Object.keys(chinese)).toEqual(Object.keys(english));
    const values = (text = ''): string[] => (text.match(/\{\w+\}/g) ?? []).sort();
    for (const [key, text] of Object.entries(english)) expect([key, values(chinese[key])]).toEqual([key, values(text)]);
  });

  test('no script of the page makes markup of a text, or runs one', () => {
    for (const file of readdirSync(path.join(root, 'internal/page/client'))) {
      expect([file, readFileSync(path.join(root, 'internal/page/client', file), 'utf8').match(/innerHTML|outerHTML|insertAdjacent|document\.write|\beval\b|new Function|srcdoc|setAttribute\(.on/)]).toEqual([file, null]);
    }
  });
});

describe('what a page takes', () => {
  test('sources: only TypeScript files of lib/ and internal/, whatever a recording names', () => {
    const sources = new Sources();
    for (const file of ['../../etc/passwd', '/etc/passwd', 'internal/../package.json', 'package.json', 'internal/page/client/main.js', 'internal/README.md', 'lib/../test/page/files.test.ts', 'internal/gone.ts', 5, null, '__proto__']) sources.add({ source: { file, line: 1 } });
    expect(sources.texts).toEqual({});
    sources.add({ source: { file: 'internal/messages.ts', line: 1 } });
    expect(Object.keys(sources.texts)).toEqual(['internal/messages.ts']);
  });

  test('of a recording that is too long the beginning, or the window that was asked for; the page says so, and how to see the rest', async () => {
    const small = smallRecording();
    const whole = await pageOf([reading(small)], ['a.jsonl']);
    expect([whole.notice, dataOf(whole.html).scenes[0]?.tracks[0]?.events.length]).toEqual([null, small.events.length]);
    const first = await pageOf([reading(small)], ['a.jsonl'], { ...WHOLE, maxEvents: 10 });
    const events = dataOf(first.html).scenes[0]?.tracks[0]?.events ?? [];
    expect(events.length).toBe(10);
    expect(first.notice).toBe(`This page shows 10 events of ${small.events.length}: from 0.000 s to ${(Number(small.events[10]?.['at']) / 1e9).toFixed(3)} s. The rest: cluster-internals view --from ${Math.floor(Number(small.events[10]?.['at']) / 1e6)}ms a.jsonl`);
    expect(dataOf(first.html).notice).toBe(first.notice);
    const later = await pageOf([reading(small)], ['a.jsonl'], { ...WHOLE, from: 50e6, to: 61e6 });
    expect(dataOf(later.html).scenes[0]?.tracks[0]?.events.map(({ at }) => at).every((at) => at >= 50e6 && at <= 61e6)).toBe(true);
    const bySize = await pageOf([reading(small)], ['a.jsonl'], { ...WHOLE, maxSize: 3000 });
    expect(bySize.notice).toContain('This page shows');
  });

  test('what a reader of the recording has to know is a note of its track and a notice of the page', async () => {
    const { html, notice } = await pageOf([{ ...reading(smallRecording()), notes: ['of another release'] }], ['a.jsonl']);
    expect([notice, dataOf(html).notice, dataOf(html).scenes[0]?.tracks[0]?.notes]).toEqual(['of another release', 'of another release', ['of another release']]);
  });

  test('200 MB: read as a stream, the page holds the window', async () => {
    const event = smallRecording().events[5] as object;
    let given = 0;
    async function* many(): AsyncGenerator<object> {
      for (; given < 700_000; given++) yield { ...event, at: given * 1000 };
    }
    const before = process.memoryUsage().heapUsed;
    const { html, notice } = await pageOf([{ header: smallRecording().header, events: many() }], ['big.jsonl']);
    expect(given * JSON.stringify(event).length).toBeGreaterThan(200e6);
    expect(html.length).toBeLessThan(45e6);
    expect(notice).toContain('50000 events of 700000');
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(400e6);
  });
});

describe('what is in flight when a recording ends, or while the program runs', () => {
  test.each([['to a worker that has ended: its way is broken, and its client waits for nobody', 70, true], ['to a worker that has not: it may still arrive', 55, false]])('%s', async (_title, until, isOver) => {
    const { buildTrack } = await import(path.join(root, 'internal/page/client/model.js')) as { buildTrack(track: object, number: number): { connections: Map<string, { hops: { to: string; broken: boolean; isOpen?: boolean }[]; hangsFrom: number | null }> } };
    const { events } = smallRecording(true);
    const { connections } = buildTrack({ header: {}, events: events.filter(({ at }) => Number(at) < until * 1e6) }, 0);
    const { hops = [], hangsFrom } = connections.get('c2') ?? {};
    expect(hops.map(({ to, broken, isOpen }) => [to, broken, isOpen])).toEqual([['W2', isOver, !isOver]]);
    expect(hangsFrom).toBe(isOver ? 60e6 : null);
  });
});

describe('cluster-internals view', () => {
  const recorded = (name: string, { header, events }: MadeRecording): string => {
    const file = path.join(directory, name);
    writeFileSync(file, `${[header, ...events].map((line) => JSON.stringify(line)).join('\n')}\n`);
    return file;
  };
  const view = (...args: string[]): ReturnType<typeof run> => run(path.join(root, 'dist/lib/cli.js'), { args: ['view', ...args] });

  test('writes the page beside the recording and says where; writes it again; two recordings give two tracks', async () => {
    const [ours, stock] = [recorded('app.recording.jsonl', smallRecording()), recorded('stock.jsonl', smallRecording(true))];
    for (let time = 0; time < 2; time++) {
      const { code, stdout, stderr } = await view(ours, stock);
      expect([code, stdout, stderr]).toEqual([0, `${path.join(directory, 'app.html')}\n`, '']);
    }
    const data = dataOf(readFileSync(path.join(directory, 'app.html'), 'utf8'));
    expect(data.scenes[0]?.tracks.map(({ events }) => events.length)).toEqual([smallRecording().events.length, smallRecording(true).events.length]);
    expect(Object.keys(data.sources).sort()).toEqual(['internal/calls.ts', 'internal/master/peer.ts', 'internal/messages.ts']);
  });

  test('no recording, no page in the place, no permission: one line, exit code 1', async () => {
    const file = recorded('b.jsonl', smallRecording());
    const text = path.join(directory, 'notes.txt');
    writeFileSync(text, 'mine');
    const results = await Promise.all([view(path.join(directory, 'gone.jsonl')), view(text), view(file, '-o', text), view(file, '-o', path.join(directory, 'no/such/directory.html')), view(file, '--from', '2s', '--to', '1s')]);
    expect(results.map(({ code }) => code)).toEqual([1, 1, 1, 1, 2]);
    expect(results.map(({ stderr }) => stderr.trimEnd().split('\n').length)).toEqual([1, 1, 1, 1, 1]);
    expect(results[2]?.stderr).toContain('exists and is no page');
    expect(readFileSync(text, 'utf8')).toBe('mine');
  });

  test('the name of a page', () => {
    expect(['a.recording.jsonl', 'b/c.jsonl', 'd', 'e.parts/'].map(pageFile)).toEqual(['a.html', 'b/c.html', 'd.html', 'e.parts.html']);
    const kept = path.join(directory, 'kept.html');
    mkdirSync(kept);
    expect(() => writePage(kept, 'x')).toThrow('Cannot write the page');
  });
});
