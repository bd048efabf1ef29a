/**
 * npm run random: plays random sequences of operations under node:cluster and under ours, and compares what
 * every process saw. At the first difference it stops, shrinks the sequence, and prints both traces. With --moves:
 * sequences in which connections move, under ours, against a model of what a client may see.
 *
 * Uses     sequences.ts, player.js, moves.ts
 */
import { availableParallelism } from 'node:os';
import { announce, counted, duration, paint, Progress } from '../support/terminal';
import { runTool, versionOfNode } from '../support/tool';
import { generateMoves, playMoves, type Played } from './moves';
import { differs, generate, shrink, type Difference } from './sequences';

/** Milliseconds of processor time for one sequence under both implementations, measured with 20 of them on Node 20. */
const COST = 2500;
/** The same for one sequence with moves, measured with 100 of them on Node 20. */
const MOVES_COST = 350;
/** How many sequences with moves are played in one cluster: each cluster costs three forks. */
const MOVES_TOGETHER = 20;

runTool({
  name: 'random',
  usage: 'npm run random --',
  about: 'Plays random sequences of operations under node:cluster and under ours, and compares what every\nprocess saw. Stops at the first difference, shrinks the sequence and prints both traces; then the\nexit code is 1.\nWith --moves: connections move while clients ask, and workers are killed, leave and close. Each\nrequest must be answered once, by one of the workers, or its connection closed where its worker\nended.',
  takes: 'about 2.5 s of processor time for each sequence: 2000 of them take some 40 minutes on 2 CPUs',
  example: 'npm run random -- --count 100 --seed 7',
  options: {
    count: { takes: 'whole number', default: 2000, about: 'how many sequences' },
    seed: { takes: 'whole number', default: 1, least: 0, about: 'the seed of the first; the next has the next number' },
    jobs: { takes: 'whole number', default: 2, about: 'how many are played at a time' },
    node: { takes: 'text', default: process.execPath, about: 'the Node that runs both sides' },
    moves: { takes: 'nothing', about: 'sequences in which connections move (about 0.35 s of processor time each)' },
  },
}, ({ values }) => (values.moves ? moves(values) : main(values)));

async function main({ count, seed: first, jobs, node }: { count: number; seed: number; jobs: number; node: string }): Promise<void> {
  const version = versionOfNode(node);
  const last = first + count - 1;
  const failed = new Map<number, Difference>();
  let next = first;
  let played = 0;
  announce('random', `${counted(count, 'sequence')} on Node ${version}, about ${duration((count * COST) / Math.min(jobs, availableParallelism()))}`);
  const progress = new Progress(count);
  const job = async (): Promise<void> => {
    while (next <= last && failed.size === 0) {
      const seed = next++;
      const difference = await differs(generate(seed), node);
      if (difference !== null) failed.set(seed, difference);
      played++;
      progress.step(`${failed.size} different`);
    }
  };
  await Promise.all(Array.from({ length: Math.min(jobs, count) }, job));
  progress.clear();
  for (const [seed, found] of failed) {
    console.log(`${paint('red', `seed ${seed} differs`)}: ${JSON.stringify(generate(seed))}`);
    announce('random', 'looks for a shorter sequence that differs');
    const shortest = await shrink(generate(seed), node);
    const again = await differs(shortest, node);
    console.log(again === null ? 'played once more, it did not differ' : `shrunk: ${JSON.stringify(shortest)}`);
    print(again ?? found);
  }
  const sum = `${counted(played, 'sequence')} on Node ${version}, seeds ${first} to ${next - 1}: ${played - failed.size} alike, ${failed.size} different`;
  console.log(paint(failed.size > 0 ? 'red' : 'green', sum));
  process.exitCode = failed.size > 0 ? 1 : 0;
}

/** Plays sequences with moves. Stops after the first piece in which a client saw what it may not see. */
async function moves({ count, seed: first, jobs, node }: { count: number; seed: number; jobs: number; node: string }): Promise<void> {
  const version = versionOfNode(node);
  announce('random', `${counted(count, 'sequence')} with moves on Node ${version}, about ${duration((count * MOVES_COST) / Math.min(jobs, availableParallelism()))}`);
  const progress = new Progress(count);
  const all: Played[] = [];
  const failed = (): Played[] => all.filter(({ wrong }) => wrong.length > 0);
  let next = first;
  const job = async (): Promise<void> => {
    while (next < first + count && failed().length === 0) {
      const seeds = Array.from({ length: Math.min(MOVES_TOGETHER, first + count - next) }, () => next++);
      for (const played of await playMoves(seeds, node)) {
        all.push(played);
        progress.step(`${failed().length} wrong`);
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(jobs, count) }, job));
  progress.clear();
  for (const { seed, wrong } of failed()) {
    console.log(`${paint('red', `seed ${seed}`)}: ${JSON.stringify(generateMoves(seed))}`);
    for (const what of wrong) console.log(what);
  }
  const sum = (number: (played: Played) => number): number => all.reduce((total, played) => total + number(played), 0);
  console.log(`${sum(({ answered }) => answered)} answers to ${sum(({ clients }) => clients)} clients; ${sum(({ moved }) => moved)} moves, ` +
    `${sum(({ reclaimed }) => reclaimed)} connections reclaimed, ${sum(({ closed }) => closed)} closed where their worker ended`);
  console.log(paint(failed().length > 0 ? 'red' : 'green', `${counted(all.length, 'sequence')} with moves on Node ${version}, seeds ${first} to ${next - 1}: ${failed().length} wrong`));
  process.exitCode = failed().length > 0 ? 1 : 0;
}

/** The lines that only one of the two has, then both. */
function print({ node, ours }: Difference): void {
  const [nodeLines, ourLines] = [node.split('\n'), ours.split('\n')];
  for (const line of nodeLines.filter((one) => !ourLines.includes(one))) console.log(`only node:cluster: ${line}`);
  for (const line of ourLines.filter((one) => !nodeLines.includes(one))) console.log(`only ours:         ${line}`);
  console.log(`── node:cluster\n${node}\n── ours\n${ours}`);
}
