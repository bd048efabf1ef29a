/** What the page says of an event that a reader could take for something else: who has the connection, what a reply answers, whose view a state is. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, test } from 'vitest';
import { makePage } from '../../internal/page/page';
import { root } from '../support/program';
import { SCENES } from '../tour/scenes';
import { Browser, chromium } from './browser';

const MS = 1e6;
let count = 0;
const event = (at: number, name: string, kind: string, more: object): Record<string, unknown> =>
  ({ at: at * MS, name, pid: name === 'P' ? 1 : 2, role: name === 'P' ? 'primary' : 'worker', worker: name === 'P' ? null : 1, seq: ++count, kind, ...more });
const connection = (at: number, name: string, what: string, more: object = {}): Record<string, unknown> =>
  event(at, name, 'connection', { event: what, connection: 'c1', address: '127.0.0.1:0:4:undefined:0', fd: name === 'P' ? 22 : 19, ...more });
const message = (at: number, from: string, to: string, act: string, fields: object): Record<string, unknown>[] => ['sent', 'received'].map((way, late) =>
  event(at + late / 10, late === 0 ? from : to, 'message', { way, act, from, to, id: `${from}>${to}#${at}`, dialect: 'pipelined', fields }));

/** One worker and one connection, which comes back to the primary; then the worker leaves. */
function events(): Record<string, unknown>[] {
  return [
    event(0, 'P', 'process', { event: 'start' }),
    ...message(1, 'W1', 'P', 'online', {}),
    event(1.2, 'P', 'state', { of: 'worker', what: 'W1', from: 'none', to: 'online' }),
    event(2, 'W1', 'process', { event: 'start' }),
    event(3, 'W1', 'state', { of: 'worker', what: 'W1', from: 'online', to: 'listening' }),
    event(4, 'P', 'state', { of: 'worker', what: 'W1', from: 'online', to: 'listening' }),
    ...message(5, 'P', 'W1', 'reply', { ack: 1, errno: null, key: '127.0.0.1:0:4:undefined:0' }),
    connection(10, 'P', 'queued'),
    connection(11, 'P', 'handed off', { to: 'W1' }),
    connection(12, 'W1', 'delivered'),
    ...message(12.5, 'W1', 'P', 'reply', { ack: 2, accepted: true }),
    connection(13, 'P', 'acknowledged', { to: 'W1' }),
    connection(14, 'W1', 'returned'),
    connection(15, 'P', 'returned'),
    connection(16, 'P', 'queued'),
    event(17, 'P', 'connection', { event: 'opened', connection: 'P-c1', fd: -1 }),
    event(20, 'W1', 'state', { of: 'worker', what: 'W1', from: 'listening', to: 'disconnecting' }),
    ...message(21, 'P', 'W1', 'reply', { ack: 4 }),
    event(30, 'P', 'state', { of: 'worker', what: 'W1', from: 'listening', to: 'disconnected' }),
    event(31, 'W1', 'process', { event: 'exit', code: null, signal: 'SIGKILL' }),
  ].sort((a, b) => Number(a['at']) - Number(b['at']));
}

/** Connections that are handed to a worker before, while and after its event loop is blocked, from 10 to 20 ms; and to a free one. */
function blocked(): Record<string, unknown>[] {
  const handed = (at: number, id: string, to: string): object => event(at, 'P', 'connection', { event: 'handed off', connection: id, to, fd: 22 });
  return [
    event(0, 'P', 'process', { event: 'start' }), event(1, 'W1', 'process', { event: 'start' }), { ...event(1, 'W2', 'process', { event: 'start' }), worker: 2 },
    handed(5, 'c1', 'W1'), handed(11, 'c2', 'W2'), handed(12, 'c3', 'W1'), handed(13, 'c4', 'W2'), handed(14, 'c5', 'W1'),
    event(100, 'W1', 'loop', { busy: 1, delay: 90 * MS }), handed(110, 'c6', 'W1'),
    // More than the table shows at once.
    ...Array.from({ length: 60 }, (_none, at) => event(120 + at, 'P', 'state', { of: 'address', what: 'x', from: 'a', to: 'b' })),
  ] as Record<string, unknown>[];
}

interface Model {
  buildTrack(source: object, number: number): { processes: Map<string, { start: number }>; connections: Map<string, object> };
  stateAt(process: object | undefined, t: number): string;
}

test('who has a connection at each moment; a worker leaves from its own decision on; a worker starts with its first event', async () => {
  const { buildTrack, stateAt } = await import(path.join(root, 'internal/page/client/model.js')) as Model;
  const { placeOf } = await import(path.join(root, 'internal/page/client/connections.js')) as { placeOf(one: object, t: number): { place: string; worker?: string } };
  const { processes, connections } = buildTrack({ label: '', header: { processes: [{ name: 'W1', role: 'worker', worker: 1, started: 2 * MS }] }, events: events() }, 0);
  const places = [10, 11, 12, 13, 14, 15].map((at) => placeOf(connections.get('c1') ?? {}, at * MS));
  expect(places.map(({ place }) => place.slice(6))).toEqual(['queued', 'inFlight', 'both', 'worker', 'returned', 'queued']);
  expect(places.map(({ worker }) => worker)).toEqual([undefined, 'W1', 'W1', 'W1', 'W1', 'W1']);
  expect(placeOf(connections.get('P-c1') ?? {}, 17 * MS).place).toBe('place.primary');
  const worker = processes.get('W1');
  expect([1.5, 4, 20, 29, 30].map((at) => stateAt(worker, at * MS))).toEqual(['online', 'listening', 'leaving', 'leaving', 'disconnected']);
  expect(worker?.start).toBe(MS);
});

