/**
 * npm run random -- [--count 2000] [--seed 1] [--node PATH] [--jobs 2]
 *
 * Plays many random sequences under node:cluster and under ours. Ends with 1 at the first that
 * differs, and prints its seed, the shrunk sequence and both traces; with 2 on a wrong argument.
 */
import { runTool, versionOfNode } from '../support/tool';
import { differs, generate, shrink, type Difference } from './sequences';

runTool({
  name: 'random',
  usage: 'npm run random --',
  about: 'Plays random sequences of operations under node:cluster and under ours.\nEnds with 1 at the first that differs, with 2 on a wrong argument.',
  options: {
    count: { takes: 'whole number', default: 2000, about: 'how many sequences' },
    seed: { takes: 'whole number', default: 1, least: 0, about: 'the first one’s seed' },
    jobs: { takes: 'whole number', default: 2, about: 'how many at a time' },
    node: { takes: 'text', default: process.execPath, about: 'the Node that runs both' },
  },
}, ({ values }) => main(values));

async function main({ count, seed: first, jobs, node }: { count: number; seed: number; jobs: number; node: string }): Promise<void> {
  const version = versionOfNode(node);
  const last = first + count - 1;
  const failed = new Map<number, Difference>();
  let next = first;
  let played = 0;
  const job = async (): Promise<void> => {
    while (next <= last && failed.size === 0) {
      const seed = next++;
      const difference = await differs(generate(seed), node);
      if (difference !== null) failed.set(seed, difference);
      if (++played % 50 === 0) console.log(`${played} of ${last - first + 1} sequences, ${failed.size} different`);
    }
  };
  await Promise.all(Array.from({ length: Math.min(jobs, count) }, job));
  for (const [seed, found] of failed) {
    console.log(`seed ${seed} differs: ${JSON.stringify(generate(seed))}`);
    const shortest = await shrink(generate(seed), node);
    const again = await differs(shortest, node);
    console.log(again === null ? 'not again, when played once more' : `shrunk: ${JSON.stringify(shortest)}`);
    print(again ?? found);
  }
  console.log(`${played} sequences on Node ${version}, seeds ${first} to ${next - 1}: ${played - failed.size} alike, ${failed.size} different`);
  process.exitCode = failed.size > 0 ? 1 : 0;
}

/** The lines that only one of them has, then both. */
function print({ node, ours }: Difference): void {
  const [nodeLines, ourLines] = [node.split('\n'), ours.split('\n')];
  for (const line of nodeLines.filter((one) => !ourLines.includes(one))) console.log(`only node:cluster: ${line}`);
  for (const line of ourLines.filter((one) => !nodeLines.includes(one))) console.log(`only ours:         ${line}`);
  console.log(`── node:cluster\n${node}\n── ours\n${ours}`);
}
