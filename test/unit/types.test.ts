import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import type cluster from '../../lib/cluster';
import type { fork } from '../../lib/child_process';
import { root } from '../support/program';

/** Checked by the compiler (`tsc -p test`): our objects can stand where Node's do, without a cast. */
type Accepts<Theirs, Ours extends Theirs> = Ours;
export type OurCluster = Accepts<typeof import('node:cluster').default, typeof cluster>;
export type OurFork = Accepts<(modulePath: string, args?: readonly string[], options?: import('node:child_process').ForkOptions) => import('node:child_process').ChildProcess, typeof fork>;

test('every exported symbol has a doc comment', () => {
  const bare: string[] = [];
  for (const directory of ['lib', 'internal']) {
    for (const name of readdirSync(path.join(root, directory), { recursive: true, encoding: 'utf8' }).filter((one) => one.endsWith('.ts'))) {
      const lines = readFileSync(path.join(root, directory, name), 'utf8').split('\n');
      lines.forEach((line, at) => {
        const above = lines[at - 1] ?? '';
        if (/^export (?!=|\{|\*)/.test(line) && !/\*\/\s*$/.test(above)) bare.push(`${directory}/${name}:${at + 1} ${line}`);
      });
    }
  }
  expect(bare).toEqual([]);
});
