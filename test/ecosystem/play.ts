/**
 * Plays one drive, or a program's own test suite, on stock Node or on this project's code.
 *
 * Owns     while it runs: a directory, a port, and every process of the run, which it finds by ECOSYSTEM_PROBE in their
 *          environment; what is left at the end is ended and counted
 * Never    waits longer than the deadline for a run
 * Used by  ecosystem.ts
 */
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { spawn } from 'node:child_process';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { cleanEnvironment } from '../support/environment';
import { endAll, runningProcesses } from '../support/marked';
import { claimPort } from '../support/own_port';
import { dist, root } from '../support/program';
import type { Installed } from './install';

export type Side = 'stock' | 'ours';

/** What one run showed. */
export interface Played {
  readonly side: Side;
  /** The steps that were reached, in order. Of a suite that prints no TAP: one. */
  readonly steps: readonly Step[];
  /** Frames that our channel carried, in all processes. */
  readonly frames: number;
  /** Processes that the program left behind. */
  readonly left: number;
  /** The end of what it printed; for whoever reads a failure. */
  readonly output: string;
}

export interface Step {
  readonly name: string;
  /** Null if it went well. */
  readonly failure: string | null;
}

const PROBE = path.join(root, 'test/ecosystem/probe.js');
/** Milliseconds for a drive, and for a suite. */
const DEADLINE = { drive: 400_000, suite: 600_000 } as const;
/** Characters of stdout, and of stderr, that are kept: the last ones. */
const KEPT = 1 << 20;
/** Characters of the report. */
const OUTPUT = 8000;

export async function playDrive(installed: Installed, side: Side): Promise<Played> {
  const { directory, program } = installed;
  const ended = await runOn(side, { command: [process.execPath, path.join(directory, 'drives', program.drive)], cwd: directory, deadline: DEADLINE.drive });
  const steps = stepsIn(ended.stdout);
  // A drive that says that all went well, and yet ended in another way, has failed; so has one without a step.
  const isGood = ended.code === 0 && steps.length > 0;
  if (!isGood && steps.every(({ failure }) => failure === null)) steps.push({ name: 'the drive ends', failure: ended.how });
  return { side, steps, frames: ended.frames, left: ended.left, output: ended.output.slice(-OUTPUT) };
}

export async function playSuite({ directory, program }: Installed, suite: readonly [string, ...string[]], side: Side): Promise<Played> {
  const [specifier] = program.packages;
  const cwd = path.join(directory, 'node_modules', specifier.slice(0, specifier.lastIndexOf('@')));
  const ended = await runOn(side, { command: suite, cwd, deadline: DEADLINE.suite });
  // By their numbers: worker-farm's names hold times and pids, which differ from run to run.
  const steps = stepsIn(ended.stdout).map(({ name, failure }) => ({ name: /^\d+/.exec(name)?.[0] ?? name, failure: failure === null ? null : name }));
  return { side, steps: steps.length > 0 ? steps : [{ name: 'its own tests', failure: ended.code === 0 ? null : ended.how }], frames: ended.frames, left: ended.left, output: ended.output.slice(-OUTPUT) };
}

/** The lines `ok <step>` and `not ok <step>: <reason>`: of a drive, and of a suite that prints TAP. */
function stepsIn(stdout: string): Step[] {
  return stdout.split('\n').flatMap((line): Step[] => {
    const [, not, name = '', failure = 'failed'] = /^(not )?ok (.*?)(?:: (.*))?$/.exec(line) ?? [];
    return name === '' ? [] : [{ name, failure: not === undefined ? null : failure }];
  });
}

interface Run {
  readonly command: readonly [string, ...string[]];
  readonly cwd: string;
  readonly deadline: number;
}

interface Ended {
  readonly code: number | null;
  /** "exit code 1", "SIGKILL", "not ended within 240 s". */
  readonly how: string;
  readonly stdout: string;
  readonly output: string;
  readonly frames: number;
  readonly left: number;
}

/** Runs a command; every Node of it loads the probe, and on our side our cluster and our channel. */
async function runOn(side: Side, { command: [file, ...args], cwd, deadline }: Run): Promise<Ended> {
  const directory = mkdtempSync(path.join(tmpdir(), 'eco-'));
  const probe = path.join(directory, 'probe');
  mkdirSync(probe);
  const { port, release } = await claimPort();
  const loaded = [PROBE, ...(side === 'ours' ? [dist('lib/register.js'), dist('lib/register_fork.js')] : [])];
  const child = spawn(file, args, {
    cwd,
    env: cleanEnvironment({ PORT: String(port), TMPDIR: directory, ECOSYSTEM_PROBE: probe, NODE_OPTIONS: loaded.map((one) => `--require ${JSON.stringify(one)}`).join(' ') }),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const kept = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => { kept[name] = (kept[name] + text).slice(-KEPT); });
  }
  const ofThisRun = (): number[] => runningProcesses('ECOSYSTEM_PROBE', probe).filter(({ isMarked }) => isMarked).map(({ pid }) => pid);
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    endAll(ofThisRun);
  }, deadline);
  try {
    const [code, signal] = await new Promise<[number | null, NodeJS.Signals | null]>((resolve, reject) => {
      child.on('error', reject).on('exit', (...end) => resolve(end));
    });
    const left = endAll(ofThisRun);
    const how = isLate ? `not ended within ${deadline / 1000} s` : signal ?? `exit code ${code}`;
    return { code: isLate ? null : code, how, stdout: kept.stdout, output: `${kept.stdout}${kept.stderr}`, frames: framesIn(probe), left };
  } finally {
    clearTimeout(timer);
    await release();
    rmSync(directory, { recursive: true, force: true, maxRetries: 3 });
  }
}

function framesIn(probe: string): number {
  return readdirSync(probe).reduce((sum, pid) => sum + Number(readFileSync(path.join(probe, pid), 'utf8')), 0);
}
