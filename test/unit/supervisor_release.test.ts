/** Guards that a reload finds the new release, its script and its directory, in the layouts that deployments use. */
import { mkdirSync, mkdtempSync, realpathSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { releases, type ReleaseNames, type Surroundings } from '../../internal/supervisor/release';
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

test('a symlink of another name, which only the script shows: the directory has it, too', () => {
  symlinkSync(at('releases/1'), at('live'));
  const names = releases(at('live/app.js'), () => undefined, { directory: at('releases/1'), pwd: undefined, program: undefined });
  rmSync(at('live'));
  symlinkSync(at('releases/2'), at('live'));
  expect(names.find()).toEqual({ exec: at('releases/2/app.js'), cwd: at('releases/2') });
});

test('two symlinks on the way, and a directory beside a file of that name: the names lead there still', () => {
  // relative('/…/1', '/…/1-old') begins with two dots, and so does relative('/…/1', '/…/..x').
  for (const name of ['releases/1-old', 'releases/1/..x']) {
    mkdirSync(at(name));
    writeFileSync(at(name, 'app.js'), '');
  }
  const around = { directory: at('releases/1'), pwd: at('current'), program: undefined };
  const [beside, inside] = ['releases/1-old', 'releases/1/..x'].map((name) => releases(at(name, 'app.js'), () => undefined, around));
  expect([beside?.find().exec, inside?.find().exec]).toEqual([at('releases/1-old/app.js'), at('releases/1/..x/app.js')]);
  mkdirSync(at('releases/2/..x'));
  writeFileSync(at('releases/2/..x/app.js'), '');
  point('2');
  expect([beside?.find().exec, inside?.find().exec], 'only what is inside the release goes to the next one').toEqual([at('releases/1-old/app.js'), at('releases/2/..x/app.js')]);
});

test('a name that ends in a slash; a program whose process is in that directory', () => {
  const before = process.cwd();
  process.chdir(at('releases/1'));
  try {
    const slash = releases('app.js', () => undefined, { directory: at('releases/1'), pwd: `${at('releases/1')}/`, program: undefined });
    const names = releases('app.js', () => undefined, { directory: at('releases/1'), pwd: undefined, program: undefined });
    process.chdir('/');
    point('2');
    expect(names.find(), 'a relative script is no name by which the directory could be found').toEqual({ exec: at('releases/2/app.js'), cwd: at('releases/2') });
    expect(slash.find()).toEqual({ exec: at('releases/1/app.js'), cwd: at('releases/1') });
  } finally {
    process.chdir(before);
  }
});

test('the endings that node would try', () => {
  for (const [file, ending] of [['a', '.cjs'], ['b', '.mjs'], ['c', '.js']]) writeFileSync(at('releases/1', `${file}${ending}`), '');
  const exec = (name: string): string => releases(name, () => undefined, { directory: at('releases/1'), pwd: undefined, program: undefined }).find().exec;
  expect(['a', 'b', 'c', 'c.js'].map(exec)).toEqual(['a.cjs', 'b.mjs', 'c.js', 'c.js'].map((name) => at('releases/1', name)));
});

test('other names, for a reload: a relative one belongs to the directory, a real one gets its symlink, and what is not given stays', () => {
  const names = releases('app.js', () => at('current'), { directory: at('releases/1'), pwd: at('current'), program: undefined });
  const [relative, real] = [names.with({ exec: 'dist/app.js' }), names.with({ exec: at('releases/1/dist/app.js') })];
  const moved = real.with({ cwd: 'dist' });
  const back = moved.with({ exec: 'app.js' });
  expect(back.find()).toEqual({ exec: at('releases/1/app.js'), cwd: at('releases/1/dist') });
  point('2');
  for (const one of [relative, real]) expect(one.find()).toEqual({ exec: at('releases/2/dist/app.js'), cwd: at('releases/2') });
  expect(moved.find()).toEqual({ exec: at('releases/2/dist/app.js'), cwd: at('releases/2/dist') });
  expect(names.find(), 'unchanged').toEqual({ exec: at('releases/2/app.js'), cwd: at('releases/2') });
  // The symlink leads to release 2 now, so it is no name for release 1.
  for (const name of ['app.js', 'app']) expect(names.with({ exec: at('releases/1/dist', name) }).find().exec).toBe(at('releases/1/dist/app.js'));
});

describe('a symlink named current that nobody has named', () => {
  const inDirectory = (directory: string, exec = 'app.js'): ReleaseNames => releases(exec, () => undefined, { directory: at(directory), pwd: undefined, program: undefined });

  test('beside the release; and to a directory above that of the program', () => {
    symlinkSync(at('releases/1'), at('releases/current'));
    rmSync(at('current'));
    const beside = inDirectory('releases/1');
    rmSync(at('releases/current'));
    symlinkSync(at('releases/2'), at('releases/current'));
    expect(beside.find()).toEqual({ exec: at('releases/2/app.js'), cwd: at('releases/2') });
    const above = inDirectory('releases/2/dist');
    rmSync(at('releases/current'));
    symlinkSync(at('releases/1'), at('releases/current'));
    expect(above.find()).toEqual({ exec: at('releases/1/dist/app.js'), cwd: at('releases/1/dist') });
  });

  test('it leads to another release, or there is none: it is no name', () => {
    point('2');
    expect(inDirectory('releases/1', at('releases/1/app')).find()).toEqual({ exec: at('releases/1/app.js'), cwd: at('releases/1') });
    rmSync(at('current'));
    expect(inDirectory('releases/1', at('releases/1/app')).find()).toEqual({ exec: at('releases/1/app.js'), cwd: at('releases/1') });
  });

  test('the directory itself is named so, and a symlink leads to it', () => {
    mkdirSync(at('app/current'), { recursive: true });
    writeFileSync(at('app/current/app.js'), '');
    rmSync(at('current'));
    symlinkSync(at('app/current'), at('current'));
    const names = inDirectory('app/current');
    point('2');
    expect(names.find()).toEqual({ exec: at('releases/2/app.js'), cwd: at('releases/2') });
  });
});

test('a path that cannot be followed: the error of the system, not that there is no such file', () => {
  symlinkSync('loop', at('loop'));
  const around = { directory: at('releases/1'), pwd: undefined, program: undefined };
  expect(thrownBy(releases(at('loop'), () => undefined, around).find).code).toBe('ELOOP');
  expect(thrownBy(releases('app.js', () => at('loop'), around).find).code).toBe('ELOOP');
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
