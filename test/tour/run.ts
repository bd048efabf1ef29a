/**
 * npm run tour: records each scene on this machine, now, and writes one page that shows them all.
 *
 * Owns     a temporary directory with the recordings, which it deletes at the end
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { makePage, type PageScene } from '../../internal/page/page';
import { Sources } from '../../internal/page/sources';
import { takeWindow, WHOLE, writePage } from '../../internal/page/view';
import { readRecording } from '../../internal/recording/read';
import { root } from '../support/program';
import { runTool, WrongArgument } from '../support/tool';
import { handOffs, pictureOf } from './picture';
import { SCENES, type Recipe, type Scene } from './scenes';

/** Milliseconds for one program. The longest takes three seconds on an idle machine. */
const DEADLINE = 60_000;

runTool({
  name: 'tour',
  usage: 'npm run tour --',
  about: 'Records each scene of the tour on this machine, and writes a page that shows them: what the primary and its workers say to each other, and why.',
  takes: 'about 40 s on 2 slow CPUs',
  example: 'npm run tour -- --output tour.html',
  options: {
    output: { takes: 'text', default: 'tour.html', about: 'the page' },
    picture: { takes: 'text', about: 'makes only the picture of README.md, in this file' },
    scene: { takes: 'text', about: `only one scene: ${SCENES.map(({ key }) => key).join(', ')}` },
  },
}, async ({ values: { output, scene, picture } }) => {
  const file = path.resolve(output);
  const wanted = SCENES.filter(({ key }) => scene === undefined || key === scene);
  if (wanted.length === 0) throw new WrongArgument(`there is no scene ${String(scene)}`);
  const directory = mkdtempSync(path.join(tmpdir(), 'cluster-internals-tour-'));
  try {
    if (picture !== undefined) return await drawPicture(path.resolve(picture), directory);
    const sources = new Sources();
    const scenes: PageScene[] = [];
    for (const one of wanted) {
      console.log(`${one.key}: ${one.tracks.map(({ program, stock }) => `${program.join(' ')}${stock === true ? ' (stock)' : ''}`).join(', ')}`);
      scenes.push(await sceneOf(one, directory, sources));
    }
    writePage(file, makePage({ title: 'cluster-internals', scenes, sources: sources.texts, texts: { en: textsOf('en'), zh: textsOf('zh') } }));
    console.log(`Open ${file}`);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});

/** The part of the scene 'killed' that runs on our cluster. */
async function drawPicture(file: string, directory: string): Promise<void> {
  const recording = path.join(directory, 'picture.jsonl');
  await recorded({ program: ['killed_in_flight.ts'] }, recording);
  const { track } = await takeWindow(await readRecording(recording), '', WHOLE, new Sources());
  writeFileSync(file, await pictureOf(track));
  writeFileSync(file.replace(/\.svg$/, '.json'), `${JSON.stringify(await handOffs(track), null, 2)}\n`);
  console.log(`${file} is drawn`);
}

const textsOf = (language: string): object => JSON.parse(readFileSync(path.join(__dirname, `${language}.json`), 'utf8')) as object;

async function sceneOf({ key, tracks, answer, facts }: Scene, directory: string, sources: Sources): Promise<PageScene> {
  const taken = [];
  const printed: string[] = [];
  for (const [at, recipe] of tracks.entries()) {
    const file = path.join(directory, `${key}-${at}.jsonl`);
    printed.push(await recorded(recipe, file));
    taken.push(await takeWindow(await readRecording(file), recipe.label ?? 'cluster-internals', WHOLE, sources));
  }
  const program = tracks.map(({ program: [name, ...args], stock }) => ['cluster-internals record', ...(stock === true ? ['--stock'] : []), `test/examples/${name}`, ...args].join(' '));
  return { key, tracks: taken.map(({ track }) => track), program: [...new Set(program)].join('  ·  '), answer, ...(facts === undefined ? {} : { facts: facts(printed) }) };
}

/** Records a program; gives what it has printed. */
function recorded({ program: [name, ...args], stock, payloads }: Recipe, file: string): Promise<string> {
  const flags = [...(stock === true ? ['--stock'] : []), ...(payloads === true ? ['--payloads'] : []), '-o', file];
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ['--require', 'tsx/cjs', path.join(root, 'dist/lib/cli.js'), 'record', ...flags, path.join(root, 'test/examples', name), ...args],
      { cwd: root, stdio: ['ignore', 'pipe', 'pipe'], timeout: DEADLINE });
    let text = '';
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (part: string) => { text += part; });
    child.on('error', reject);
    child.on('close', (code) => {
      if (code === 0) resolve(text);
      else reject(new Error(`${name} ended with ${String(code)}:\n${text}`));
    });
  });
}
