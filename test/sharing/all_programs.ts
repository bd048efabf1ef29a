/** Plays every scenario in which something listens under round robin and under `scheduling: 'shared'`: `npx tsx test/sharing/all_programs.ts --help`. */
import { describeDifference } from '../support/differential';
import { scenarios } from '../support/scenarios';
import { WrongArgument, runTool } from '../support/tool';
import { MAY_DIFFER, compareRules, listeningScenarios } from './same_programs';

/** Scenarios that run at the same time, each twice. */
const AT_ONCE = 2;

runTool({
  name: 'all_programs',
  usage: 'npx tsx test/sharing/all_programs.ts',
  about: [
    'Plays scenarios of test/differential under round robin and under shared, and compares what the programs saw.',
    'Without a name: all in which something listens, but those that may differ (test/sharing/same_programs.ts).',
    'Exit code 1: a program saw something else.',
  ].join('\n'),
  takes: 'about 1 s of CPU for each scenario: some 4 minutes for all of them on a shared machine',
  example: 'npx tsx test/sharing/all_programs.ts listen-twice round-robin-order',
  options: {},
  positionals: { name: 'SCENARIO …', about: 'names of files in test/differential/scenarios' },
}, async ({ positionals }) => {
  const unknown = positionals.find((name) => !scenarios().includes(name));
  if (unknown !== undefined) throw new WrongArgument(`there is no scenario '${unknown}'`);
  const names = positionals.length > 0 ? [...positionals] : listeningScenarios().filter((name) => MAY_DIFFER[name] === undefined);
  const counts = { same: 0, different: 0, 'without such an address': 0 };
  await Promise.all(Array.from({ length: AT_ONCE }, async () => {
    for (let name = names.shift(); name !== undefined; name = names.shift()) {
      const seen = await play(name);
      counts[seen.is]++;
      console.log(`${seen.is}: ${name}${seen.what === '' ? '' : `\n${seen.what}`}`);
    }
  }));
  console.log(`Node ${process.versions.node}: ${Object.entries(counts).map(([is, count]) => `${count} ${is}`).join(', ')}`);
  if (positionals.length === 0) for (const [name, why] of Object.entries(MAY_DIFFER)) console.log(`not compared: ${name}: ${why}`);
  if (counts.different > 0) process.exitCode = 1;
});

async function play(name: string): Promise<{ readonly is: 'same' | 'different' | 'without such an address'; readonly what: string }> {
  try {
    const { differences, shared } = await compareRules(name);
    if (differences.length > 0) return { is: 'different', what: differences.map(describeDifference).join('\n') };
    return { is: shared ? 'same' : 'without such an address', what: '' };
  } catch (error) {
    return { is: 'different', what: String(error) };
  }
}
