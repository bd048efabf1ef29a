/**
 * The page, in a real browser, as a person uses it: opened from a file, clicked, typed to. Without Chromium these tests
 * do not run, and say so.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { makePage, type PageTrack } from '../../internal/page/page';
import { Sources } from '../../internal/page/sources';
import { pageOf } from '../../internal/page/view';
import { readRecording } from '../../internal/recording/read';
import { root } from '../support/program';
import { Browser, chromium, type Page } from './browser';
import { pointOn } from './point_on';
import { HOSTILE, hostile, largeRecording, SENDER, smallRecording, waitingRecording, type MadeRecording } from './recordings';

if (chromium === null) console.error('\n  NO CHROMIUM: the page is NOT TESTED. apt-get install chromium, or set CHROMIUM to its path.\n');

/** Texts of the page that a test reads or clicks. */
const on = (id: string): string => `document.getElementById('${id}')`;
const panelText = `${on('panel')}.innerText`;
const selected = `Number(${on('overview')}.getAttribute('aria-valuenow'))`;

describe.skipIf(chromium === null)('the page in a browser', () => {
  let browser: Browser;
  let directory: string;
  beforeAll(() => {
    directory = mkdtempSync(path.join(tmpdir(), 'cluster-pages-'));
    browser = new Browser(chromium ?? '');
  });
  afterAll(async () => {
    await browser.close();
    rmSync(directory, { recursive: true });
  });

  /** Opens the page of these recordings, and waits until it is drawn. */
  async function open(recordings: readonly MadeRecording[], { hash = '', ...size }: { hash?: string; width?: number; height?: number; dark?: boolean } = {}): Promise<Page> {
    const sources = new Sources();
    const tracks = recordings.map(({ header, events }, at): PageTrack => {
      for (const event of events) if (typeof event === 'object' && event !== null) sources.add(event);
      return { label: at === 0 ? 'cluster-internals' : 'stock', header, events, notes: [] };
    });
    const file = path.join(directory, `${Math.random().toString(36).slice(2)}.html`);
    writeFileSync(file, makePage({ title: 'app.js', scenes: [{ key: 'recording', tracks }], sources: sources.texts, language: 'en' }));
    const page = await browser.open(pathToFileURL(file).href + hash, size);
    await page.until(`document.body?.dataset.drawn !== undefined`);
    return page;
  }

  test('loads without an error, asks for nothing but itself, and shows each lane and each message once', async () => {
    const small = smallRecording();
    const page = await open([small], { hash: '#from=-2&to=400' });
    await page.drawn();
    expect(page.errors).toEqual([]);
    expect(page.requests.filter((url) => !url.startsWith('file:') && url !== 'data:,' && url !== 'about:blank')).toEqual([]);
    expect(page.requests.filter((url) => url.startsWith('file:'))).toHaveLength(1);
    const sent = small.events.filter(({ kind, way }) => kind === 'message' && way === 'sent').length;
    expect(await page.evaluate(`(({ lanes, arrows, threads }) => ({ lanes, arrows, threads }))(${on('picture')}.dataset)`)).toEqual({ lanes: '4', arrows: String(sent), threads: '2' });
    expect(await page.evaluate(`[...document.querySelectorAll('[role=listitem] b')].map((each) => each.textContent)`)).toEqual(['Clients', 'Primary', 'Worker 1', 'Worker 2']);
    // There is colour in it: what was counted was drawn.
    const colours = `new Set(new Uint32Array(${on('picture')}.getContext('2d').getImageData(0, 0, ${on('picture')}.width, ${on('picture')}.height).data.buffer)).size`;
    expect(await page.evaluate(colours)).toBeGreaterThan(50);
    await page.close();
  });

  test('a click on an arrow shows the message: its fields, its bytes, the fds, and the lines that sent and received it', async () => {
    const small = smallRecording();
    const page = await open([small], { hash: '#from=30&to=60', height: 1000 });
    await page.click(...await pointOn(page, small, 'P>W1#1', 0.4));
    const text = await page.evaluate<string>(panelText);
    expect(text).toContain('P sends newconn to W1');
    expect(text).toContain('22 in P → 22 in W1');
    expect(text).toContain('null:8000:4:undefined:0');
    const message = small.events.find(({ id, way }) => id === 'P>W1#1' && way === 'sent') as { fields: object };
    expect(await page.evaluate(`document.querySelector('[data-fact=bytes]').textContent`)).toBe(String(JSON.stringify(message.fields).length + 1));
    expect(await page.evaluate(`document.querySelector('.hex').textContent`)).toContain('7b 22 63 6d 64 22');
    expect(await page.evaluate(`[...document.querySelectorAll('[data-source]')].map((each) => each.dataset.source)`)).toEqual([SENDER.join(':'), 'internal/calls.ts:12']);
    const line = readFileSync(path.join(root, SENDER[0]), 'utf8').split('\n')[SENDER[1] - 1];
    expect(await page.evaluate(`document.querySelector('.line.here').lastChild.textContent`)).toBe(`${line}\n`);
    expect(await page.evaluate(`document.querySelector('pre.header').textContent`)).toContain('Used by');
    // The same message, nearer to its receiver: what the receiver saw.
    await page.click(...await pointOn(page, small, 'P>W1#1', 0.8));
    expect(await page.evaluate(panelText)).toContain('W1 receives newconn from P');
    expect(page.errors).toEqual([]);
    await page.close();
  });

  test('before and after, and the invariant: a hand-off that was reclaimed has one owner all the time', async () => {
    const page = await open([smallRecording()]);
    await page.press('r');
    const text = await page.evaluate<string>(panelText);
    expect(text).toContain('P takes c2 back');
    expect(text).toMatch(/c2\s+in flight; the primary keeps a copy\s+→\s+waits in the primary's queue/);
    expect(await page.evaluate(`document.querySelectorAll('.keeps .holds').length`)).toBe(2);
    for (let at = 0; at < 30 && !(await page.evaluate<string>(panelText)).includes('P learns that the worker took c2'); at++) await page.press('ArrowRight');
    expect(await page.evaluate(panelText)).toMatch(/c2\s+W1 has it; the primary keeps a copy\s+→\s+W1 alone has it/);
    expect(await page.evaluate(`document.querySelectorAll('.broken').length`)).toBe(0);
    await page.close();
  });

  test('two tracks: the connection that hangs on stock is found, and stays visibly open', async () => {
    const page = await open([smallRecording(), smallRecording(true)]);
    expect(await page.evaluate(`[...document.querySelectorAll('.lane.title')].map((each) => each.textContent)`)).toEqual(['① cluster-internals', '② stock · its own clock, from its own start']);
    await page.press('o');
    expect(await page.evaluate(panelText)).toContain('nobody took the connection back');
    expect(await page.evaluate(`document.querySelector('.keeps .broken').textContent`)).toContain('one owner');
    expect(await page.evaluate(`[...document.querySelectorAll('.lane.clients .line')].map((each) => each.textContent)`)).toEqual(['1 open', '1 open']);
    await page.press('End');
    expect(await page.evaluate(`[...document.querySelectorAll('.lane.clients .line')].map((each) => each.textContent)`)).toEqual(['0 open', '1 open']);
    await page.close();
  });

  test('the queue of the kernel has a lane of its own if connections have waited there, and each sample is an event', async () => {
    const page = await open([waitingRecording()]);
    expect(await page.evaluate(`[...document.querySelectorAll('[role=listitem] b')].map((each) => each.textContent)`)).toEqual(['Clients', 'Kernel', 'Primary', 'Worker 1', 'Worker 2']);
    await page.evaluate(`(() => { const menu = ${on('goto')}; menu.value = 'kernel'; menu.dispatchEvent(new Event('change')); })()`);
    await page.drawn();
    expect(await page.evaluate(panelText)).toContain('In the kernel at [::]:8000 wait connections that nobody has accepted yet: 3');
    const waiting = `document.querySelector('.lane.kernel .line').textContent`;
    expect(await page.evaluate(waiting)).toBe('3 not accepted');
    await page.press('ArrowRight');
    expect(await page.evaluate(waiting)).toBe('4 not accepted');
    expect(await page.evaluate(`document.querySelector('#table [aria-selected=true]').textContent`)).toContain('In the kernel at [::]:8001 wait');
    await page.press('End');
    expect(await page.evaluate(waiting)).toBe('1 not accepted');
    expect(page.errors).toEqual([]);
    await page.close();
  });

  test('steps forwards and back, scrubs, plays, and the address keeps the position', async () => {
    const small = smallRecording();
    const page = await open([small]);
    await page.press('Home');
    expect(await page.evaluate(selected)).toBe(0);
    await page.press('ArrowRight');
    await page.press('ArrowRight');
    expect(await page.evaluate(selected)).toBe(2);
    await page.press('ArrowLeft');
    expect(await page.evaluate(selected)).toBe(1);
    const [left, top, width] = await page.evaluate<[number, number, number]>(`(({ left, top, width }) => [left, top, width])(${on('picture')}.getBoundingClientRect())`);
    await page.drag([[left + 60, top + 10], [left + 200, top + 10], [left + width * 0.7, top + 10]]);
    const scrubbed = await page.evaluate<number>(selected);
    expect(scrubbed).toBeGreaterThan(5);
    await page.press(' ');
    await page.until(`${selected} > ${scrubbed}`);
    await page.press(' ');
    await page.press('k');
    await page.until(`location.hash.includes('event=')`);
    const at = await page.evaluate<number>(selected);
    await page.until(`location.hash.includes('event=0.${small.events.findIndex(({ signal }) => signal === 'SIGKILL')}')`);
    const hash = await page.evaluate<string>('location.hash');
    await page.close();
    const again = await open([small], { hash });
    await again.until(`${selected} === ${at}`);
    expect(await again.evaluate(panelText)).toContain('W2 is killed by SIGKILL');
    await again.close();
  });

  test('filters and search: the table has the events that fit, and the steps go over them alone', async () => {
    const page = await open([smallRecording()]);
    const title = `${on('events-title')}.textContent`;
    const all = Number((await page.evaluate<string>(title)).split(' ')[2]);
    await page.evaluate(`(() => { const search = ${on('search')}; search.value = 'newconn c2'; search.dispatchEvent(new Event('input')); })()`);
    await page.drawn();
    expect(await page.evaluate(title)).toBe(`3 of ${all} events`);
    await page.press('Home');
    await page.evaluate(`document.activeElement.blur()`);
    await page.press('ArrowRight');
    expect(await page.evaluate(panelText)).toContain('newconn');
    await page.press('Escape');
    await page.evaluate(`(() => { const menu = ${on('filter-lane')}; menu.value = '0.W2'; menu.dispatchEvent(new Event('change')); })()`);
    await page.drawn();
    const shown = await page.evaluate<string[]>(`[...document.querySelectorAll('#rows .process')].map((each) => each.textContent)`);
    expect(shown.length).toBeGreaterThan(5);
    expect(new Set(shown)).toEqual(new Set(['P', 'W2']));
    await page.close();
  });

  test('filters that let equally many events through: the table has those of the second one, and steps skip all others', async () => {
    const page = await open([smallRecording()]);
    const choose = async (name: string, value: string): Promise<readonly string[]> => {
      await page.evaluate(`(() => { const menu = ${on(`filter-${name}`)}; menu.value = '${value}'; menu.dispatchEvent(new Event('change')); })()`);
      await page.drawn();
      return page.evaluate<string[]>(`[...document.querySelectorAll('#rows .row')].map((row) => row.querySelector('.process').textContent + ' ' + row.querySelector('.event').textContent)`);
    };
    const ofBoth = (act: string): readonly string[] => ['W1', 'P', 'W2', 'P'].map((name) => `${name} ${act}`).sort();
    expect([...await choose('act', 'online')].sort()).toEqual(ofBoth('online'));
    expect([...await choose('act', 'listening')].sort()).toEqual(ofBoth('listening'));
    expect(await choose('lane', '0.W1')).toEqual(['W1 listening', 'P listening']);
    expect(await choose('lane', '0.W2')).toEqual(['W2 listening', 'P listening']);
    await page.press('ArrowRight');
    const first = await page.evaluate<string>(panelText);
    await page.press('ArrowRight');
    expect([first, await page.evaluate<string>(panelText)]).toEqual([expect.stringContaining('W2 sends listening to P'), expect.stringContaining('P receives listening from W2')]);
    await page.press('Escape');
    const ofConnection = await choose('connection', '0.c2');
    expect(new Set(ofConnection)).toEqual(new Set(['P queued', 'P newconn', 'P handed off', 'P reclaimed', 'W1 newconn', 'W1 delivered', 'W1 opened', 'W1 accepted', 'P accepted', 'P acknowledged', 'W1 closed']));
    await page.close();
  });

  test('for those who cannot see the picture: the table, its keys, a text of the picture, and what is selected is said', async () => {
    const page = await open([smallRecording()]);
    expect(await page.evaluate(`${on('picture')}.getAttribute('aria-label')`)).toMatch(/^Timeline from .*4 lanes/);
    await page.press('t');
    await page.press('Home');
    await page.press('ArrowDown');
    expect(await page.evaluate(`document.querySelector('#rows [aria-selected=true] .detail').textContent`)).toContain('P forks pid');
    expect(await page.evaluate(`${on('announce')}.textContent`)).toBe('2.0 ms: P forks pid 1001'.replace('2.0', '2.000'));
    // What the browser tells a screen reader.
    const { nodes } = await page.call('Accessibility.getFullAXTree') as { nodes: { role?: { value: string }; name?: { value: string } }[] };
    const roles = nodes.map(({ role }) => role?.value);
    for (const role of ['table', 'row', 'columnheader', 'cell', 'slider', 'toolbar', 'complementary']) expect(roles).toContain(role);
    expect(nodes.filter(({ role, name }) => ['button', 'combobox', 'searchbox', 'slider'].includes(role?.value ?? '') && (name?.value ?? '') === '')).toEqual([]);
    await page.close();
  });

  test('10,000 events are drawn in less than 2 s, and moving stays smooth', async () => {
    const page = await open([largeRecording(1000)]);
    expect(await page.evaluate(`document.body.dataset.drawn`)).toBe('10000');
    const drawn = await page.evaluate<number>(`performance.getEntriesByName('drawn')[0].startTime`);
    // The time of the page's own thread: other tests run on the same processors, and a clock on the wall counts them too.
    const busyTime = async (): Promise<number> => {
      const { metrics } = await page.call('Performance.getMetrics') as { metrics: { name: string; value: number }[] };
      return (metrics.find(({ name }) => name === 'TaskDuration')?.value ?? NaN) * 1000;
    };
    const busy = await busyTime();
    expect(busy).toBeLessThan(2000);
    // 30 frames of zooming in, over everything.
    await page.press('0');
    const before = await busyTime();
    await page.evaluate<number>(`(async () => { for (let at = 0; at < 30; at++) { ${on('zoomIn')}.click(); await new Promise(requestAnimationFrame); } })()`);
    const frames = (await busyTime() - before) / 30;
    console.log(`10,000 events: drawn after ${drawn.toFixed(0)} ms (${busy.toFixed(0)} ms of its thread), ${frames.toFixed(1)} ms of it a frame`);
    expect(frames).toBeLessThan(50);
    expect(page.errors).toEqual([]);
    await page.close();
  });

  test('hostile texts in every field are shown, and never run', async () => {
    const page = await open([hostile(waitingRecording()), hostile(smallRecording(true))]);
    for (const key of ['Home', 'r', 'o', 'k', '0', 'End', 'ArrowLeft', 'ArrowLeft']) await page.press(key);
    for (let at = 0; at < 12; at++) await page.press('ArrowLeft');
    await page.evaluate(`document.querySelectorAll('details').forEach((each) => { each.open = true; })`);
    await page.drawn();
    expect(await page.evaluate('window.hacked')).toBeUndefined();
    expect(await page.evaluate('document.images.length + document.scripts.length')).toBe(2);
    expect(page.errors).toEqual([]);
    expect(page.requests.filter((url) => !url.startsWith('file:') && url !== 'data:,' && url !== 'about:blank')).toEqual([]);
    const text = await page.evaluate<string>('document.body.innerText');
    expect(text).toContain('<img src=x');
    expect(text).toContain('\\u202e');
    expect(text).not.toContain('\u202e');
    expect(HOSTILE).toContain('\u202e');
    await page.close();
  });

  test('a recording that was cut off in the middle of a line: all before it is shown, and that something is missing', async () => {
    const { header, events } = smallRecording();
    const lines = [header, ...events].map((each) => JSON.stringify(each));
    const recording = path.join(directory, 'cut.jsonl');
    writeFileSync(recording, `${lines.slice(0, 30).join('\n')}\n${lines[30]?.slice(0, 40)}`);
    const file = path.join(directory, 'cut.html');
    writeFileSync(file, (await pageOf([await readRecording(recording)], [recording])).html);
    const page = await browser.open(pathToFileURL(file).href);
    await page.until(`document.body?.dataset.drawn !== undefined`);
    expect(await page.evaluate(`${on('events-title')}.textContent`)).toBe('30 of 30 events');
    await page.press('End');
    expect(await page.evaluate(panelText)).toContain('Events are missing here');
    expect(page.errors).toEqual([]);
    await page.close();
  });

  test('what lies about times, names and numbers is left out of the picture, and breaks nothing', async () => {
    const small = smallRecording();
    const odd = [{ kind: 'message' }, null, 5, { kind: 'state', at: 1, of: 'worker', what: '__proto__', to: 'x' }, { at: 5, kind: 'message', way: 'received', id: 'constructor', act: 'toString', from: 'hasOwnProperty', to: '__proto__', fields: [1] },
      { at: 1e300, kind: 'connection', event: 'handed off', connection: '__proto__', to: '__proto__', name: '__proto__' }, { at: -5, kind: 'connection', event: 'opened', connection: 'constructor', name: 'W9' },
      { at: 6, kind: 'process', event: 'exit', name: 'constructor', signal: {}, code: 'x' }, { at: 7, kind: 'loop', name: 'W1', busy: 1e9, delay: 1e300 }, { at: 8, kind: 'unheard of', name: 'P' }];
    const page = await open([{ header: small.header, events: [...odd as Record<string, unknown>[], ...small.events] }, { header: { processes: [null, { name: 5 }, { name: 'P', started: 'x' }] }, events: [] }]);
    for (const key of ['Home', ...Array.from({ length: 9 }, () => 'ArrowRight'), 'o', '0', '+', 'End']) await page.press(key);
    expect(page.errors).toEqual([]);
    await page.close();
  });

  test('at 390 pixels nothing is wider than the window', async () => {
    const page = await open([smallRecording()], { width: 390, height: 844 });
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(390);
    await page.press('r');
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(390);
    await page.close();
  });
});
