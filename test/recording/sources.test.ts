/** The places in our sources that the events of a recording name, and the name of a release. */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { connectionPlaces, messagePlaces, release, statePlaces, type Place } from '../../internal/recording/sources';
import { root } from '../support/program';

const places: Place[] = [...Object.values(messagePlaces).flatMap(({ sent, received }) => [sent, received]), ...Object.values(connectionPlaces), ...Object.values(statePlaces)];

test('each place in our sources is there, once', () => {
  for (const [file, text] of places) {
    expect(existsSync(path.join(root, file)), file).toBe(true);
    expect([file, text, readFileSync(path.join(root, file), 'utf8').split('\n').filter((line) => line.includes(text)).length]).toEqual([file, text, 1]);
  }
});

test('every message of messages.ts has a place', () => {
  const acts = [...readFileSync(path.join(root, 'internal/messages.ts'), 'utf8').matchAll(/readonly act: '(\w+)'/g)].map((match) => match[1] as string);
  expect(acts.length).toBeGreaterThan(6);
  expect(acts.filter((act) => !(act in messagePlaces))).toEqual([]);
});

test('another text in any source that has a place makes another release', () => {
  const files = new Set(places.map(([file]) => file));
  const textOf = (file: string): string => readFileSync(path.join(root, file), 'utf8');
  expect(files.size).toBeGreaterThan(8);
  expect(release(textOf)).toBe(release());
  for (const one of files) expect([one, release((file) => `${textOf(file)}${file === one ? '\n' : ''}`)]).not.toEqual([one, release()]);
});
