/**
 * The page of `npm run conformance -- --runtime …`, in a real browser: it opens from a file, asks for nothing, filters,
 * and is no wider than the window. Without Chromium these tests do not run, and say so.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Cell, Verdict } from '../differential/runtimes/judge';
import type { Matrix } from '../differential/runtimes/matrix';
import { page as makePage } from '../differential/runtimes/page';
import { Browser, chromium, type Page } from './browser';

if (chromium === null) console.error('\n  NO CHROMIUM: the page of conformance is NOT TESTED. apt-get install chromium, or set CHROMIUM to its path.\n');

const HOSTILE = `</script><script>window.hostile = 1</script><img src=x onerror="window.hostile = 2">${'x'.repeat(400)}`;
const different = (where: string, got = 'b'): Verdict => ({ is: 'different', deviations: [{ where, weight: 'events', expected: 'a', got }] });
const hangs: Cell = { is: 'hangs', left: 3, how: 'all its processes slept', deviations: [] };
const matrix: Matrix = {
  date: '2026-11-29', wire: false, unusable: [{ runtime: '/nowhere/foo', reason: HOSTILE }],
  columns: [...Array(8).keys()].map((at) => ({ runtime: at === 0 ? HOSTILE : `Runtime ${at}`, measure: 'Node 26.10.0', left: at })),
  rows: [
    { scenario: 'round-robin-order', cells: [...Array(8).keys()].map((at): Cell => (at === 0 ? different('P W1', HOSTILE) : at === 1 ? hangs : { is: 'like' })) },
    { scenario: 'setup-primary', cells: [...Array(8).keys()].map((at): Cell => (at === 0 ? { is: 'flaky', verdicts: [different('P main'), { is: 'like' }] } : { is: 'like' })) },
    { scenario: 'wire-numbers', cells: [...Array(8).keys()].map((): Cell => ({ is: 'unjudged', reason: 'messages alone' })) },
  ],
};

describe.skipIf(chromium === null)('the page of conformance', () => {
  let browser: Browser;
  let directory: string;
  let url: string;
  beforeAll(() => {
    directory = mkdtempSync(path.join(tmpdir(), 'cluster-conformance-'));
    const file = path.join(directory, 'matrix.html');
    writeFileSync(file, makePage(matrix));
    url = pathToFileURL(file).href;
    browser = new Browser(chromium ?? '');
  });
  afterAll(async () => {
    await browser.close();
    rmSync(directory, { recursive: true });
  });

  async function open(size: { width?: number; height?: number; dark?: boolean } = {}): Promise<Page> {
    const page = await browser.open(url, size);
    await page.until(`(document.getElementById('shown')?.textContent ?? '') !== ''`);
    return page;
  }
  const shown = `[...document.querySelectorAll('.difference')].filter((each) => each.offsetParent !== null).map((each) => each.querySelector('b').textContent)`;
  const set = (id: string, value: string): string => `(() => { const one = document.getElementById('${id}'); one.value = ${JSON.stringify(value)}; one.dispatchEvent(new Event('input')); })()`;

  test('opens without an error, asks for nothing but itself, and runs nothing that a runtime wrote', async () => {
    const page = await open();
    expect(page.errors).toEqual([]);
    expect(page.requests.filter((each) => each.startsWith('file:'))).toHaveLength(1);
    expect(page.requests.filter((each) => !each.startsWith('file:') && each !== 'about:blank')).toEqual([]);
    expect(await page.evaluate(`[window.hostile, document.querySelectorAll('script').length, document.querySelectorAll('img').length]`)).toEqual([null, 1, 0]);
    expect(await page.evaluate(`document.getElementById('shown').textContent`)).toBe('3 of 3 differences shown');
    await page.close();
  });

  test('filters by runtime, result and words; a click on a mark shows what differs there', async () => {
    const page = await open();
    expect(await page.evaluate(shown)).toEqual(['round-robin-order', 'setup-primary', 'round-robin-order']);
    await page.evaluate(set('result', 'hangs'));
    expect(await page.evaluate(shown)).toEqual(['round-robin-order']);
    await page.evaluate(set('result', ''));
    await page.evaluate(set('search', 'r-4 nothing-has-this'));
    expect(await page.evaluate(shown)).toEqual([]);
    await page.evaluate(`document.querySelector('button[type=reset]').click()`);
    await page.until(`document.getElementById('shown').textContent.startsWith('3 of 3')`);
    await page.evaluate(`document.querySelector('button[data-clause="R-4"][data-runtime="Runtime 1"]').click()`);
    expect(await page.evaluate(shown)).toEqual(['round-robin-order']);
    expect(await page.evaluate(`document.getElementById('runtime').value`)).toBe('Runtime 1');
    expect(page.errors).toEqual([]);
    await page.close();
  });

  test.each([[1280, false], [1280, true], [390, false], [390, true]])('at %i pixels (dark: %s) nothing is wider than the window, opened differences too', async (width, dark) => {
    const page = await open({ width, height: 844, dark });
    await page.evaluate(`document.querySelectorAll('details').forEach((each) => { each.open = true; })`);
    await page.drawn();
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(width);
    const [ink = 0, ground = 0] = await page.evaluate<number[]>(`['color', 'backgroundColor'].map((name) => Number(/\\d+/.exec(getComputedStyle(document.body)[name])[0]))`);
    expect(dark ? ink > ground : ink < ground).toBe(true);
    await page.close();
  });
});
