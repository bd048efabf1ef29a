// Guards that a look at the processes of a run misses none: one that was missed goes on when the run is over.
import { spawn, type ChildProcess } from 'node:child_process';
import { accessSync, chmodSync, constants, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, expect, it, onTestFinished } from 'vitest';
import { endAll, runningProcesses } from '../support/marked';

const LOOKS = 50;
const directory = mkdtempSync(path.join(tmpdir(), 'marked-'));
afterAll(() => rmSync(directory, { recursive: true }));

/** The marked processes of the run whose directory is `of`. */
const marked = (of: string): number[] => runningProcesses('MARKED_RUN', of).filter(({ isMarked }) => isMarked).map(({ pid }) => pid);

/** The number of the process that was started last: the next one gets the next free number. */
const LAST_PID = '/proc/sys/kernel/ns_last_pid';

function canSetLastPid(): boolean {
  try {
    accessSync(LAST_PID, constants.W_OK);
    return true;
  } catch {
    return false; // It needs root, and a kernel with that file.
  }
}

/** Starts a shell script whose environment marks it; whatever is left of it is ended after the test. */
async function started(text: string, { run, mark = run }: { readonly run: string; readonly mark?: string }): Promise<ChildProcess> {
  const file = path.join(directory, path.basename(run));
  writeFileSync(file, `#!/bin/sh\n${text}\n`);
  chmodSync(file, 0o755);
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
  const run = path.join(directory, 'wraps');
  await started('"$0" &', { run });
  const highest = Number(readFileSync('/proc/sys/kernel/pid_max', 'utf8'));
  const missed = Array.from({ length: LOOKS }, (_, at) => {
    writeFileSync(LAST_PID, String(highest - 2 - at % 20)); // The numbers begin anew within this look.
    return marked(run);
  }).filter((pids) => pids.length === 0);
  expect(missed.length).toBe(0);
});

it('a process whose variable names a place inside the directory belongs to the run; one beside it does not', async () => {
  const run = path.join(directory, 'place');
  const inside = await started('exec sleep 100', { run, mark: path.join(run, 'inside') });
  const beside = await started('exec sleep 100', { run: `${run}-beside` });
  expect(marked(run)).toEqual([inside.pid]);
  expect(endAll(() => marked(run))).toBe(1);
  expect(marked(`${run}-beside`)).toEqual([beside.pid]);
});
