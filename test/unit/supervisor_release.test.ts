/** Guards that a reload finds the new release, its script and its directory, in the layouts that deployments use. */
import { mkdirSync, mkdtempSync, realpathSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { releases, type Surroundings } from '../../internal/supervisor/release';
import { thrownBy } from '../support/children';

let root = '';
const at = (...names: string[]): string => path.join(root, ...names);

/** Capistrano's layout: releases/1, releases/2, current → releases/1. */
beforeEach(() => {
  root = realpathSync(mkdtempSync(path.join(tmpdir(), 'releases-')));
  for (const release of ['1', '2']) {
    mkdirSync(at('releases', release, 'dist'), { recursive: true });
    for (const script of ['app.js', 'dist/app.js']) writeFileSync(at('releases', release, script), '');
  }
  point('1');
});
afterEach(() => rmSync(root, { recursive: true }));

function point(release: string): void {
  symlinkSync(at('releases', release), at('next'));
  renameSync(at('next'), at('current'));
}

/** The script and directory that are found before `current` points to release 2, and after. */
function found(exec: string, around: Partial<Surroundings>, cwd?: string): string[] {
  const names = releases(exec, () => cwd, { directory: at('releases/1'), pwd: undefined, program: undefined, ...around });
  return [0, 1].flatMap((turn) => {
    if (turn === 1) point('2');
    const release = names.find();
    return [path.relative(root, release.exec), path.relative(root, release.cwd)];
  });
}

const whole = ['releases/1/app.js', 'releases/1', 'releases/2/app.js', 'releases/2'];

test.each<[string, () => string[], string[]]>([
  ['cd current && node app.js, in a shell', () => found(at('releases/1/app.js'), { pwd: at('current'), program: at('releases/1/app.js') }), whole],
  ['the same by a service manager that sets no PWD', () => found(at('releases/1/app.js'), { program: at('releases/1/app.js') }), whole],
  ['PWD of another process', () => found(at('releases/1/app.js'), { pwd: '/' }), whole],
  ['cd current/dist && node app.js', () => found(at('releases/1/dist/app.js'), { directory: at('releases/1/dist'), pwd: at('current/dist') }),
    ['releases/1/dist/app.js', 'releases/1/dist', 'releases/2/dist/app.js', 'releases/2/dist']],
  ['cd current/dist, and a script outside of it', () => found(at('releases/1/app.js'), { directory: at('releases/1/dist'), pwd: at('current/dist') }),
    ['releases/1/app.js', 'releases/1/dist', 'releases/2/app.js', 'releases/2/dist']],
  ['a relative script', () => found('dist/app', { pwd: at('current') }), ['releases/1/dist/app.js', 'releases/1', 'releases/2/dist/app.js', 'releases/2']],
  ['exec: /…/current/app.js, in current', () => found(at('current/app.js'), {}), whole],
  ['exec: __filename of a program started as /…/current/app.js, from elsewhere', () => found(at('releases/1/app.js'), { directory: root, program: at('current/app.js') }),
    ['releases/1/app.js', '', 'releases/2/app.js', '']],
  ['exec: /…/current/app.js, from elsewhere', () => found(at('current/app.js'), { directory: root }), ['releases/1/app.js', '', 'releases/2/app.js', '']],
  ['cwd given', () => found(at('current/app.js'), { directory: '/' }, at('current')), whole],
  ['cwd given, relative to the directory', () => found(at('current/app.js'), { directory: root }, 'current'), whole],
  ['named by the path of release 1 itself: stays at release 1', () => found(at('releases/1/app.js'), { pwd: at('releases/1'), program: at('releases/1/app.js') }),
    ['releases/1/app.js', 'releases/1', 'releases/1/app.js', 'releases/1']],
  ['a script of release 1, run from elsewhere: stays at release 1', () => found(at('releases/1/app.js'), { directory: root }), ['releases/1/app.js', '', 'releases/1/app.js', '']],
])('%s', (_name, find, expected) => {
  expect(find()).toEqual(expected);
});

test('a script or a directory that does not exist: the error names it', () => {
  const around = { directory: at('releases/1'), pwd: at('current'), program: undefined };
  const names = releases('app.js', () => undefined, around);
  rmSync(at('current'));
  expect(thrownBy(names.find)).toMatchObject({ code: 'ENOENT', message: `there is no script ${at('current/app.js')}` });
  expect(thrownBy(releases(at('releases/1/app.js'), () => at('nowhere'), around).find)).toMatchObject({ code: 'ENOENT', message: `there is no directory ${at('nowhere')}` });
  expect(thrownBy(releases(at('releases/1/app.js'), () => at('releases/1/app.js'), around).find).code).toBe('ENOTDIR');
});

test('the old release is deleted: the names with symlinks still lead to the new one', () => {
  const names = releases('app.js', () => undefined, { directory: at('releases/1'), pwd: at('current'), program: undefined });
  point('2');
  rmSync(at('releases/1'), { recursive: true });
  expect(names.find()).toEqual({ exec: at('releases/2/app.js'), cwd: at('releases/2') });
});
