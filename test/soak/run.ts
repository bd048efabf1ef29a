/**
 * npm run soak: looks for what hangs, leaks or gets lost when things go on for a long time. Its parts are storms
 * of kills, messages, forks and connections, reloads, fuzz cases, the model check, and faults at message
 * boundaries. Each part runs at least once. Its size fits the minutes that were asked for; the full sizes (the
 * figures of the README) take ten minutes. Then one primary goes through a long storm, and its growth is
 * measured. At the end comes a table.
 *
 * Uses     storm.ts, table.ts, *_program.js and *_program.ts, ../fuzz, ../boundary, ../model
 */
import { playPrimaryFault, playWorkerFaults } from '../boundary/play';
import { allFaults } from '../boundary/messages';
import { fuzz } from '../fuzz/fuzz';
import { targets } from '../fuzz/targets';
import type { Explored } from '../model/explore';
import { small, whole } from '../model/settings';
import { run } from '../support/program';
import { announce, duration, Progress } from '../support/terminal';
import { WrongArgument, positive, runTool } from '../support/tool';
import { storm, type Storm, type StormOptions } from './storm';
import { isGood, slope, table, type Figure } from './table';
import path from 'node:path';

let minutes = 1;
/** Does each part have its full size? */
let full = false;
/** Minutes that the shortest full run takes: eight for the parts, and five for the last storm. */
const FULL_RUN = 13;
/** The size of a part in a run of `minutes`, of which the full size takes ten. */
const part = (size: number, least: number): number => (full ? size : Math.max(least, Math.round((size * minutes) / 10)));
const begun = performance.now();
const figures: Figure[] = [];
const progress = new Progress(0);
/** On a terminal: what runs now. */
const now = (text: string): void => progress.show(`${passed()}  … ${text}`);
const passed = (): string => `${((performance.now() - begun) / 60_000).toFixed(1)} min`;
/** A result, as a line of its own. */
function say(text: string): void {
  progress.clear();
  console.log(`${passed()}  ${text}`);
}
const HOUR = 3_600_000;

const storms: StormOptions[] = (['rr', 'none'] as const).flatMap((policy) => (['pipelined', 'node'] as const).map((dialect) => ({ policy, dialect, kills: 0 })));
const sum = { kills: 0, served: 0, reset: 0, hung: 0, twice: 0, deaths: 0, fds: 0, storms: 0 };
async function storming(kills: number, seed: number, kinds = storms): Promise<Storm[]> {
  const all: Storm[] = [];
  for (const kind of kinds) {
    now(`storm ${kind.policy} ${kind.dialect}, ${kills} kills`);
    const seen: Storm = await storm({ ...kind, kills, seed });
    sum.storms++;
    all.push(seen);
    for (const name of ['kills', 'served', 'reset', 'hung', 'twice'] as const) sum[name] += seen[name];
    if (seen.died !== null) sum.deaths++;
    else sum.fds += Math.max(0, seen.fds[1] - seen.fds[0]);
    say(`storm ${kind.policy} ${kind.dialect}: ${seen.kills} kills, ${seen.served} served, ${seen.reset} reset, ${seen.hung} hung, ${seen.twice} twice${seen.died === null ? '' : `, died ${seen.died}`}`);
  }
  return all;
}

async function program<Result>(file: string, options: object): Promise<Result> {
  const execArgv = file.endsWith('.ts') ? ['--require', 'tsx/cjs'] : [];
  const { code, stdout, stderr } = await run(path.join(__dirname, file), { execArgv, args: [JSON.stringify(options)], deadline: HOUR });
  if (code !== 0) throw new Error(`${file} ended with ${code}: ${stderr}`);
  return JSON.parse(stdout.trim()) as Result;
}

async function messages(count: number): Promise<void> {
  now(`${count} messages`);
  const { sent, received, disordered } = await program<{ sent: number; received: number; disordered: number }>('messages_program.js', { workers: 16, messages: count });
  say(`messages: ${sent} sent, ${received} received, ${disordered} out of order`);
  figures.push({ figure: `messages lost, of ${sent} both ways with 16 workers`, value: sent - received, exactly: 0 }, { figure: 'messages out of order', value: disordered, exactly: 0 });
}

async function cycles(count: number, connections: number): Promise<void> {
  now(`${count} forks, ${connections} connections`);
  const seen = await program<{ failed: number; fds: [number, number] }>('cycles_program.js', { cycles: count, connections });
  say(`${count} forks, ${connections} connections: ${seen.failed} failed, fds ${seen.fds.join(' → ')}`);
  figures.push(
    { figure: `connections that failed, of ${connections}`, value: seen.failed, exactly: 0 },
    { figure: `fds more after ${count} fork/exit cycles and ${connections} connections`, value: seen.fds[1] - seen.fds[0], most: 0 },
  );
}

async function reloads(count: number): Promise<void> {
  now(`${count} reloads`);
  interface Seen { requests: number; failures: string[]; refused: string[]; least: number; fds: [number, number] }
  const { requests, failures, refused, least, fds } = await program<Seen>('reloads_program.ts', { reloads: count });
  for (const why of new Set([...failures, ...refused])) console.log(why);
  say(`${count} reloads: ${requests} requests, ${failures.length} failed; ${refused.length} reloads refused, never fewer than ${least} workers ready, fds ${fds.join(' → ')}`);
  figures.push(
    { figure: `requests failed, of ${requests} in ${count} reloads`, value: failures.length, exactly: 0 },
    { figure: `reloads that did not end well, of ${count}`, value: refused.length, exactly: 0 },
    { figure: 'workers fewer than wanted during reloads', value: 2 - least, exactly: 0 },
    { figure: `fds more after ${count} reloads`, value: fds[1] - fds[0], most: 0 },
  );
}

