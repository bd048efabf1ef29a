/** The tour: each scene has its texts in both languages, its program, and an answer that is in its recording. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, test } from 'vitest';
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

test('one scene, recorded now: the page has both tracks, and the event that answers the question', async () => {
  const directory = mkdtempSync(path.join(tmpdir(), 'cluster-tour-'));
  try {
    const file = path.join(directory, 'tour.html');
    const { code, stdout, stderr } = await run(path.join(__dirname, 'run.ts'), { execArgv: ['--require', 'tsx/cjs'], args: ['--scene', 'killed', '--output', file], deadline: 120_000 });
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toContain(`Open ${file}`);
    const data = JSON.parse(/id="data">(.*)<\/script>/.exec(readFileSync(file, 'utf8'))?.[1] ?? '') as { scenes: { tracks: { header: { stock: boolean }; events: Record<string, unknown>[] }[] }[] };
    const tracks = data.scenes[0]?.tracks ?? [];
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