// Skipped where there is no Chromium, and so is the last test: it looks at the page in a browser.
test.skipIf(chromium === null)('each event is explained as what it is', async () => {
  const directory = mkdtempSync(path.join(tmpdir(), 'cluster-explained-'));
  const browser = new Browser(chromium ?? '');
  try {
    const said = async (stock: boolean): Promise<string[]> => {
      const file = path.join(directory, `${String(stock)}.html`);
      const tracks = [{ label: 'x', header: { format: 1, stock, processes: [] }, events: events(), notes: [] }];
      writeFileSync(file, makePage({ title: 'x', scenes: [{ key: 'recording', tracks }], sources: {}, language: 'en' }));
      const page = await browser.open(pathToFileURL(file).href);
      await page.until(`document.body?.dataset.drawn !== undefined`);
      await page.press('Home');
      const texts: string[] = [];
      for (let at = 0; at < tracks[0]!.events.length; at++) {
        texts.push(await page.evaluate<string>(`document.getElementById('panel').innerText`));
        await page.press('ArrowRight');
      }
      expect(page.errors).toEqual([]);
      await page.close();
      return texts;
    };
    const ours = await said(false);
    const of = (texts: readonly string[], sentence: string): string => texts.find((text) => text.includes(sentence)) ?? `nothing says: ${sentence}`;
    expect(of(ours, 'W1: online → listening')).toMatch(/W1 about itself\s+online\s+→\s+listening/);
    expect(ours.filter((text) => text.includes('The answer to queryServer'))).toHaveLength(2);
    expect(ours.filter((text) => text.includes('The answer to newconn: accepted true'))).toHaveLength(2);
    expect(ours.filter((text) => text.includes('The answer to exitedAfterDisconnect'))).toHaveLength(2);
    expect(of(ours, 'P hands c1 off')).toContain('can still go to another one');
    expect(ours.filter((text) => text.includes('P puts c1 into its queue')).map((text) => text.includes('like a new connection'))).toEqual([false, true]);
    expect(of(ours, 'P-c1 is open in P')).toMatch(/P-c1\s+not yet there\s+→\s+open in the primary/);
    expect(of(ours, 'P-c1 is open in P')).not.toContain('-1');
    expect(of(ours, 'P hands c1 off')).toContain('127.0.0.1, any port (key 127.0.0.1:0:4:undefined:0)');
    expect(of(ours, 'W1 is killed by SIGKILL')).toContain('when the primary learned of the end');
    expect(of(ours, 'W1: listening → disconnected')).toMatch(/leaving[^=]*→\s+disconnected/);
    // What a worker says of itself does not break the order of what the primary notes.
    expect(of(ours, 'W1: listening → disconnected')).toMatch(/✓\s+Each change begins/);
    const stock = await said(true);
    expect(of(stock, 'P hands c1 off')).toContain('Node never takes it back');
    expect(of(stock, 'The recorder of W1 starts')).toContain('an earlier time');
  } finally {
    await browser.close();
    rmSync(directory, { recursive: true });
  }
}, 60_000);

test.skipIf(chromium === null)('on a phone: the answer goes to a connection that waits for a blocked worker; the lane says so; a row has two lines; the source is last, and folded', async () => {
  const directory = mkdtempSync(path.join(tmpdir(), 'cluster-explained-'));
  const browser = new Browser(chromium ?? '');
  try {
    const file = path.join(directory, 'blocked.html');
    const tracks = [{ label: 'x', header: { format: 1, processes: [] }, events: blocked(), notes: [] }];
    const { answer } = SCENES.find(({ key }) => key === 'blocked') ?? {};
    writeFileSync(file, makePage({ title: 'x', scenes: [{ key: 'blocked', tracks, answer }], sources: {}, language: 'en', texts: { en: { 'scene.blocked.title': 'x' }, zh: {} } } as Parameters<typeof makePage>[0]));
    const page = await browser.open(pathToFileURL(file).href, { width: 390, height: 844 });
    await page.until(`document.getElementById('answer') !== null`);
    await page.evaluate(`document.getElementById('answer').click()`);
    await page.drawn();
    expect(await page.evaluate(`document.querySelector('.sentence').textContent`)).toBe('P hands c5 off and keeps a copy');
    expect(await page.evaluate(`[...document.querySelectorAll('.lane.worker .line')].map((each) => each.textContent)`)).toEqual(['blocked', 'starting']);
    expect(await page.evaluate(`[...document.querySelectorAll('#rows .row')].map((each) => each.offsetHeight).every((high) => high === 46)`)).toBe(true);
    expect(await page.evaluate(`document.getElementById('rows').offsetHeight`)).toBe(46 * tracks[0]!.events.length);
    expect(await page.evaluate(`(() => { const { left, right } = document.querySelector('#rows .detail').getBoundingClientRect(); return right - left; })()`)).toBeGreaterThan(300);
    expect(await page.evaluate(`(({ tagName, open, innerText }) => [tagName, open, innerText.trim()])(document.getElementById('panel').lastElementChild)`)).toEqual(['DETAILS', false, 'Source']);
    expect(page.errors).toEqual([]);
  } finally {
    await browser.close();
    rmSync(directory, { recursive: true });
  }
}, 60_000);