/** Cases between two turns of the event loop, so that a signal waits some milliseconds at most. */
const CASES_PER_TURN = 20;

async function fuzzing(first: number, count: number): Promise<void> {
  let failed = 0;
  for (const target of targets) {
    now(`fuzz, ${target.name}`);
    const end = first + Math.round((count * target.share) / 100);
    for (let seed = first; seed < end; seed += CASES_PER_TURN) {
      const failure = fuzz(target, seed, Math.min(CASES_PER_TURN, end - seed));
      await new Promise((resolve) => setImmediate(resolve));
      if (failure === null) continue;
      failed++;
      console.log(`fuzz, ${target.name}, seed ${failure.seed}: ${failure.why}\n  ${failure.shrunk}`);
      break;
    }
  }
  say(`fuzz: ${count} cases, ${failed} targets failed`);
  figures.push({ figure: `fuzz targets that failed, in ${count} cases`, value: failed, exactly: 0 });
}

async function faults(): Promise<void> {
  now('faults at message boundaries');
  const all = allFaults();
  const ofWorkers = all.filter(({ victim }) => victim === 'worker');
  const wrong: string[] = [];
  for (let at = 0; at < ofWorkers.length; at += 20) wrong.push(...await playWorkerFaults(ofWorkers.slice(at, at + 20)));
  for (const fault of all.filter(({ victim }) => victim === 'primary')) wrong.push(...await playPrimaryFault(fault));
  for (const one of wrong) console.log(one);
  say(`faults at message boundaries: ${all.length}, ${wrong.length} complaints`);
  figures.push({ figure: `complaints about ${all.length} faults at message boundaries`, value: wrong.length, exactly: 0 });
}

/** Runs in a process of its own, since it computes for minutes without a turn of the event loop. */
async function model(): Promise<void> {
  let states = 0;
  for (const name of Object.keys(full ? whole : small)) {
    now(`model, ${name}`);
    const seen = await program<Explored>('model_program.ts', { setting: name });
    states += seen.states;
    say(`model, ${name}: ${seen.states} states`);
  }
  figures.push({ figure: 'states visited by the model check, without a counterexample', value: states });
}

async function main(): Promise<void> {
  await storming(part(600, 20), 1);
  for (let short = 0; short < 20; short++) await storming(20, 100 + short, storms.slice(short % 4, (short % 4) + 1));
  await messages(part(1_000_000, 50_000));
  await cycles(part(1000, 50), part(100_000, 5000));
  await reloads(part(100, 5));
  await fuzzing(1, part(100_000, 5000));
  await model();
  await faults();
  // The rest of the time, half a minute at least: one primary in one storm, whose growth is measured.
  const left = Math.max(full ? 5 : 0.5, minutes - (performance.now() - begun) / 60_000);
  const [last] = await storming(Math.round(left * 600), 2, storms.slice(0, 1));
  const samples = last?.samples ?? [];
  figures.push(
    // A short storm does not reach a steady state: the limits hold for a long one only.
    { figure: `growth of the primary's RSS in the last half of a ${left.toFixed(1)} min storm, MB/min`, value: slope(samples.map(([at, rss]) => [at, rss])), ...(left >= 5 ? { most: 1 } : {}) },
    { figure: "growth of the primary's fds there, per minute", value: slope(samples.map(([at, , fds]) => [at, fds])), ...(left >= 5 ? { most: 2 } : {}) },
  );
  figures.unshift(
    { figure: 'clients served in storms', value: sum.served }, { figure: 'clients reset in storms: their worker was killed', value: sum.reset },
    { figure: `clients hung, in ${sum.kills} kills`, value: sum.hung, exactly: 0 }, { figure: 'connections served twice', value: sum.twice, exactly: 0 },
    { figure: `primary deaths, in ${sum.storms} storms without an 'error' listener`, value: sum.deaths, exactly: 0 },
    { figure: 'fds more after storms', value: sum.fds, most: 0 },
  );
  console.log(`\n${table(figures)}`);
  process.exitCode = figures.every(isGood) ? 0 : 1;
}

runTool({
  name: 'soak',
  usage: 'npm run soak --',
  about: 'Looks for what hangs, leaks or gets lost in the long run: storms of kills, messages, forks, reloads,\nfuzz cases, the model check and faults at message boundaries. Prints a table of figures.\nExit code 1: a figure is not what it must be.',
  takes: 'the minutes that you ask for; a short run can take longer, since each part runs at least once',
  example: 'npm run soak -- 10',
  options: {},
  positionals: { name: '[minutes]', about: 'how long; 1 by default, every part has its full size from 10 on' },
}, async ({ positionals }) => {
  if (positionals.length > 1) throw new WrongArgument(`takes one number of minutes, not '${positionals.join(' ')}'`);
  minutes = positive('minutes', positionals[0] ?? '1');
  full = minutes >= 10;
  announce('soak', full ? `every part at its full size, about ${duration(Math.max(FULL_RUN, minutes) * 60_000)}` : `smaller parts than in a run of 10 minutes; ${duration(minutes * 60_000)}, or longer, since each part runs at least once`);
  await main();
});
