// Guards that a look at the processes of a run misses none: one that was missed goes on when the run is over.
import { execFile, spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, expect, it, onTestFinished } from 'vitest';
import { endAll, runningProcesses } from '../support/marked';

const LOOKS = 50;
const directory = mkdtempSync(path.join(tmpdir(), 'marked-'));
afterAll(() => rmSync(directory, { recursive: true }));

/** The marked processes of the run whose directory is `of`. */
const marked = (of: string): number[] => runningProcesses('MARKED_RUN', of).filter(({ isMarked }) => isMarked).map(({ pid }) => pid);

/** In process numbers of its own: the next number is set there, and other tests must not meet numbers that come again at once. */
const IN_ITS_OWN = ['--pid', '--fork', '--mount-proc', '--kill-child', 'sh', '-c', '"$@"; exit $?', 'sh'] as const;

/** It needs root, and a kernel with that file. */
const canSetLastPid = (): boolean => spawnSync('unshare', [...IN_ITS_OWN, 'test', '-w', '/proc/sys/kernel/ns_last_pid']).status === 0;

/** A shell script. */
function written(text: string, file: string): string {
  writeFileSync(file, `#!/bin/sh\n${text}\n`);
  chmodSync(file, 0o755);
  return file;
}

/** Starts a shell script whose environment marks it; whatever is left of it is ended after the test. */
async function started(text: string, { run, mark = run }: { readonly run: string; readonly mark?: string }): Promise<ChildProcess> {
  const file = written(text, path.join(directory, path.basename(run)));
  const child = spawn(file, { env: { PATH: process.env['PATH'], MARKED_RUN: mark }, stdio: 'ignore' });
  onTestFinished(() => { rmSync(file); endAll(() => marked(run)); });
  await new Promise((resolve, reject) => { child.on('spawn', resolve).on('error', reject); });
  return child;
}

it('a process that changes into another program is seen in every look', async () => {
  const run = path.join(directory, 'changes');
  const { pid } = await started('exec "$0"', { run });
  const missed = Array.from({ length: LOOKS }, () => marked(run)).filter((pids) => !pids.includes(pid as number));
  expect(missed.length).toBe(0);
});

it('a process that starts another one and ends is seen, or the other one is, in every look', async () => {
  const run = path.join(directory, 'hands-on');
  await started('"$0" &', { run });
  const missed = Array.from({ length: LOOKS }, () => marked(run)).filter((pids) => pids.length === 0);
  expect(missed.length).toBe(0);
});

it.skipIf(!canSetLastPid())('so is one that got a low number, because the highest one was in use before it', async () => {
  const script = written('"$0" &', path.join(directory, 'wraps'));
  const program = path.join(__dirname, '../fixtures/marked_wraps.ts');
  const { stdout, stderr } = await promisify(execFile)('unshare', [...IN_ITS_OWN, process.execPath, '--require', 'tsx/cjs', program, script, String(LOOKS / 2)], { timeout: 50_000 });
  expect([stdout, stderr]).toEqual(['missed 0\n', '']);
});

it('a process whose variable names a place inside the directory belongs to the run; one beside it does not', async () => {
  const run = path.join(directory, 'place');
  const inside = await started('exec sleep 100', { run, mark: path.join(run, 'inside') });
  const beside = await started('exec sleep 100', { run: `${run}-beside` });
  expect(marked(run)).toEqual([inside.pid]);
  expect(endAll(() => marked(run))).toBe(1);
  expect(marked(`${run}-beside`)).toEqual([beside.pid]);
});
