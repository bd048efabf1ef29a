/** The tour: each scene has its texts in both languages, its program, and an answer that is in its recording. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, test } from 'vitest';
import { Browser, chromium } from '../page/browser';
import { root, run } from '../support/program';
import { handOffs } from './picture';
import { SCENES } from './scenes';

const textsOf = (language: string): Record<string, string> => JSON.parse(readFileSync(path.join(__dirname, `${language}.json`), 'utf8')) as Record<string, string>;

test('each scene has its texts in both languages, and its programs are examples', () => {
  const [english, chinese] = [textsOf('en'), textsOf('zh')];
  expect(Object.keys(chinese)).toEqual(Object.keys(english));
  for (const { key, tracks } of SCENES) {
    for (const part of ['title', 'text', 'question', 'answer']) expect([key, part, (english[`scene.${key}.${part}`] ?? '').length > 5]).toEqual([key, part, true]);
    for (const { program: [file] } of tracks) expect([file, existsSync(path.join(root, 'test/examples', file))]).toEqual([file, true]);
  }
  const values = (text = ''): string[] => (text.match(/\{\w+\}/g) ?? []).sort();
  for (const [key, text] of Object.entries(english)) expect([key, new Set(values(chinese[key]))]).toEqual([key, new Set(values(text))]);
});

interface Track {
  readonly header: { readonly stock: boolean };
  readonly events: readonly Record<string, unknown>[];
}

/** Records one scene into a page; gives its tracks. */
async function record(scene: string, file: string): Promise<readonly Track[]> {
  const { code, stdout, stderr } = await run(path.join(__dirname, 'run.ts'), { execArgv: ['--require', 'tsx/cjs'], args: ['--scene', scene, '--output', file], deadline: 120_000 });
  expect([code, stderr]).toEqual([0, '']);
  expect(stdout).toContain(`Open ${file}`);
  const data = JSON.parse(/id="data">(.*)<\/script>/.exec(readFileSync(file, 'utf8'))?.[1] ?? '') as { scenes: { tracks: Track[] }[] };
  return data.scenes[0]?.tracks ?? [];
}

test('a connection that moves, recorded now: one id through both workers and back; the page draws each way, and the answer is there', async () => {
  const directory = mkdtempSync(path.join(tmpdir(), 'cluster-tour-'));
  try {
    const file = path.join(directory, 'tour.html');
    const [track] = await record('moved', file);
    const { buildTrack } = await import(path.join(root, 'internal/page/client/model.js')) as { buildTrack(track: object, number: number): { connections: Map<string, { steps: { event: string; name: string; client?: string }[]; hops: { from: string; to: string; broken: boolean }[]; closed: number | null; hangsFrom: number | null }> } };
    const { connections } = buildTrack({ label: '', ...track }, 0);
    expect([...connections.keys()]).toEqual(['c1']);
    const { steps = [], hops = [], closed = null, hangsFrom = null } = connections.get('c1') ?? {};
    const opened = steps.filter(({ event }) => event === 'opened');
    const [first = '', second = ''] = opened.map(({ name }) => name);
    expect(opened.map(({ name }) => name)).toEqual([first, second, first]);
    expect(new Set([first, second])).toEqual(new Set(['W1', 'W2']));
    expect(new Set(opened.map(({ client }) => client)).size).toBe(1);
    expect(hops.map(({ from, to, broken }) => [from, to, broken])).toEqual([['P', first], [first, 'P'], ['P', second], [second, 'P'], ['P', first]].map((way) => [...way, false]));
    expect([closed !== null, hangsFrom]).toEqual([true, null]);
    if (chromium === null) return console.error('\n  NO CHROMIUM: the page of a move is NOT TESTED.\n');
    const browser = new Browser(chromium);
    try {
      const page = await browser.open(pathToFileURL(file).href);
      await page.until(`document.getElementById('answer') !== null`);
      await page.evaluate(`document.getElementById('answer').click()`);
      await page.drawn();
      const text = await page.evaluate<string>(`document.getElementById('panel').innerText`);
      expect(text).toContain('c1 is given back, so that another worker can have it: seen in P');
      expect(text).toMatch(/c1\s+on its way back to the primary\s+→\s+waits in the primary's queue/);
      expect(await page.evaluate(`document.querySelectorAll('.keeps .broken').length`)).toBe(0);
      expect(page.errors).toEqual([]);
    } finally {
      await browser.close();
    }
  } finally {
    rmSync(directory, { recursive: true });
  }
}, 150_000);

test('one scene, recorded now: the page has both tracks, and the event that answers the question', async () => {
  const directory = mkdtempSync(path.join(tmpdir(), 'cluster-tour-'));
  try {
    const tracks = await record('killed', path.join(directory, 'tour.html'));
    expect(tracks.map(({ header }) => header.stock)).toEqual([false, true]);
    expect(tracks.map(({ events }) => events.some(({ event }) => event === 'reclaimed'))).toEqual([true, false]);
    // The picture of README.md shows what happened this time, too (which client came first may differ).
    const drawn = JSON.parse(readFileSync(path.join(__dirname, 'picture.json'), 'utf8')) as string[];
    expect([...await handOffs(tracks[0] ?? {})].sort(), 'npm run tour -- --picture test/tour/picture.svg').toEqual(drawn.sort());
    const picture = readFileSync(path.join(__dirname, 'picture.svg'), 'utf8');
    for (const act of ['newconn', 'accepted']) expect(picture.split(`>${act}<`)).toHaveLength(drawn.filter((line) => line.includes(act)).length + 1);
  } finally {
    rmSync(directory, { recursive: true });
  }
}, 150_000);
